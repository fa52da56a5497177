"""Checking every rule that a configuration names, with the rule's own parameters."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import ValidationError

from riskd.config.explain import Issue, explained
from riskd.config.json_values import at, entries, table
from riskd.config.models import DEFAULT_PROFILE
from riskd.config.positions import JsonPath
from riskd.rules.registry import RuleNotLoaded, rule_class

Entry = Mapping[str, object]


def rule_issues(raw: object) -> list[Issue]:
    """Return what is wrong with the rules in a configuration, whatever else may be wrong with it."""
    issues: list[Issue] = []
    for path, rules in rule_lists(raw):
        for index, entry in enumerate(rules):
            issues += entry_issues(entry, params_of(entry), (*path, index))
        issues += _twice(rules, path)
    for path, override, known in _overrides(raw):
        issues += _which(override, known, path)
        base = next((params_of(entry) for entry in known if rule_id(entry) == rule_id(override)), {})
        issues += entry_issues(override, {**base, **params_of(override)}, path)
    return issues


def rule_lists(raw: object) -> Iterator[tuple[JsonPath, list[Entry]]]:
    """Give every list of rules with its path: the universal ones and each profile's."""
    yield ("universal", "rules"), entries(at(raw, "universal", "rules"))
    for name in table(at(raw, "profiles")):
        yield ("profiles", name, "rules"), entries(at(raw, "profiles", name, "rules"))


def entry_issues(entry: Entry, params: Mapping[str, object], path: JsonPath) -> list[Issue]:
    """Return what is wrong with one rule and its parameters."""
    name = entry.get("rule")
    if not isinstance(name, str):
        return []  # the model has said so
    try:
        rule = rule_class(name)
    except RuleNotLoaded as error:
        message, _, hint = str(error).partition("; ")
        return [Issue((*path, "rule"), message, hint)]
    try:
        rule.Params.model_validate(params)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        return explained(found, rule.Params, params, at=(*path, "params"))
    return []


def params_of(entry: Entry) -> dict[str, object]:
    """Return the parameters of an entry as they are written, empty where there are none."""
    return dict(table(entry.get("params")))


def rule_id(entry: Entry) -> str:
    """Return the id of an entry: its own, or the rule's name."""
    found = entry.get("id") or entry.get("rule")
    return found if isinstance(found, str) else ""


def _twice(rules: Sequence[Entry], path: JsonPath) -> Iterator[Issue]:
    seen: dict[str, int] = {}
    for index, entry in enumerate(rules):
        name = rule_id(entry)
        if name and name in seen:
            hint = "give one of them an id of its own" if entry.get("id") is None else "ids must differ"
            yield Issue((*path, index), f'there is already a "{name}" in this list', hint)
        seen.setdefault(name, index)


def _overrides(raw: object) -> Iterator[tuple[JsonPath, Entry, list[Entry]]]:
    """Give every override with the rules that it may change."""
    for index, account in enumerate(entries(at(raw, "accounts"))):
        profile = account.get("profile", DEFAULT_PROFILE)
        own = entries(at(raw, "profiles", profile, "rules")) if isinstance(profile, str) else []
        known = own + entries(at(raw, "universal", "rules"))
        for place, override in enumerate(entries(account.get("overrides"))):
            yield ("accounts", index, "overrides", place), override, known


def _which(override: Entry, known: Iterable[Entry], path: JsonPath) -> Iterator[Issue]:
    """Ask for the id where an override names a rule that the profile has only under ids of their own."""
    ids = [rule_id(entry) for entry in known if entry.get("rule") == override.get("rule")]
    if ids and rule_id(override) not in ids:
        said = " or ".join(f'"{found}"' for found in ids)
        yield Issue(path, "does not say which rule it changes", f'add "id": {said}')

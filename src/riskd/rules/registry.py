"""The one door through which rules are loaded: the entry-point group `riskd.rules`, for built-in rules as for others.

A rule that cannot be loaded is never skipped: it is named in the rulebook's faults, and the account that wanted it
takes no new risk while there are any.
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Final, TypeVar

import msgspec
from pydantic import ValidationError

from riskd.domain.account import PnlSettings
from riskd.rules.changes import Installed, changed, tighter_or_equal
from riskd.rules.contract import Rulebook, RuleEntry
from riskd.rules.params import ConfiguredRule, RuleParams
from riskd.rules.pnl_settings import PnlParams
from riskd.rules.spec import RulebookSpec, canonical

__all__ = [
    "GROUP",
    "RuleNotLoaded",
    "build",
    "canonical",
    "compile_rulebook",
    "forget_installed",
    "rule_class",
    "rule_names",
    "suggestion",
]

GROUP: Final = "riskd.rules"
_T = TypeVar("_T")


class RuleNotLoaded(Exception):
    """A rule is not installed or cannot be loaded; the text says which and why."""


@cache
def _installed() -> Mapping[str, tuple[EntryPoint, ...]]:
    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        # One package seen twice on the path offers the same object twice, which is no conflict.
        found.setdefault(entry.name, {}).setdefault(entry.value, entry)
    return {name: tuple(found[name].values()) for name in sorted(found)}


def forget_installed() -> None:
    """Look at what is installed anew; a process that installs rules while it runs has to say so."""
    _installed.cache_clear()
    rule_class.cache_clear()


def rule_names() -> tuple[str, ...]:
    """Return the names of all installed rules, sorted."""
    return tuple(_installed())


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "X"?`` where a known word is close, else nothing."""
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower, n=1)
    return f'; did you mean "{by_lower[close[0]]}"?' if close else ""


@cache
def rule_class(name: str) -> type[ConfiguredRule]:
    """Return the class of an installed rule.

    Errors: RuleNotLoaded when there is none of this name, when two packages offer it, or when it cannot be imported.
    """
    offers = _installed().get(name, ())
    if not offers:
        raise RuleNotLoaded(f'there is no rule "{name}"{suggestion(name, rule_names())}')
    if len(offers) > 1:
        packages = " and ".join(sorted(entry.dist.name if entry.dist else entry.value for entry in offers))
        raise RuleNotLoaded(f'the rule "{name}" is offered by {packages}; uninstall one of them')
    loaded = _contained(name, offers[0].load)
    if not (isinstance(loaded, type) and issubclass(loaded, ConfiguredRule)):
        raise RuleNotLoaded(f'the rule "{name}" is no ConfiguredRule: {offers[0].value}')
    if loaded.name != name:
        raise RuleNotLoaded(f'the rule "{name}" calls itself "{loaded.name}": {offers[0].value}')
    return loaded


def compile_rulebook(account: str, spec: str) -> Rulebook:
    """Build an account's rules from their canonical JSON text, ranked by category, then in the order given.

    Shape: ``{"rules": [{"rule", "id"?, "mode"?, "params"}], "pnl": {...}, "mode": "enforce"}``. Never raises: what
    cannot be loaded is in ``faults``.
    """
    compare = partial(changed, spec, installed=_INSTALLED)
    try:
        wanted = msgspec.json.decode(spec, type=RulebookSpec)
    except msgspec.DecodeError as error:
        return Rulebook(account, (), faults=(f"the rules cannot be read: {error}",), compare=compare)
    faults: list[str] = []
    entries: list[RuleEntry] = []
    for rule in wanted.rules:
        try:
            entries.append(RuleEntry(rule.rule_id, build(rule.rule, rule.params, rule.rule_id), rule.mode))
        except RuleNotLoaded as error:
            faults.append(f"{rule.rule_id}: {error}")
    faults.extend(f"{rule_id}: two rules have this id" for rule_id in _twice(rule.rule_id for rule in wanted.rules))
    entries.sort(key=lambda entry: entry.rule.category)
    settings = _settings(wanted.pnl, faults)
    return Rulebook(account, tuple(entries), settings, wanted.mode, tuple(faults), compare)


def build(name: str, params: Mapping[str, object], rule_id: str = "") -> ConfiguredRule:
    """Make one configured rule, under an id of its own or its name.

    Errors: RuleNotLoaded when the rule or its parameters cannot be used.
    """
    rule = rule_class(name)
    built = _contained(name, lambda: rule(params))
    built.rule_id = rule_id or name
    return built


def _contained(name: str, make: Callable[[], _T]) -> _T:
    """Run what a third party wrote; whatever it raises is a rule that could not be loaded."""
    try:
        return make()
    except ValidationError as error:
        raise RuleNotLoaded("; ".join(_said(error))) from error
    except Exception as error:
        raise RuleNotLoaded(f'the rule "{name}" cannot be loaded: {type(error).__name__}: {error}') from error


def _read(name: str, params: Mapping[str, object]) -> RuleParams | None:
    try:
        model = rule_class(name).Params
        return _contained(name, lambda: model.model_validate(params))
    except RuleNotLoaded:
        return None


def _proves(new: RuleParams, old: RuleParams) -> bool:
    """Ask a rule whether parameters are as strict as others; where its answer fails nothing is proven."""
    try:
        return _contained(type(new).__name__, lambda: tighter_or_equal(old, new))
    except RuleNotLoaded:
        return False


_INSTALLED: Final = Installed(read=_read, proves=_proves)


def _said(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False, include_url=False)]


def _twice(ids: Iterable[str]) -> list[str]:
    seen: dict[str, int] = {}
    for rule_id in ids:
        seen[rule_id] = seen.get(rule_id, 0) + 1
    return [rule_id for rule_id, count in seen.items() if count > 1]


def _settings(pnl: Mapping[str, object], faults: list[str]) -> PnlSettings:
    try:
        return PnlParams.model_validate(pnl).settings
    except ValidationError as error:
        faults.extend(f"pnl: {said}" for said in _said(error))
        return PnlSettings()

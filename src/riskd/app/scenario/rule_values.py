"""Settings as a scenario writes them, turned into what a configuration file would hold."""

import json
import re
from collections.abc import Mapping
from typing import Final

from riskd.app.scenario.language import RuleLine
from riskd.app.scenario.words import Unreadable
from riskd.rules.registry import RuleNotLoaded, build, rule_class, suggestion

_INTEGER: Final = re.compile(r"^-?\d{1,15}$")
_JSON_BEGINS: Final = ("[", "{", '"')
_WORDS: Final = {"true": True, "false": False, "null": None}
_OF_ENTRY: Final = ("id", "mode", "enabled")

Entry = dict[str, object]
"""A rule as a configuration file has it: rule, params, and where given id, mode and enabled."""


def entry_of(line: RuleLine, before: Entry | None = None) -> Entry:
    """Return a rule as a configuration file would have it; ``before`` is what the line changes.

    Errors: Unreadable when there is no such rule, or its settings do not fit.
    """
    known = _parameters(line.rule)
    entry: Entry = {"rule": line.rule, **(before or {})}
    params: dict[str, object] = {}
    for key, text in line.settings.items():
        if key in _OF_ENTRY:
            entry[key] = value_of(text)
        elif key in known:
            params[key] = value_of(text, may_be_integer=_takes_integer(known[key]))
        else:
            raise Unreadable(f"expected a setting of {line.rule}, found {key!r}{suggestion(key, known)}")
    old = entry.get("params")
    entry["params"] = {**(old if isinstance(old, dict) else {}), **params}
    _assert_usable(line.rule, entry)
    return entry


def _assert_usable(rule: str, entry: Entry) -> None:
    params = entry["params"]
    try:
        build(rule, params if isinstance(params, dict) else {})
    except RuleNotLoaded as error:
        raise Unreadable(f"expected settings that {rule} can use: {error}") from None


def _parameters(rule: str) -> Mapping[str, object]:
    try:
        schema = rule_class(rule).Params.model_json_schema()
    except RuleNotLoaded as error:
        raise Unreadable(f"expected a rule that riskd knows: {error}") from None
    found = schema.get("properties", {})
    return found if isinstance(found, dict) else {}


def _takes_integer(schema: object) -> bool:
    """Tell whether a parameter can be a whole number; amounts of money, which are text, cannot."""
    if not isinstance(schema, dict):
        return False
    either = schema.get("anyOf")
    options = either if isinstance(either, list) else [schema]
    return any(isinstance(option, dict) and option.get("type") == "integer" for option in options)


def value_of(text: str, *, may_be_integer: bool = True) -> object:
    """Return the JSON value that a setting stands for; a word, a time or an amount stays text.

    Errors: Unreadable for a list, an object or a quoted text that is not JSON.
    """
    if text in _WORDS:
        return _WORDS[text]
    if may_be_integer and _INTEGER.match(text):
        return int(text)
    if not text.startswith(_JSON_BEGINS):
        return text
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"expected JSON without spaces, found {text!r} ({error})") from None
    return found

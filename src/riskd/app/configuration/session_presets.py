"""Trading hours by name, as a profile's SessionBlockOutside rule."""

import json
from collections.abc import Mapping
from typing import Final, get_args

from riskd.rules.session_params import CHICAGO, PRESETS, Preset
from riskd.rules.session_times import SessionTimes

RULE: Final = "SessionBlockOutside"
SESSIONS: Final[tuple[Preset, ...]] = get_args(Preset)


def hours_of(session: Preset) -> str:
    """Return the hours as a trader says them."""
    return str(SessionTimes(PRESETS[session], CHICAGO))


def entry_of(session: Preset) -> dict[str, object]:
    """Return the rule that keeps an account to these hours."""
    return {"rule": RULE, "params": {"preset": session}}


def with_session(text: str, session: Preset, profile: str) -> str:
    """Return a configuration's text whose profile keeps these hours; whatever else it says stays, laid out anew.

    Shape: the first rule for hours is replaced, or one is added.
    Errors: ValueError when the text is no JSON, TypeError when profiles or rules are not what they must be.
    """
    document = json.loads(text)
    rules = _rules(document, profile)
    place = next((i for i, rule in enumerate(rules) if isinstance(rule, dict) and rule.get("rule") == RULE), None)
    if place is None:
        rules.append(entry_of(session))
    else:
        old = rules[place]
        rules[place] = {**(old if isinstance(old, dict) else {}), **entry_of(session)}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rules(document: object, profile: str) -> list[object]:
    profiles = _inside(document, "profiles")
    rules = _inside(profiles, profile).setdefault("rules", [])
    if not isinstance(rules, list):
        raise TypeError(f"the rules of {profile} are no list")
    return rules


def _inside(value: object, key: str) -> dict[str, object]:
    inner = value.setdefault(key, {}) if isinstance(value, dict) else None
    if not isinstance(inner, dict):
        raise TypeError(f"a configuration is one object in braces, and so is {key}")
    return inner


def parameters() -> Mapping[str, Preset]:
    """Return the names people may type, in any case, with the session that each means."""
    return {name.lower(): name for name in SESSIONS}

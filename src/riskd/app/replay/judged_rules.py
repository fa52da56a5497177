"""The rules that a record can be judged by: those of a file, without the ones that need what a record does not tell."""

import json
from collections.abc import Mapping
from typing import Final, Literal

from riskd.config.models import Config
from riskd.config.specs import spec_for
from riskd.rules.registry import canonical

NOT_TOLD: Final[Mapping[str, str]] = {
    "AccountDrawdown": "an account's balance",
    "NoStopLossGrace": "which stops were working",
}
"""What a record does not tell, by the rule that would have to know."""


def judged(config: Config, account: str, mode: Literal["enforce", "shadow"]) -> str:
    """Return the rules of an account, or of the default profile, as they judge a record of it.

    Shape: the mode is that of the whole account, whatever the file says; a rule that is in shadow mode stays so.
    """
    spec = _document(config, account)
    rules = spec.get("rules", [])
    kept = [rule for rule in rules if _name(rule) not in NOT_TOLD] if isinstance(rules, list) else []
    return canonical({**spec, "rules": kept, "mode": mode})


def unjudged(config: Config, account: str) -> tuple[str, ...]:
    """Return the rules of an account, by name, that a record cannot be judged by."""
    rules = _document(config, account).get("rules", [])
    named = {_name(rule) for rule in rules} if isinstance(rules, list) else set()
    return tuple(name for name in NOT_TOLD if name in named)


def _document(config: Config, account: str) -> dict[str, object]:
    own = next((a for a in config.accounts if account in (a.id, a.name)), None)
    decoded: object = json.loads(spec_for(config, own.profile, own.overrides) if own else spec_for(config))
    return decoded if isinstance(decoded, dict) else {}


def _name(rule: object) -> str:
    return str(rule.get("rule")) if isinstance(rule, dict) else ""

"""The canonical text of an account's rules, as the journal and the state files keep it."""

import json
from typing import Literal

import msgspec

from riskd.rules.contract import Mode


class RuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule as the canonical text names it."""

    rule: str
    params: dict[str, object] = {}
    id: str | None = None
    mode: Mode = Mode.ENFORCE

    @property
    def rule_id(self) -> str:
        """Return its own id, or the rule's name."""
        return self.id or self.rule


class RulebookSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of one account as the canonical text names them.

    Shape: ``loosening`` says when a change that is not provably tighter applies; it is a part of the rules, so that it
    is remembered with them and changing it is a change like any other.
    """

    rules: list[RuleSpec] = []
    pnl: dict[str, object] = {}
    mode: Mode = Mode.ENFORCE
    loosening: Literal["next_day", "immediate"] = "next_day"


def canonical(spec: object) -> str:
    """Return a value as canonical JSON text: sorted keys, no spaces, one text for one meaning."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

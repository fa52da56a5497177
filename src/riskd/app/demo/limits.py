"""The limits that the demo plays with: its own, or the trader's from a file."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from riskd.app.demo.failure import DemoFailed
from riskd.config.errors import ConfigErrors
from riskd.config.loader import load_rules
from riskd.config.models import DEFAULT_PROFILE, RuleEntryConfig

MAX_CONTRACTS: Final = "MaxContracts"
DAILY_LOSS: Final = "DailyRealizedLoss"
_MOST_CONTRACTS: Final = 40
_ROOM_PER_CONTRACT: Final = Decimal(100)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Two limits and where they come from.

    Units: ``daily_loss`` USD, below zero. ``left_out`` names the rules of the file that the demo does not play.
    """

    max_contracts: int = 4
    daily_loss: Decimal = Decimal("-1000.00")
    source: str = "the demo's own"
    left_out: tuple[str, ...] = ()

    @property
    def first_order(self) -> int:
        """Return how many contracts the trader buys first, within the limit."""
        return max(1, self.max_contracts // 2)

    @property
    def second_order(self) -> int:
        """Return how many are bought next, which is one too many."""
        return self.max_contracts - self.first_order + 1

    def profile(self) -> Mapping[str, object]:
        """Return the limits as the configuration file says them."""
        return {
            "rules": [
                {"rule": MAX_CONTRACTS, "params": {"max_contracts": self.max_contracts}},
                {"rule": DAILY_LOSS, "params": {"limit": str(self.daily_loss)}},
            ]
        }


def limits_from(path: Path) -> Limits:
    """Return the two limits of a file's default profile.

    Errors: DemoFailed with a sentence where the file cannot be read or the demo cannot play its limits.
    """
    try:
        config = load_rules(path)
    except ConfigErrors as errors:
        raise DemoFailed("; ".join(errors.lines())) from None
    profile = config.profiles.get(DEFAULT_PROFILE)
    entries = {entry.rule_id: entry for entry in (profile.rules if profile else ()) if entry.enabled}
    limits = Limits(
        max_contracts=_contracts(path, entries),
        daily_loss=_loss(path, entries),
        source=path.name,
        left_out=tuple(sorted(entries.keys() - {MAX_CONTRACTS, DAILY_LOSS})),
    )
    _assert_playable(path, limits)
    return limits


def _contracts(path: Path, entries: Mapping[str, RuleEntryConfig]) -> int:
    text = str(_params(path, entries, MAX_CONTRACTS).get("max_contracts"))
    if not text.isdecimal():
        raise DemoFailed(f"{path}: the demo plays whole contracts only, and max_contracts is {text}")
    return int(text)


def _loss(path: Path, entries: Mapping[str, RuleEntryConfig]) -> Decimal:
    return Decimal(str(_params(path, entries, DAILY_LOSS).get("limit")))


def _params(path: Path, entries: Mapping[str, RuleEntryConfig], rule: str) -> Mapping[str, object]:
    if rule not in entries:
        raise DemoFailed(f'{path}: profile "{DEFAULT_PROFILE}" has no {rule} that is enabled, and the demo shows it')
    return entries[rule].params


def _assert_playable(path: Path, limits: Limits) -> None:
    """Refuse limits that spread and fees alone would break before anything can be shown."""
    if not 1 <= limits.max_contracts <= _MOST_CONTRACTS:
        raise DemoFailed(
            f"{path}: the demo plays max_contracts from 1 to {_MOST_CONTRACTS}, not {limits.max_contracts}"
        )
    least = -_ROOM_PER_CONTRACT * (limits.max_contracts + 1)
    if limits.daily_loss > least:
        raise DemoFailed(
            f"{path}: a daily loss limit of {limits.daily_loss} USD leaves {limits.max_contracts} contracts no room to "
            f"move; the demo needs {least} or lower for so many"
        )

"""Which contracts should be giving prices, and which have fallen silent. No clock of its own."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

# A feed that stays silent is asked for again and again, but not with every look.
RESUBSCRIBE_EVERY_S = 30.0


class _Row(msgspec.Struct):
    heard_at: datetime
    heard_real: float
    silent: bool = False
    asked_real: float = 0.0


class Silence(msgspec.Struct, frozen=True):
    """What one look at the feed found: contracts newly silent, and contracts to subscribe again.

    Shape: ``helpless`` when all are silent and subscribing again has not helped: the connection may be frozen.
    """

    reported: tuple[str, ...]
    asked: tuple[str, ...]
    helpless: bool = False


class Feed:
    """When each watched contract was heard last.

    Units: ``at`` is riskd's time, ``real`` the machine's monotonic clock in seconds. Silence has to last in both, for a
    simulated day may leap and a fast one passes ten seconds between two quotes.
    """

    def __init__(self, stale_after_s: float) -> None:
        self._stale_after = timedelta(seconds=stale_after_s)
        self._stale_real = min(stale_after_s, 1.0)
        self._rows: dict[str, _Row] = {}

    def watched(self) -> tuple[str, ...]:
        """Return the contracts to subscribe, in the order they were asked for."""
        return tuple(self._rows)

    def watch(self, contract: str, at: datetime, real: float) -> bool:
        """Begin to watch a contract; return whether that is new."""
        if contract in self._rows:
            return False
        self._rows[contract] = _Row(at, real)
        return True

    def unwatch(self, contract: str) -> bool:
        """Stop watching a contract; return whether it was watched."""
        return self._rows.pop(contract, None) is not None

    def heard(self, contract: str, at: datetime, real: float) -> bool:
        """Note a price; return whether the contract had been silent."""
        row = self._rows.get(contract)
        if row is None:
            return False
        was_silent = row.silent
        row.heard_at, row.heard_real, row.silent = at, real, False
        return was_silent

    def excuse(self, at: datetime, real: float, contracts: Iterable[str] | None = None) -> None:
        """Count from now, for these contracts or for all: their market is closed, or the hub was not connected."""
        for contract in self._rows if contracts is None else contracts:
            row = self._rows[contract]
            row.heard_at, row.heard_real = at, real

    def look(self, at: datetime, real: float) -> Silence:
        """Return who has been silent for too long."""
        reported, asked = [], []
        for contract, row in self._rows.items():
            if at - row.heard_at < self._stale_after or real - row.heard_real < self._stale_real:
                continue
            if not row.silent:
                row.silent = True
                reported.append(contract)
            elif real - row.asked_real < RESUBSCRIBE_EVERY_S:
                continue
            row.asked_real = real
            asked.append(contract)
        helpless = bool(asked) and not reported and all(row.silent for row in self._rows.values())
        return Silence(tuple(reported), tuple(asked), helpless)

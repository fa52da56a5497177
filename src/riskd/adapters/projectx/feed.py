"""Which contracts should be giving prices, which have fallen silent, and which have none at all. Without a clock."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

# A feed that stays silent is asked for again and again, but not with every look.
RESUBSCRIBE_EVERY_S: Final = 30.0
# A price that is older than this when a contract begins to matter is no better than none.
_LOOK_BACK: Final = timedelta(minutes=1)


class _Row(msgspec.Struct):
    """When a contract was last quoted, priced by whatever way, and wanted; ``known_to`` is the price's own time."""

    heard_at: datetime
    heard_real: float
    priced_at: datetime
    priced_real: float
    known_to: datetime
    wanted_real: float
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
    """When each watched contract was quoted last, and when there was a price of it by any way.

    Units: ``at`` is riskd's time, ``real`` the machine's monotonic clock in seconds. Silence has to last in both, for a
    simulated day may leap and a fast one passes ten seconds between two quotes.
    """

    def __init__(self, stale_after_s: Callable[[], float]) -> None:
        """Begin with nothing watched; ``stale_after_s`` returns how long a silence may last at the moment."""
        self._stale_after_s = stale_after_s
        self._rows: dict[str, _Row] = {}

    @property
    def stale_after_s(self) -> float:
        """Return how long a silence may last (seconds)."""
        return self._stale_after_s()

    def _too_long(self, silent: timedelta, silent_real_s: float) -> bool:
        """Tell whether a silence that is this long by riskd's time and by the machine's counts as one."""
        limit_s = self.stale_after_s
        return silent >= timedelta(seconds=limit_s) and silent_real_s >= min(limit_s, 1.0)

    def watched(self) -> tuple[str, ...]:
        """Return the contracts to subscribe, in the order they were asked for."""
        return tuple(self._rows)

    def watch(self, contract: str, at: datetime, real: float) -> bool:
        """Begin to watch a contract, or go on; return whether that is new."""
        row = self._rows.get(contract)
        if row is not None:
            row.wanted_real = real
            return False
        self._rows[contract] = _Row(at, real, at, real, at - _LOOK_BACK, real)
        return True

    def unwanted(self, since_real: float) -> tuple[str, ...]:
        """Return the contracts that nobody has asked to watch since then."""
        return tuple(contract for contract, row in self._rows.items() if row.wanted_real < since_real)

    def unwatch(self, contract: str) -> bool:
        """Stop watching a contract; return whether it was watched."""
        return self._rows.pop(contract, None) is not None

    def heard(self, contract: str, at: datetime, real: float) -> bool:
        """Note a quote; return whether the contract had been silent."""
        row = self._rows.get(contract)
        if row is None:
            return False
        was_silent = row.silent
        row.heard_at, row.heard_real, row.silent = at, real, False
        return was_silent

    def priced(self, contract: str, at: datetime, real: float, *, known_to: datetime) -> None:
        """Note a price, by whatever way it came; ``known_to`` is the broker's time of it."""
        row = self._rows.get(contract)
        if row is not None:
            row.priced_at, row.priced_real, row.known_to = at, real, max(known_to, row.known_to)

    def known_to(self, contract: str) -> datetime | None:
        """Return the broker's time of the newest price, None for a contract that is not watched."""
        row = self._rows.get(contract)
        return None if row is None else row.known_to

    def excuse(self, at: datetime, real: float) -> None:
        """Count all silences from now: the hub is not connected."""
        for row in self._rows.values():
            row.heard_at, row.heard_real = at, real

    def closed(self, contracts: Iterable[str], at: datetime, real: float) -> None:
        """Miss nothing of contracts whose market is closed."""
        for contract in contracts:
            row = self._rows[contract]
            row.heard_at, row.heard_real = at, real
            row.priced_at, row.priced_real, row.known_to = at, real, max(at, row.known_to)

    def unpriced(self, at: datetime, real: float) -> tuple[str, ...]:
        """Return the contracts of which no price has come for too long, by quotes, prints or bars."""
        return tuple(
            contract
            for contract, row in self._rows.items()
            if self._too_long(at - row.priced_at, real - row.priced_real)
        )

    def missed(self, at: datetime, real: float) -> tuple[str, ...]:
        """Return the contracts that are newly without any price, for while there is no hub."""
        contracts = [contract for contract in self.unpriced(at, real) if not self._rows[contract].silent]
        for contract in contracts:
            self._rows[contract].silent = True
        return tuple(contracts)

    def look(self, at: datetime, real: float) -> Silence:
        """Return who has been silent for too long."""
        reported, asked = [], []
        for contract, row in self._rows.items():
            if not self._too_long(at - row.heard_at, real - row.heard_real):
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

"""Bars of every unit, from the prices that came and a seeded past before them.

One-second bars are kept for what came; the past is a seeded random walk that ends at the first
price, made when somebody asks for it. Both are merged into the unit asked for.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import msgspec

from riskd.simulator.exchange.contracts import Contract

MAX_BARS = 20_000
_SECOND_UNITS = {1: 1, 2: 60, 3: 3600}
_DAY, _WEEK, _MONTH = 4, 5, 6
_PAST_STEP = timedelta(minutes=1)
_PAST_MINUTES = 60 * 24 * 3
UNITS = frozenset({1, 2, 3, 4, 5, 6})


class Bar(msgspec.Struct):
    """Open, high, low, close and volume from `at` on."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int

    def absorb(self, later: "Bar") -> None:
        """Extend this bar by a later one."""
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.close, self.volume = later.close, self.volume + later.volume


class BarStore:
    """What traded in each second, per contract."""

    def __init__(self, seed: int) -> None:
        """Keep bars; the invented past depends on the seed."""
        self._seed = seed
        self._seconds: dict[str, list[Bar]] = {}
        self._past: dict[str, list[Bar]] = {}

    def add(self, contract_id: str, at: datetime, price: Decimal, size: int) -> None:
        """Count a print."""
        second = at.replace(microsecond=0)
        bars = self._seconds.setdefault(contract_id, [])
        bar = Bar(second, price, price, price, price, size)
        if bars and bars[-1].at == second:
            bars[-1].absorb(bar)
        else:
            bars.append(bar)

    def find(self, contract: Contract, span: tuple[datetime, datetime], *, unit: int, count: int) -> Iterator[Bar]:
        """Yield merged bars of `count` units that begin within a span, oldest first."""
        start, end = span
        merged: Bar | None = None
        for bar in self._all(contract):
            begins = bucket(bar.at, unit, count)
            if begins < start or begins >= end:
                continue
            if merged is not None and merged.at == begins:
                merged.absorb(bar)
                continue
            if merged is not None:
                yield merged
            merged = Bar(begins, bar.open, bar.high, bar.low, bar.close, bar.volume)
        if merged is not None:
            yield merged

    def _all(self, contract: Contract) -> Iterable[Bar]:
        seen = self._seconds.get(contract.id, [])
        if contract.id not in self._past:
            if not seen:
                return ()
            self._past[contract.id] = self._invent(contract, seen[0])
        return [*self._past[contract.id], *seen]

    def _invent(self, contract: Contract, first: Bar) -> list[Bar]:
        rng = Random(f"{self._seed}:past:{contract.id}")
        tick, price = contract.tick_size, first.open
        at = first.at.replace(second=0)
        past: list[Bar] = []
        for _ in range(_PAST_MINUTES):
            at -= _PAST_STEP
            opened = max(price + rng.randint(-6, 6) * tick, tick)
            high = max(opened, price) + rng.randint(0, 4) * tick
            low = max(min(opened, price) - rng.randint(0, 4) * tick, tick)
            past.append(Bar(at, opened, high, low, price, rng.randint(20, 600)))
            price = opened
        past.reverse()
        return past


def bucket(at: datetime, unit: int, count: int) -> datetime:
    """Return when the bar of a unit that holds a moment begins, in UTC."""
    if unit in _SECOND_UNITS:
        width = _SECOND_UNITS[unit] * count
        return datetime.fromtimestamp(int(at.timestamp()) // width * width, UTC)
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == _DAY:
        return day - timedelta(days=day.toordinal() % count)
    if unit == _WEEK:
        return day - timedelta(days=day.weekday() + 7 * ((day.toordinal() // 7) % count))
    month = (day.year * 12 + day.month - 1) // count * count
    return day.replace(year=month // 12, month=month % 12 + 1, day=1)

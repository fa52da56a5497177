"""Prices for the exchange: recorded ones in order, or a seeded generator's.

A price source is an iterator of (moment, change) in the order of time. Several are merged.
"""

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TypeAlias

import msgspec

from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.model import PriceUpdate, Side

Tick: TypeAlias = tuple[datetime, PriceUpdate]
PriceSource: TypeAlias = Iterator[Tick]


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """How a generated price moves.

    Units: `per_second` changes on average; `volatility_ticks` the typical move of one second;
    `drift_ticks` the trend of one minute.
    """

    start: Decimal | None = None
    per_second: float = 4.0
    volatility_ticks: float = 1.5
    drift_ticks: float = 0.0
    seed: int = 0


def generate(contract: Contract, walk: Walk, begin: datetime) -> PriceSource:
    """Yield a random walk on the tick grid: mostly one tick of spread, trades on both sides."""
    rng = Random(f"{walk.seed}:{contract.id}")
    tick = contract.tick_size
    start = walk.start if walk.start is not None else contract.product.typical_price
    bid = (start / tick).quantize(Decimal(1)) * tick
    spread, at = 1, begin
    yield at, PriceUpdate(contract_id=contract.id, last=bid, bid=bid, ask=bid + tick, size=1)
    step = walk.volatility_ticks / max(walk.per_second, 0.001) ** 0.5
    bias = walk.drift_ticks / 60 / max(walk.per_second, 0.001)
    while True:
        at += timedelta(seconds=rng.expovariate(walk.per_second))
        bid = max(bid + round(rng.gauss(bias, step)) * tick, tick)
        spread = 1 if rng.random() < 0.9 else rng.choice((2, 2, 3))  # noqa: PLR2004 - one in ten is wider
        yield at, _change(contract.id, rng, bid=bid, ask=bid + spread * tick)


def _change(contract_id: str, rng: Random, *, bid: Decimal, ask: Decimal) -> PriceUpdate:
    """Return a change of the book, in every third case together with a print."""
    if rng.random() > 1 / 3:
        return PriceUpdate(contract_id=contract_id, bid=bid, ask=ask)
    side = Side.BUY if rng.random() < 0.5 else Side.SELL  # noqa: PLR2004 - a coin
    return PriceUpdate(
        contract_id=contract_id,
        last=ask if side is Side.BUY else bid,
        bid=bid,
        ask=ask,
        size=1 + int(rng.expovariate(0.6)),
        side=side,
    )


class PriceTape:
    """Merged price sources, read up to a moment."""

    def __init__(self) -> None:
        """Start without any source."""
        self._sources: list[tuple[datetime, int, PriceUpdate, PriceSource]] = []
        self._count = 0

    def add(self, source: PriceSource) -> None:
        """Merge one more source."""
        self._count += 1
        self._push(self._count, source)

    def clear(self, contract_id: str | None = None) -> None:
        """Drop the sources of one contract, or all."""
        kept = [entry for entry in self._sources if entry[2].contract_id != contract_id]
        self._sources = [] if contract_id is None else kept
        heapq.heapify(self._sources)

    @property
    def next_at(self) -> datetime | None:
        """Return when the next price comes, None when there is none."""
        return self._sources[0][0] if self._sources else None

    def until(self, moment: datetime) -> Iterator[Tick]:
        """Yield and consume the prices up to a moment, oldest first."""
        while self._sources and self._sources[0][0] <= moment:
            at, order, change, source = heapq.heappop(self._sources)
            self._push(order, source)
            yield at, change

    def _push(self, order: int, source: PriceSource) -> None:
        upcoming = next(source, None)
        if upcoming is not None:
            heapq.heappush(self._sources, (upcoming[0], order, upcoming[1], source))

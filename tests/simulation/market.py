"""How prices move: the simulator's own walk, dense while somebody trades, sparse otherwise, with sudden moves."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.model import PriceUpdate
from riskd.simulator.market.tape import PriceSource, Walk, generate
from tests.simulation.world import World

BUSY_PER_SECOND: Final = 0.15
QUIET_PER_SECOND: Final = 1 / 1200


class Market:
    """One contract's prices."""

    def __init__(self, world: World, contract: Contract) -> None:
        self.contract = contract.id
        self._schedule = world.schedule
        self._venue = world.venue
        self._instrument = contract
        self._rng = world.rng(contract.id)
        self._round = 0
        self._busy = False
        self._bid = contract.product.typical_price
        self._volatility = self._rng.choice((2.0, 4.0, 8.0))

    def begin(self) -> None:
        """Quote the first price."""
        self.pace(busy=False)

    def pace(self, *, busy: bool) -> None:
        """Move often or seldom from now on, from where the price is."""
        self._round += 1
        self._busy = busy
        walk = Walk(
            start=self._bid,
            per_second=BUSY_PER_SECOND if busy else QUIET_PER_SECOND,
            volatility_ticks=self._volatility if busy else 0.5,
            seed=self._rng.getrandbits(32),
        )
        self._follow(generate(self._instrument, walk, self._schedule.now), self._round)

    def jump(self) -> None:
        """Move far in a few quick steps."""
        tick = self._instrument.tick_size
        way = self._rng.choice((-1, 1)) * self._rng.randint(20, 200)
        steps = self._rng.randint(1, 5)
        for step in range(1, steps + 1):
            bid = self._bid + way * step // steps * tick
            at = self._schedule.now + timedelta(seconds=step * self._rng.uniform(0.01, 1))
            self._quote_at(at, bid, self._round + 1)
        self._round += 1
        self._bid += way * tick
        self._schedule.after(timedelta(seconds=6), lambda: self.pace(busy=self._busy))

    def _follow(self, source: PriceSource, number: int) -> None:
        at, change = next(source)

        def move() -> None:
            if number == self._round:
                self._change(change)
                self._follow(source, number)

        self._schedule.at(at, move)

    def _quote_at(self, at: datetime, bid: Decimal, number: int) -> None:
        tick = self._instrument.tick_size
        change = PriceUpdate(contract_id=self.contract, last=bid, bid=bid, ask=bid + tick, size=1)
        self._schedule.at(at, lambda: self._change(change) if number == self._round else None)

    def _change(self, change: PriceUpdate) -> None:
        if change.bid is not None:
            self._bid = change.bid
        if self._venue.trades(self.contract):
            self._venue.price(change)

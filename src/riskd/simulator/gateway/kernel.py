"""The exchange with its clock and its prices: brings everything up to date in the order of time."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from riskd.simulator.exchange.events import Event
from riskd.simulator.exchange.exchange import Exchange
from riskd.simulator.exchange.model import PriceUpdate
from riskd.simulator.gateway.clock import GatewayClock
from riskd.simulator.market.bars import BarStore
from riskd.simulator.market.tape import PriceSource, PriceTape, Tick

_LONGEST_SLEEP_S = 60.0
# Prices that come faster than this are taken together: a wake-up for each would cost more than they
# do, for every client once.
_SHORTEST_SLEEP_S = 0.004


class Kernel:
    """Feeds prices and deadlines to the exchange when their time has come."""

    def __init__(
        self,
        exchange: Exchange,
        clock: GatewayClock,
        bars: BarStore,
        carry: Callable[[list[Event]], None],
    ) -> None:
        """Drive an exchange by a clock."""
        self.tape = PriceTape()
        self.clock = clock
        self._exchange = exchange
        self._bars = bars
        self._carry = carry
        self._ticked_at = clock.now()
        self.strikes: Callable[[datetime], None] = lambda _at: None
        self.next_strike: Callable[[], datetime | None] = lambda: None
        self._changed = asyncio.Event()
        self._busy = False

    def price(self, change: PriceUpdate, at: datetime) -> None:
        """Give the exchange one price and carry what follows."""
        if change.last is not None:
            self._bars.add(change.contract_id, at, change.last, change.size)
        self._carry(self._exchange.on_price(change, at))

    def skip(self, source: PriceSource, moment: datetime) -> PriceSource:
        """Take the prices before a moment as the past, and yield the rest."""
        for at, change in source:
            if at < moment:
                self.price(change, at)
            else:
                yield at, change

    def catch_up(self) -> None:
        """Do everything whose time has come, in order; not while already at it."""
        if self._busy:
            return
        self._busy = True
        try:
            self._catch_up()
        finally:
            self._busy = False

    def _catch_up(self) -> None:
        now = self.clock.now()
        while (deadline := self._next_deadline()) <= now:
            self._play(self.tape.until(deadline))
            self._ticked_at = deadline
            self._carry(self._exchange.tick(deadline))
            self.strikes(deadline)
        self._play(self.tape.until(now))

    def wake(self) -> None:
        """Look again at what comes next: the clock or the prices changed."""
        self._changed.set()

    async def run(self) -> None:
        """Keep the exchange up to date, for ever."""
        while True:
            self.catch_up()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sleep()):
                    await self._changed.wait()
            self._changed.clear()

    def _play(self, ticks: Iterator[Tick]) -> None:
        for at, change in ticks:
            visible = self._exchange.as_seen(change, at)
            if visible is not None:
                self.price(visible, at)

    def _next_deadline(self) -> datetime:
        """Return when the exchange, or a fault, next does something by itself."""
        deadline, strike = self._exchange.next_deadline(self._ticked_at), self.next_strike()
        return deadline if strike is None else min(deadline, strike)

    def _sleep(self) -> float | None:
        upcoming = self.tape.next_at
        deadline = self._next_deadline()
        moment = deadline if upcoming is None else min(upcoming, deadline)
        seconds = self.clock.real_seconds_until(moment)
        return None if seconds is None else min(max(seconds, _SHORTEST_SLEEP_S), _LONGEST_SLEEP_S)

"""Between exchange and riskd: two hubs that may be slow, lossy, repetitive, disorderly or dead."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Protocol

from riskd.domain.events import AccountReported, AnyEvent, ConnectionChanged, Fill, Link, OrderReported, QuoteReported
from riskd.simulator.exchange.events import (
    AccountEvent,
    Event,
    OrderEvent,
    PositionEvent,
    QuoteEvent,
    TradeEvent,
    UserEvent,
)
from riskd.simulator.exchange.model import Order
from tests.simulation import translation
from tests.simulation.calm import Calm
from tests.simulation.faults import Fault, Weather
from tests.simulation.schedule import Schedule, ms

LONGEST_LATENCY = ms(60)


class Receiver(Protocol):
    """Where events arrive: riskd while it runs."""

    def receive(self, event: AnyEvent, broker_at: datetime | None = None) -> None:
        """Take one event."""
        ...

    def receive_garbage(self, quote: QuoteReported) -> None:
        """Take prices that cannot be."""
        ...


class Network:
    """Carries what the exchange emits; what does not arrive is noted as riskd's excuse."""

    def __init__(
        self, schedule: Schedule, weather: Weather, calm: Calm, rng: Random, order: Callable[[int], Order]
    ) -> None:
        self._order = order
        self._schedule = schedule
        self._weather = weather
        self._calm = calm
        self._rng = rng
        self._last_arrival = schedule.now
        self._last_quote_arrival = schedule.now
        self._user_up = self._market_up = True
        self._connections = 0
        self._accounts: dict[int, AccountEvent] = {}
        self._garbage_until: dict[str, datetime] = {}
        self.receiver: Receiver | None = None

    def connected(self, receiver: Receiver) -> None:
        """Serve a new riskd from now on."""
        self.receiver = receiver
        self._connections += 1
        self._user_up = self._market_up = True

    def disconnected(self) -> None:
        """Lose riskd: it has died."""
        self.receiver = None

    def carry(self, events: Iterable[Event]) -> None:
        """Send events on their way."""
        for event in events:
            if isinstance(event, QuoteEvent):
                self._carry_quote(event)
            elif isinstance(event, UserEvent):
                self._carry_fact(event)

    # --- the user hub ------------------------------------------------------------------------------------------

    def _carry_fact(self, event: UserEvent) -> None:
        if isinstance(event, OrderEvent) and event.after_ms:
            # What leaves later shows the order as it is then.
            self._schedule.after(ms(event.after_ms), lambda: self._carry_fact(OrderEvent(self._order(event.order.id))))
            return
        leaves_at = self._schedule.now + ms(event.after_ms)
        if isinstance(event, AccountEvent):
            self._accounts[event.account_id] = event
        if self.receiver is None or not self._user_up:
            self._calm.doubt(event.account_id, leaves_at)
            return
        if not isinstance(event, AccountEvent) and self._weather.strikes(Fault.LOST_EVENTS, 0.3):
            self._calm.doubt(event.account_id, leaves_at)
            return
        arrives_at = self._arrival(event, leaves_at)
        self._deliver(event, arrives_at)
        if self._weather.strikes(Fault.DUPLICATED_EVENTS, 0.4):
            again_at = arrives_at + timedelta(seconds=self._weather.draw(Fault.DUPLICATED_EVENTS).uniform(0, 3))
            self._deliver(event, again_at)
            self._calm.doubt(event.account_id, again_at)

    def _arrival(self, event: UserEvent, leaves_at: datetime) -> datetime:
        arrives_at = leaves_at + ms(self._rng.uniform(2, 40))
        if self._weather.strikes(Fault.REORDERED_EVENTS, 0.3):
            arrives_at += ms(self._weather.draw(Fault.REORDERED_EVENTS).uniform(1, 2000))
            self._calm.doubt(event.account_id, arrives_at)
            return arrives_at
        if self._weather.strikes(Fault.LATE_EVENTS, 0.1):
            self._last_arrival = leaves_at + ms(self._weather.draw(Fault.LATE_EVENTS).uniform(300, 8000))
        if event.after_ms:
            return max(arrives_at, self._last_arrival)
        self._last_arrival = arrives_at = max(arrives_at, self._last_arrival)
        if arrives_at - leaves_at > LONGEST_LATENCY:
            self._calm.disturb(event.account_id, arrives_at)
        return arrives_at

    def _deliver(self, event: UserEvent, at: datetime) -> None:
        connection = self._connections
        self._schedule.at(at, lambda: self._arrive(event, connection))

    def _arrive(self, event: UserEvent, connection: int) -> None:
        if self.receiver is None or connection != self._connections or not self._user_up:
            self._calm.doubt(event.account_id, self._schedule.now)
            return
        fact = self._fact(event)
        self.receiver.receive(fact, fact.at if isinstance(fact, Fill) else None)

    def _fact(self, event: UserEvent) -> AnyEvent:
        match event:
            case TradeEvent(trade=trade):
                return translation.fill(trade)
            case OrderEvent(order=order):
                return OrderReported(account=str(order.account_id), order=translation.order(order))
            case PositionEvent(position=position):
                return translation.position(position)
            case AccountEvent():
                return self._account(event)

    def _account(self, event: AccountEvent) -> AccountReported:
        return translation.account(self._accounts[event.account_id].account if event.repeat else event.account)

    def lose_user_hub(self, noticed_after: timedelta, back_after: timedelta) -> None:
        """Cut the user hub; riskd notices some time later, and is connected again some time after that."""
        self._cut(Link.USER_HUB, noticed_after, back_after)

    def lose_market_hub(self, noticed_after: timedelta, back_after: timedelta) -> None:
        """Cut the market hub."""
        self._cut(Link.MARKET_HUB, noticed_after, back_after)

    def _cut(self, link: Link, noticed_after: timedelta, back_after: timedelta) -> None:
        connection = self._connections
        self._set(link, up=False)
        self._schedule.after(noticed_after, lambda: self._notice(link, connection, up=False))
        self._schedule.after(noticed_after + back_after, lambda: self._notice(link, connection, up=True))

    def _set(self, link: Link, *, up: bool) -> None:
        if link is Link.USER_HUB:
            self._user_up = up
        else:
            self._market_up = up

    def _notice(self, link: Link, connection: int, *, up: bool) -> None:
        if self.receiver is None or connection != self._connections:
            return
        if up:
            self._set(link, up=True)
        self.receiver.receive(ConnectionChanged(link=link, up=up))

    # --- the market hub ----------------------------------------------------------------------------------------

    def _carry_quote(self, event: QuoteEvent) -> None:
        if self.receiver is None or not self._market_up or Fault.FROZEN_PRICES in self._weather.blowing:
            return
        arrives_at = self._schedule.now + ms(self._rng.uniform(1, 30))
        self._last_quote_arrival = arrives_at = max(arrives_at, self._last_quote_arrival)
        quote = translation.quote(event)
        if self._weather.strikes(Fault.GARBAGE_PRICES, 0.2):
            self._deliver_quote(self._garbage(quote), arrives_at - ms(1), garbage=True)
        self._deliver_quote(quote, arrives_at)

    def _garbage(self, quote: QuoteReported) -> QuoteReported:
        """Return what no price can be: off the grid, not finite, nothing at all, crossed, or far from the book."""
        price = quote.last or quote.bid or Decimal(1)
        bad = self._weather.draw(Fault.GARBAGE_PRICES).choice(
            (price + Decimal("0.03"), Decimal("NaN"), Decimal(0), -price, price * 2, price / 2)
        )
        return QuoteReported(contract=quote.contract, at=quote.at, last=bad)

    def _deliver_quote(self, quote: QuoteReported, at: datetime, *, garbage: bool = False) -> None:
        connection = self._connections

        def arrive() -> None:
            if self.receiver is None or connection != self._connections or not self._market_up:
                return
            if garbage:
                self.receiver.receive_garbage(quote)
            else:
                self.receiver.receive(quote, quote.at)

        self._schedule.at(at, arrive)

"""Carries the exchange's events to the hubs: wrapped, encoded once, delayed where they are late."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal

from riskd.simulator.exchange.depth import snapshot
from riskd.simulator.exchange.events import (
    AccountEvent,
    DepthEvent,
    Event,
    MarketEvent,
    OrderEvent,
    PositionEvent,
    PrintEvent,
    QuoteEvent,
    TradeEvent,
    UserEvent,
)
from riskd.simulator.gateway import signalr, wire
from riskd.simulator.gateway.api import Api
from riskd.simulator.gateway.connection import Connection, Subscription
from riskd.simulator.gateway.hubs import Hub
from riskd.simulator.gateway.wire import Record

MARKET_EVENTS = (QuoteEvent, PrintEvent, DepthEvent)


class Carrier:
    """From events to subscribers."""

    def __init__(
        self,
        *,
        user: Hub,
        market: Hub,
        api: Api,
        user_events: Literal["wrapped", "bare", "flat", "list"],
    ) -> None:
        """Carry to two hubs."""
        self._user = user
        self._market = market
        self._api = api
        self._user_events = user_events
        self._late: set[asyncio.TimerHandle] = set()
        self.pace: Callable[[], Decimal] = lambda: Decimal(1)
        self.deliveries: Callable[[str], tuple[int, ...]] = lambda _target: (0,)
        self.seen_quote: Callable[[QuoteEvent], QuoteEvent | None] = lambda event: event

    def carry(self, events: Iterable[Event]) -> None:
        """Send events now or later: as each of them says, and as faults have it."""
        for event in events:
            target = _TARGETS[type(event)]
            if isinstance(event, MARKET_EVENTS) and not self._is_watched(event, target):
                continue
            own_delay = event.after_ms / float(self.pace()) if event.after_ms else 0
            for delay in self.deliveries(target):
                if own_delay or delay:
                    self._later(event, own_delay + delay)
                else:
                    self._deliver(event)

    def _is_watched(self, event: MarketEvent, target: str) -> bool:
        return bool(self._market.wanted(Subscription(target, event.contract_id)))

    def send_book(self, connection: Connection, contract_id: str, at: datetime) -> None:
        """Send the whole order book of a contract to one client."""
        books = self._api.exchange.books
        contract = books.contracts.find(contract_id)
        if contract is None:
            return
        levels = snapshot(contract, books.market.quote(contract_id), at)
        if levels:
            records = [wire.depth_record(level, best=False) for level in levels]
            connection.send(signalr.event("GatewayDepth", contract_id, records))

    def stop(self) -> None:
        """Forget what is still on its way."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()

    def _deliver(self, event: Event) -> None:
        """Send one event to those who subscribed to it."""
        match event:
            case QuoteEvent() | PrintEvent() | DepthEvent():
                self._deliver_market(event)
            case _:
                self._deliver_user(event)

    def _later(self, event: Event, delay_ms: float) -> None:
        def arrive() -> None:
            self._late.discard(handle)
            self._deliver(event)

        handle = asyncio.get_running_loop().call_later(delay_ms / 1000, arrive)
        self._late.add(handle)

    def _deliver_user(self, event: UserEvent) -> None:
        target = _TARGETS[type(event)]
        key = None if isinstance(event, AccountEvent) else event.account_id
        subscribers = self._user.wanted(Subscription(target, key))
        if subscribers:
            record = signalr.event(target, self._wrapped(event))
            for connection in tuple(subscribers):
                connection.send(record)

    def _wrapped(self, event: UserEvent) -> object:
        data = self._data(event)
        flat = isinstance(event, TradeEvent | PositionEvent)
        match self._user_events:
            case "bare":
                return data
            case "flat" if flat:
                return data
            case "list":
                return [{"action": wire.user_action(event), "data": data}]
            case _:
                return {"action": wire.user_action(event), "data": data}

    def _data(self, event: UserEvent) -> Record:
        shape = self._api.shape
        match event:
            case AccountEvent(account):
                now = self._api.exchange.books.accounts[account.id] if event.repeat else account
                return wire.account_record(now)
            case OrderEvent(order):
                return self._api.order_record(order, hub=True)
            case TradeEvent(trade):
                return wire.trade_record(trade, hub=True, commissions=shape.hub_commissions)
            case PositionEvent(position):
                return wire.position_record(position, hub=True, display_name=shape.display_name)

    def _deliver_market(self, event: MarketEvent) -> None:
        target = _TARGETS[type(event)]
        seen = self.seen_quote(event) if isinstance(event, QuoteEvent) else event
        subscribers = self._market.wanted(Subscription(target, event.contract_id))
        if not subscribers or seen is None:
            return
        record = signalr.event(target, event.contract_id, self._market_data(seen))
        for connection in tuple(subscribers):
            connection.send(record)

    def _market_data(self, event: MarketEvent) -> object:
        symbol_id = self._api.exchange.books.contract(event.contract_id).product.symbol_id
        match event:
            case QuoteEvent():
                return wire.quote_record(event, symbol_id)
            case PrintEvent():
                return [wire.print_record(event, symbol_id)]
            case DepthEvent():
                return [wire.depth_record(event)]


_TARGETS: dict[type[Event], str] = {
    AccountEvent: "GatewayUserAccount",
    OrderEvent: "GatewayUserOrder",
    TradeEvent: "GatewayUserTrade",
    PositionEvent: "GatewayUserPosition",
    QuoteEvent: "GatewayQuote",
    PrintEvent: "GatewayTrade",
    DepthEvent: "GatewayDepth",
}

"""The exchange under virtual time: whoever asks it for something, the network and the judge hear what came of it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import takewhile

import msgspec

from riskd.simulator.exchange import corrections
from riskd.simulator.exchange.admission import ModifyOrder, PlaceOrder
from riskd.simulator.exchange.books import CloseTerms
from riskd.simulator.exchange.events import Event, OrderEvent
from riskd.simulator.exchange.exchange import Exchange, Reply
from riskd.simulator.exchange.model import Order, Phase, PriceUpdate, Trade
from tests.simulation.schedule import Schedule

Hear = Callable[[Iterable[Event]], None]


class Venue:
    """The exchange, as traders, the market and riskd's requests reach it now."""

    def __init__(self, schedule: Schedule, exchange: Exchange, hear: Hear) -> None:
        self.exchange = exchange
        self._schedule = schedule
        self._hear = hear
        self._ticks: set[datetime] = set()
        self._live: dict[int, dict[int, None]] = {}
        self._arrange_tick()

    @property
    def now(self) -> datetime:
        """Return the time."""
        return self._schedule.now

    def place(self, asked: PlaceOrder) -> Reply:
        """Place an order."""
        return self._told(self.exchange.place(asked, self.now))

    def modify(self, asked: ModifyOrder) -> Reply:
        """Change an order."""
        return self._told(self.exchange.modify(asked, self.now))

    def cancel(self, account: int, order: int) -> Reply:
        """Cancel an order."""
        return self._told(self.exchange.cancel(account, order, self.now))

    def close(self, account: int, contract: str, size: int | None, terms: CloseTerms | None) -> Reply:
        """Close a position or a part of it, on these terms."""
        self.exchange.close_terms = terms
        if size is None:
            reply = self.exchange.close(account, contract, self.now)
        else:
            reply = self.exchange.partial_close(account, contract, size=size, at=self.now)
        self.exchange.close_terms = None
        return self._told(reply)

    def price(self, change: PriceUpdate) -> None:
        """Let the market move."""
        self._tell(self.exchange.on_price(change, self.now))

    def void(self, trade: int) -> None:
        """Take a trade back."""
        self._tell(corrections.void(self.exchange.books, trade, self.now))

    def lag_positions(self, lag_ms: int) -> None:
        """Let positions trail trades by so much."""
        options = msgspec.structs.replace(self.exchange.books.options, positions_lag_ms=lag_ms)
        self._tell(self.exchange.set_options(options, self.now))

    def halt(self, phase: Phase | None) -> None:
        """Halt every market, or let them go by the timetable again."""
        self.exchange.set_phase(None, phase)

    def trades(self, contract: str) -> bool:
        """Tell whether a contract's market is open."""
        market = self.exchange.books.market
        return market.phase(self.exchange.books.contract(contract), self.now) is Phase.OPEN

    def live_orders(self, account: int) -> list[Order]:
        """Return an account's orders that may still fill, suspended ones too, oldest first."""
        orders = self.exchange.books.orders
        return [orders[number] for number in self._live.get(account, ())]

    def trades_since(self, account: int, since: datetime) -> list[Trade]:
        """Return an account's half-turns from a time on, newest first."""
        books = self.exchange.books
        latest = (books.trades[number] for number in reversed(books.trades_of.get(account, [])))
        return list(takewhile(lambda trade: trade.created_at >= since, latest))

    def _told(self, reply: Reply) -> Reply:
        self._tell(reply.events)
        return reply

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, OrderEvent):
                self._index(event.order)
        self._hear(events)
        self._arrange_tick()

    def _index(self, order: Order) -> None:
        live = self._live.setdefault(order.account_id, {})
        if self.exchange.books.orders[order.id].final:
            live.pop(order.id, None)
        else:
            live[order.id] = None

    def _arrange_tick(self) -> None:
        due = self.exchange.next_deadline(self.now)
        if due not in self._ticks:
            self._ticks.add(due)
            self._schedule.at(due, self._tick)

    def _tick(self) -> None:
        self._ticks.discard(self.now)
        self._tell(self.exchange.tick(self.now))

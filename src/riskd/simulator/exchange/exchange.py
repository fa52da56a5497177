"""The simulated exchange: a sans-I/O state machine with an injected clock.

Every call takes the moment it happens (`at`, aware UTC, never before an earlier one) and returns
what the broker answers and emits, in order. There are no sockets, no tasks and no clock here, and
no randomness but the seeded one passed in: the same calls give the same events.
"""

from datetime import datetime
from decimal import Decimal
from random import Random

import msgspec

from riskd.simulator.exchange import admission, brackets, closing, deadlines, execution
from riskd.simulator.exchange.admission import ModifyOrder, PlaceOrder, Refusal
from riskd.simulator.exchange.booking import Fill
from riskd.simulator.exchange.books import Books, CloseTerms, ExchangeOptions
from riskd.simulator.exchange.contracts import ContractBook
from riskd.simulator.exchange.depth import level_size
from riskd.simulator.exchange.events import (
    AccountEvent,
    DayFigures,
    DepthEvent,
    Event,
    OrderEvent,
    PrintEvent,
    QuoteEvent,
)
from riskd.simulator.exchange.model import (
    Account,
    Order,
    OrderStatus,
    OrderType,
    Phase,
    PriceUpdate,
    Quote,
    Side,
)
from riskd.simulator.exchange.queries import Queries

_REJECTED_AFTER_MS = 4


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's answer: code 0 is success, other codes as the endpoint numbers them."""

    code: int = 0
    message: str | None = None
    order_id: int | None = None
    events: tuple[Event, ...] = ()

    @property
    def success(self) -> bool:
        """Return whether the call was accepted."""
        return self.code == 0


class Exchange:
    """Accounts that trade the contract table against the prices they are given."""

    def __init__(
        self,
        *,
        rng: Random,
        options: ExchangeOptions | None = None,
        contracts: ContractBook | None = None,
    ) -> None:
        """Open an exchange without accounts or prices."""
        self.books = Books(contracts or ContractBook(), options or ExchangeOptions(), rng)
        self.read = Queries(self.books)
        self.close_terms: CloseTerms | None = None
        self._day_boundary: datetime | None = None

    # ------------------------------------------------------------------ what clients ask for

    def place(self, asked: PlaceOrder, at: datetime) -> Reply:
        """Accept or reject an order; a rejected one is written too and has an id."""
        refusal = admission.refuse_place(self.books, asked, at)
        if refusal is not None and not refusal.recorded:
            return Reply(code=refusal.code, message=refusal.message)
        order = self._new_order(asked, at)
        if refusal is not None:
            return self._reject(order, refusal, at)
        events = brackets.suspend_children(self.books, order)
        events.append(OrderEvent(order))
        return Reply(order_id=order.id, events=(*events, *self._work(order, at)))

    def modify(self, asked: ModifyOrder, at: datetime) -> Reply:
        """Change a working order's size or prices."""
        refusal = admission.refuse_modify(self.books, asked)
        if refusal is not None:
            return Reply(code=refusal.code, message=refusal.message)
        order = self.books.write_order(self._changed(asked, at))
        events: list[Event] = [OrderEvent(order)]
        if order.working and self._matches(order, at):
            events += execution.fill_if_marketable(self.books, order, at)
        return Reply(order_id=order.id, events=tuple(events))

    def cancel(self, account_id: int, order_id: int, at: datetime) -> Reply:
        """Cancel a working or suspended order."""
        refusal = admission.refuse_cancel(self.books, account_id, order_id)
        if refusal is not None:
            return Reply(code=refusal.code, message=refusal.message)
        return Reply(order_id=order_id, events=tuple(self.end_order(order_id, at)))

    def close(self, account_id: int, contract_id: str, at: datetime) -> Reply:
        """Close a whole position by a market order of the broker's own."""
        refusal = admission.refuse_close(self.books, account_id, contract_id, at)
        held = self.books.held(account_id, contract_id)
        return self._close(account_id, contract_id, size=abs(held), refusal=refusal, at=at)

    def partial_close(self, account_id: int, contract_id: str, *, size: int, at: datetime) -> Reply:
        """Close part of a position by a market order of the broker's own."""
        refusal = admission.refuse_partial_close(self.books, account_id, contract_id, size=size, at=at)
        return self._close(account_id, contract_id, size=size, refusal=refusal, at=at)

    # ------------------------------------------------------------------ what the market does

    def on_price(self, change: PriceUpdate, at: datetime) -> list[Event]:
        """Take a price and return the market's events and those of the orders it filled."""
        quote = self.books.market.update(change)
        events = _market_events(change, quote, at)
        if self.books.options.matching and self._trades(change.contract_id, at):
            events += execution.match(self.books, change, at)
        return events

    def as_seen(self, change: PriceUpdate, at: datetime) -> PriceUpdate | None:
        """Return what a market by itself shows: nothing while closed, no prints before the open."""
        contract = self.books.contract(change.contract_id)
        match self.books.market.phase(contract, at):
            case Phase.OPEN:
                return change
            case Phase.PRE_OPEN if change.bid is not None or change.ask is not None:
                return msgspec.structs.replace(change, last=None, size=0)
            case _:
                return None

    def set_phase(self, contract_id: str | None, phase: Phase | None) -> None:
        """Open, close or halt one contract or all (None); phase None: back to the timetable."""
        self.books.market.set_phase(contract_id, phase)

    def set_options(self, options: ExchangeOptions, at: datetime) -> list[Event]:
        """Behave otherwise from now on; switching matching on fills what the market reaches."""
        was, self.books.options = self.books.options, options
        self.books.market.exchange_hours = options.exchange_hours
        if options.positions_lag_ms and not was.positions_lag_ms:
            self.books.remember_all_positions()
        if not options.matching or was.matching:
            return []
        return [event for order in self._all_working() for event in self._rematch(order, at)]

    def tick(self, at: datetime) -> list[Event]:
        """Do what time alone does: late closes fill, orders expire, a trading day begins."""
        return closing.due_closes(self.books, at) + deadlines.due(self.books, at)

    def next_deadline(self, at: datetime) -> datetime:
        """Return the next moment after `at` at which `tick` may have something to do."""
        if self._day_boundary is None or self._day_boundary <= at:
            self._day_boundary = deadlines.following(at)
        following = self._day_boundary
        waiting = self.books.deferred
        return min(following, max(waiting[0][0], at)) if waiting else following

    # ------------------------------------------------------------------ the hand of a test

    def add_account(self, account: Account) -> list[Event]:
        """Open an account, or replace one of the same id."""
        self.books.accounts[account.id] = account
        return [AccountEvent(account)]

    def inject_fill(
        self,
        where: tuple[int, str],
        side: Side,
        fill: Fill,
        at: datetime,
        *,
        order_id: int | None = None,
    ) -> Reply:
        """Fill at a given price whatever the market; `where` is (account, contract).

        What fills is the order with that id, else a close that waits, else a new market order.
        """
        events: list[Event] = []
        order = self._order_to_fill(where, side, order_id)
        if order is None:
            order = execution.new_market_order(self.books, where, side, fill.size, at)
            events.append(OrderEvent(order))
        events += execution.execute(self.books, order, fill, at)
        return Reply(order_id=order.id, events=tuple(events))

    def inject_working(
        self,
        asked: PlaceOrder,
        at: datetime,
        *,
        parent_id: int | None = None,
        oco_id: int | None = None,
    ) -> Reply:
        """Write a working order past every check, as another program may have placed it."""
        order = self.books.write_order(
            msgspec.structs.replace(
                self._new_order(asked, at),
                status=OrderStatus.OPEN,
                parent_id=parent_id,
                linked_id=oco_id,
                oco_id=oco_id,
            )
        )
        sibling = self.books.orders.get(oco_id) if oco_id is not None else None
        if sibling is not None:
            self.books.write_order(msgspec.structs.replace(sibling, oco_id=order.id))
        return Reply(order_id=order.id, events=(OrderEvent(order),))

    def end_order(self, order_id: int, at: datetime, status: OrderStatus = OrderStatus.CANCELLED) -> list[Event]:
        """Cancel, expire or reject an order, with the legs that wait for it."""
        order = msgspec.structs.replace(self.books.orders[order_id], status=status, updated_at=at)
        self.books.write_order(order)
        return [OrderEvent(order), *brackets.cancel_children(self.books, order, at)]

    # ------------------------------------------------------------------ inside

    def _new_order(self, asked: PlaceOrder, at: datetime) -> Order:
        limit, stop, distance = self._levels(asked)
        return self.books.write_order(
            Order(
                id=self.books.next_order_id(),
                account_id=asked.account_id,
                contract_id=asked.contract_id,
                created_at=at,
                updated_at=at,
                status=OrderStatus.PENDING,
                type=OrderType(asked.type),
                side=Side(asked.side),
                size=asked.size,
                limit_price=limit,
                stop_price=stop,
                trail_distance=distance,
                custom_tag=asked.custom_tag,
                stop_loss=asked.stop_loss,
                take_profit=asked.take_profit,
            )
        )

    def _levels(  # noqa: PLR0911 - one return per order type
        self, asked: PlaceOrder
    ) -> tuple[Decimal | None, Decimal | None, int | None]:
        """Return limit price, stop price and trailing distance as the order's type wants them."""
        quote = self.books.market.quote(asked.contract_id)
        match asked.type:
            case OrderType.LIMIT:
                return asked.limit_price, None, None
            case OrderType.STOP:
                return None, asked.stop_price, None
            case OrderType.STOP_LIMIT:
                return asked.limit_price, asked.stop_price, None
            case OrderType.JOIN_BID:
                return quote.bid, None, None
            case OrderType.JOIN_ASK:
                return quote.ask, None, None
            case OrderType.TRAILING_STOP:
                last = self.books.market.last(asked.contract_id)
                return self._trailing(asked.contract_id, Side(asked.side), asked.trail_price, last)
            case _:
                return None, None, None

    def _trailing(
        self, contract_id: str, side: Side, level: Decimal | None, last: Decimal | None
    ) -> tuple[None, Decimal | None, int | None]:
        if level is None or last is None:
            return None, level, None
        contract = self.books.contract(contract_id)
        ticks = admission.trail_ticks(contract, last=last, trail_price=level)
        return None, last + ticks * contract.tick_size * side.sign, ticks

    def _reject(self, order: Order, refusal: Refusal, at: datetime) -> Reply:
        rejected = msgspec.structs.replace(order, status=OrderStatus.REJECTED, updated_at=at)
        self.books.write_order(rejected)
        return Reply(
            code=refusal.code,
            message=refusal.message,
            order_id=order.id,
            events=(OrderEvent(order), OrderEvent(rejected, after_ms=_REJECTED_AFTER_MS)),
        )

    def _work(self, order: Order, at: datetime) -> list[Event]:
        """Fill a pending order at once, or let it rest."""
        if self._matches(order, at):
            events = execution.fill_if_marketable(self.books, order, at)
            if events:
                return events
        opened = msgspec.structs.replace(order, status=OrderStatus.OPEN)
        return [OrderEvent(self.books.write_order(opened))]

    def _close(self, account_id: int, contract_id: str, *, size: int, refusal: Refusal | None, at: datetime) -> Reply:
        if refusal is not None and not refusal.recorded:
            return Reply(code=refusal.code, message=refusal.message)
        side = Side.SELL if self.books.held(account_id, contract_id) > 0 else Side.BUY
        order = execution.new_market_order(self.books, (account_id, contract_id), side, size, at)
        if refusal is not None:
            return self._reject(order, refusal, at)
        order = self.books.write_order(msgspec.structs.replace(order, closing=True))
        return Reply(order_id=order.id, events=(OrderEvent(order), *self._work_close(order, at)))

    def _work_close(self, order: Order, at: datetime) -> list[Event]:
        terms, self.close_terms = self.close_terms or CloseTerms(), None
        return closing.work_close(self.books, order, terms, at)

    def _changed(self, asked: ModifyOrder, at: datetime) -> Order:
        order = self.books.orders[asked.order_id]
        stop, distance = asked.stop_price, order.trail_distance
        if asked.trail_price is not None:
            last = self.books.market.last(order.contract_id)
            _, stop, distance = self._trailing(order.contract_id, order.side, asked.trail_price, last)
        return msgspec.structs.replace(
            order,
            updated_at=at,
            size=order.size if asked.size is None else asked.size,
            limit_price=order.limit_price if asked.limit_price is None else asked.limit_price,
            stop_price=order.stop_price if stop is None else stop,
            trail_distance=distance,
        )

    def _order_to_fill(self, where: tuple[int, str], side: Side, order_id: int | None) -> Order | None:
        if order_id is not None:
            return self.books.orders[order_id]
        for order in self.books.resting(where[1]):
            if order.closing and order.account_id == where[0] and order.side is side:
                return order
        return None

    def _matches(self, order: Order, at: datetime) -> bool:
        return self.books.options.matching and self._trades(order.contract_id, at)

    def _trades(self, contract_id: str, at: datetime) -> bool:
        contract = self.books.contracts.find(contract_id)
        return contract is not None and self.books.market.phase(contract, at) is Phase.OPEN

    def _all_working(self) -> list[Order]:
        contracts = tuple(self.books.working)
        return [order for contract in contracts for order in self.books.resting(contract)]

    def _rematch(self, order: Order, at: datetime) -> list[Event]:
        quote = self.books.market.quote(order.contract_id)
        change = PriceUpdate(contract_id=order.contract_id, last=quote.last, bid=quote.bid, ask=quote.ask)
        return execution.match(self.books, change, at)


def _market_events(change: PriceUpdate, quote: Quote, at: datetime) -> list[Event]:
    """Return the quote, the print and the depth changes that a price update is seen as."""
    contract_id = change.contract_id
    figures = None if change.last is None else _day_figures(quote, change.last)
    events: list[Event] = [QuoteEvent(contract_id, at, change.last, change.bid, change.ask, figures)]
    if change.last is not None and change.size:
        side = change.side if change.side is not None else Side.BUY
        events.append(PrintEvent(contract_id, at, change.last, change.size, side))
    return events + _depth_events(change, at)


def _day_figures(quote: Quote, last: Decimal) -> DayFigures:
    return DayFigures(
        open=last if quote.open is None else quote.open,
        high=last if quote.high is None else quote.high,
        low=last if quote.low is None else quote.low,
        volume=quote.volume,
    )


def _depth_events(change: PriceUpdate, at: datetime) -> list[Event]:
    """Return the best levels that changed: both sides after a print, else the bid's if given."""
    sides = [(Side.BUY, change.bid), (Side.SELL, change.ask)]
    given = [(side, price) for side, price in sides if price is not None]
    return [
        DepthEvent(change.contract_id, at, price, level_size(price), side)
        for side, price in (given if change.size else given[:1])
    ]

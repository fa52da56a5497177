"""What follows from a fill: the books, the brackets, the accounts that copy it."""

from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.simulator.exchange import brackets
from riskd.simulator.exchange.booking import Fill, book_fill
from riskd.simulator.exchange.books import Books
from riskd.simulator.exchange.events import Event, OrderEvent
from riskd.simulator.exchange.matching import judge, marketable_at
from riskd.simulator.exchange.model import Order, OrderStatus, OrderType, PriceUpdate, Side


def execute(books: Books, order: Order, fill: Fill, at: datetime) -> list[Event]:
    """Fill an order, in part or whole, and return all that the broker tells about it."""
    events = book_fill(books, order, fill, at)
    filled = books.orders[order.id]
    if books.options.matching:
        events += brackets.after_fill(books, filled, at)
    return events + _copy(books, filled, fill, at)


def fill_at_touch(books: Books, order: Order, at: datetime) -> list[Event]:
    """Fill as much of a market order as the market gives at once."""
    touch = books.market.touch(order.contract_id, order.side)
    if touch is None:
        return []
    slip = books.options.slippage_ticks * books.contract(order.contract_id).tick_size
    return execute(books, order, _chunk(books, order, touch + slip * order.side.sign), at)


def fill_if_marketable(books: Books, order: Order, at: datetime) -> list[Event]:
    """Fill a new order that the market reaches already."""
    if order.type is OrderType.MARKET:
        return fill_at_touch(books, order, at)
    price = marketable_at(order, books.market)
    return [] if price is None else execute(books, order, _chunk(books, order, price), at)


def match(books: Books, change: PriceUpdate, at: datetime) -> list[Event]:
    """Return what a price change does to the resting orders of its contract, oldest first."""
    resting = books.working.get(change.contract_id)
    if not resting:
        return []
    events: list[Event] = []
    contract = books.contract(change.contract_id)
    for order_id in tuple(resting):
        order = books.orders[order_id]
        if order.working and order.fills_at is None:
            verdict = judge(order, change, books.market, contract)
            if verdict.order is not order:
                order = msgspec.structs.replace(verdict.order, updated_at=at)
                events.append(OrderEvent(books.write_order(order)))
            if verdict.price is not None:
                events += execute(books, order, _chunk(books, order, verdict.price), at)
    return events


def _chunk(books: Books, order: Order, price: Decimal) -> Fill:
    limit = books.options.fill_chunk or order.left
    return Fill(price=price, size=min(order.left, limit))


def _copy(books: Books, order: Order, fill: Fill, at: datetime) -> list[Event]:
    """Repeat a leader's fill on the accounts that follow it."""
    events: list[Event] = []
    for follower in tuple(books.accounts.values()):
        if follower.leader_id == order.account_id:
            copied = new_market_order(
                books, (follower.id, order.contract_id), order.side, fill.size * follower.copy_ratio, at
            )
            events.append(OrderEvent(copied))
            events += execute(books, copied, Fill(price=fill.price, size=copied.size), at)
    return events


def new_market_order(books: Books, where: tuple[int, str], side: Side, size: int, at: datetime) -> Order:
    """Write a pending market order that no client placed, for (account, contract)."""
    account_id, contract_id = where
    return books.write_order(
        Order(
            id=books.next_order_id(),
            account_id=account_id,
            contract_id=contract_id,
            created_at=at,
            updated_at=at,
            status=OrderStatus.PENDING,
            type=OrderType.MARKET,
            side=side,
            size=size,
        )
    )

"""How the broker's own closing orders fill: at once, later, or only in part."""

import heapq
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from riskd.simulator.exchange.booking import Fill
from riskd.simulator.exchange.books import Books, CloseTerms
from riskd.simulator.exchange.events import Event, OrderEvent
from riskd.simulator.exchange.execution import execute
from riskd.simulator.exchange.model import Order, OrderStatus, Phase


def work_close(books: Books, order: Order, terms: CloseTerms, at: datetime) -> list[Event]:
    """Fill a pending closing order by its terms, or let it wait for its time or its price."""
    if not terms.delay_ms:
        events = _fill(books, order, terms.part, at)
        return events or _open(books, order)
    fills_at = at + timedelta(milliseconds=terms.delay_ms)
    heapq.heappush(books.deferred, (fills_at, order.id, terms.part))
    return _open(books, msgspec.structs.replace(order, fills_at=fills_at))


def due_closes(books: Books, at: datetime) -> list[Event]:
    """Fill the closing orders whose delay is over."""
    events: list[Event] = []
    while books.deferred and books.deferred[0][0] <= at:
        _, order_id, part = heapq.heappop(books.deferred)
        order = books.orders[order_id]
        if order.working:
            order = books.write_order(msgspec.structs.replace(order, fills_at=None))
            events += _fill(books, order, part, at)
    return events


def _fill(books: Books, order: Order, part: int | None, at: datetime) -> list[Event]:
    price = _price(books, order, at)
    if price is None:
        return []
    limits = [order.left, part or order.left]
    if books.options.matching and books.options.fill_chunk:
        limits.append(books.options.fill_chunk)
    events = execute(books, order, Fill(price=price, size=min(limits)), at)
    rest = books.orders[order.id]
    if part is None or rest.final:
        return events
    cancelled = msgspec.structs.replace(rest, status=OrderStatus.CANCELLED, updated_at=at)
    return [*events, OrderEvent(books.write_order(cancelled))]


def _price(books: Books, order: Order, at: datetime) -> Decimal | None:
    """Return what a closing order gets now: the touch, or the last price without matching."""
    if not books.options.matching:
        return books.market.last(order.contract_id) if books.options.closes_fill else None
    contract = books.contract(order.contract_id)
    touch = books.market.touch(order.contract_id, order.side)
    if touch is None or books.market.phase(contract, at) is not Phase.OPEN:
        return None
    return touch + books.options.slippage_ticks * contract.tick_size * order.side.sign


def _open(books: Books, order: Order) -> list[Event]:
    opened = msgspec.structs.replace(order, status=OrderStatus.OPEN)
    return [OrderEvent(books.write_order(opened))]

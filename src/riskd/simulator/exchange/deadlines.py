"""What time alone does at the exchange: expiries and the change of the trading day."""

from datetime import datetime, time, timedelta

import msgspec

from riskd.simulator.exchange import brackets
from riskd.simulator.exchange.books import Books
from riskd.simulator.exchange.events import Event, OrderEvent
from riskd.simulator.exchange.hours import CHICAGO
from riskd.simulator.exchange.model import Order, OrderStatus

_DAY_ENDS = time(16)
_DAY_BEGINS = time(17)


def following(at: datetime) -> datetime:
    """Return the next 16:00 or 17:00 in Chicago after a moment."""
    local = at.astimezone(CHICAGO)
    for days in (0, 1):
        for clock in (_DAY_ENDS, _DAY_BEGINS):
            moment = datetime.combine(local.date() + timedelta(days=days), clock, CHICAGO)
            if moment > local:
                return moment.astimezone(at.tzinfo)
    raise AssertionError("a day always has a following 16:00")


def due(books: Books, at: datetime) -> list[Event]:
    """Return what ends or begins at a deadline."""
    local = at.astimezone(CHICAGO).time()
    if local == _DAY_BEGINS:
        books.market.start_day()
    ends_today = books.options.orders_expire_daily and local == _DAY_ENDS
    events: list[Event] = []
    for contract_id in tuple(books.working):
        contract = books.contract(contract_id)
        if ends_today or not books.contracts.is_active(contract, at):
            for order in books.resting(contract_id):
                events += _expire(books, order, at)
    return events


def _expire(books: Books, order: Order, at: datetime) -> list[Event]:
    expired = msgspec.structs.replace(order, status=OrderStatus.EXPIRED, updated_at=at)
    return [
        OrderEvent(books.write_order(expired)),
        *brackets.cancel_children(books, expired, at),
    ]

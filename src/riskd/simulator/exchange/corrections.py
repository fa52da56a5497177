"""Trades told again or taken back, and positions that were held before the day began."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from riskd.simulator.exchange.booking import account_events, enlarged, position_event
from riskd.simulator.exchange.books import Books
from riskd.simulator.exchange.events import Event, TradeEvent
from riskd.simulator.exchange.ledger import Holding, close_lots, split
from riskd.simulator.exchange.model import Position, Side, Trade

_CARRIED_FOR = timedelta(days=1)


def resend(books: Books, trade_id: int) -> list[Event]:
    """Return a booked trade's event once more."""
    return [TradeEvent(books.trades[trade_id], resent=True)]


def new_trade_ids(events: Iterable[Event]) -> Iterator[int]:
    """Yield the ids of the trades that events report for the first time."""
    for event in events:
        if isinstance(event, TradeEvent) and not event.resent:
            yield event.trade.id


def void(books: Books, trade_id: int, at: datetime) -> list[Event]:
    """Bust a trade: give its money back and fold the position anew from the trades left."""
    trade = books.trades[trade_id]
    if trade.voided:
        return []
    voided = books.write_trade(msgspec.structs.replace(trade, voided=True))
    books.pay(trade.account_id, -trade.cash)
    key = (trade.account_id, trade.contract_id)
    before = books.holdings.get(key)
    after = _folded(books, key)
    position = _position_after(before, after)
    if after is not None:
        books.write_holding(Holding(position, after.lots), at)
    elif before is not None:
        books.write_holding(Holding(position, ()), at)
    events: list[Event] = [TradeEvent(voided), position_event(books, position)]
    return events + account_events(books, trade.account_id)


def carry_in(books: Books, where: tuple[int, str], size: int, price: Decimal, at: datetime) -> list[Event]:
    """Write a position that was opened a day ago, by a trade without fees."""
    trade = Trade(
        id=books.next_trade_id(),
        account_id=where[0],
        contract_id=where[1],
        created_at=at - _CARRIED_FOR,
        price=price,
        side=Side.BUY if size > 0 else Side.SELL,
        size=abs(size),
        order_id=books.next_order_id(),
        fees=Decimal(0),
        commissions=Decimal(0),
    )
    books.write_trade(trade)
    holding = enlarged(books, books.holdings.get(where), trade)
    books.write_holding(holding, at)
    books.market.mark_by_fill(where[1], price)
    return [position_event(books, holding.position)]


def _folded(books: Books, key: tuple[int, str]) -> Holding | None:
    """Return what the trades that still count add up to."""
    holding: Holding | None = None
    for trade_id in books.trades_of.get(key[0], []):
        trade = books.trades[trade_id]
        if trade.contract_id == key[1] and not trade.voided:
            holding = _with(books, holding, trade)
    return holding


def _with(books: Books, holding: Holding | None, trade: Trade) -> Holding | None:
    held = 0 if holding is None else holding.size
    closing, opening = split(held, trade.side, trade.size)
    if closing and holding is not None:
        contract = books.contract(trade.contract_id)
        left = close_lots(holding, contract, size=closing, price=trade.price).lots
        size = held + trade.side.sign * closing
        position = msgspec.structs.replace(holding.position, size=size)
        holding = Holding(position, left) if size else None
    if opening:
        holding = enlarged(books, holding, msgspec.structs.replace(trade, size=opening))
    return holding


def _position_after(before: Holding | None, after: Holding | None) -> Position:
    """Return the position's row after a bust, under the id it had if there was one."""
    if after is None:
        if before is None:
            raise AssertionError("a bust changes what is held")
        return msgspec.structs.replace(before.position, size=0)
    if before is None:
        return after.position
    return msgspec.structs.replace(after.position, id=before.position.id)

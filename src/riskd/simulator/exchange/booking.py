"""Booking a fill: trades, balance, position and order, and the events in the broker's order.

Entry: trade, order filled, position, account. Close: order filled, closing trade, the opening
trades again, position, account. After either, the account comes again one to three times.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.simulator.exchange.books import Books
from riskd.simulator.exchange.events import AccountEvent, Event, OrderEvent, PositionEvent, TradeEvent
from riskd.simulator.exchange.ledger import Holding, Lot, close_lots, mean_price, plain, split
from riskd.simulator.exchange.model import Order, OrderStatus, Position, Side, Trade

_REPEAT_AFTER_MS = (50, 2000)


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution; what is None the exchange works out. Money given is for the whole fill."""

    price: Decimal
    size: int
    trade_id: int | None = None
    profit_and_loss: Decimal | None = None
    fees: Decimal | None = None
    commissions: Decimal | None = None


def book_fill(books: Books, order: Order, fill: Fill, at: datetime) -> list[Event]:
    """Write a fill into the books and return what the broker tells about it."""
    held = books.held(order.account_id, order.contract_id)
    closing, opening = split(held, order.side, fill.size)
    filled = books.write_order(_filled(order, fill, at))
    books.market.mark_by_fill(order.contract_id, fill.price)
    events: list[Event] = []
    if closing:
        events.append(OrderEvent(filled))
        events += _close(books, order, _share(fill, closing), at)
    if opening:
        events += _open(books, order, _rest(fill, opening, closing), at)
        if not closing:
            events.insert(1, OrderEvent(filled))
    return events + account_events(books, order.account_id)


def account_events(books: Books, account_id: int) -> list[Event]:
    """Return the account as it is now, with the repeats that follow a fill."""
    account = books.accounts[account_id]
    repeats = books.rng.randint(*books.options.repeat_accounts)
    delays = sorted(books.rng.randint(*_REPEAT_AFTER_MS) for _ in range(repeats))
    return [AccountEvent(account), *(AccountEvent(account, delay, repeat=True) for delay in delays)]


def position_event(books: Books, position: Position) -> PositionEvent:
    """Return a position's event, as late as positions are just now."""
    return PositionEvent(position, after_ms=books.options.positions_lag_ms)


def _filled(order: Order, fill: Fill, at: datetime) -> Order:
    before = (order.filled_price or Decimal(0)) * order.filled
    volume = order.filled + fill.size
    size = max(order.size, volume)
    return msgspec.structs.replace(
        order,
        size=size,
        filled=volume,
        filled_price=plain((before + fill.price * fill.size) / volume),
        status=OrderStatus.FILLED if volume == size else OrderStatus.OPEN,
        updated_at=at,
    )


def _close(books: Books, order: Order, fill: Fill, at: datetime) -> list[Event]:
    contract = books.contract(order.contract_id)
    holding = books.holdings[order.account_id, order.contract_id]
    closed = close_lots(holding, contract, size=fill.size, price=fill.price)
    earned = fill.profit_and_loss if fill.profit_and_loss is not None else closed.profit_and_loss
    trade = _trade(books, order, fill, at, earned)
    size = holding.size + order.side.sign * fill.size
    position = msgspec.structs.replace(holding.position, size=size)
    books.write_holding(Holding(position, closed.lots), at)
    events: list[Event] = [TradeEvent(trade)]
    if books.options.resend_opening_trade:
        events += [TradeEvent(opening, resent=True) for opening in closed.opened_by]
    return [*events, position_event(books, position)]


def _open(books: Books, order: Order, fill: Fill, at: datetime) -> list[Event]:
    trade = _trade(books, order, fill, at, None)
    held = books.holdings.get((order.account_id, order.contract_id))
    holding = enlarged(books, held, trade)
    books.write_holding(holding, at)
    return [TradeEvent(trade), position_event(books, holding.position)]


def enlarged(books: Books, held: Holding | None, trade: Trade) -> Holding:
    """Return a holding with one more opening trade in it."""
    average = mean_price(held, size=trade.size, price=trade.price)
    lot = Lot(trade, trade.size)
    signed = trade.side.sign * trade.size
    if held is None:
        return Holding(_new_position(books, trade, signed, average), (lot,))
    position = msgspec.structs.replace(held.position, size=held.size + signed, average_price=average)
    return Holding(position, (*held.lots, lot))


def _new_position(books: Books, trade: Trade, size: int, average: Decimal) -> Position:
    contract = books.contract(trade.contract_id)
    return Position(
        id=books.next_position_id(),
        account_id=trade.account_id,
        contract_id=trade.contract_id,
        display_name=contract.display_name,
        created_at=trade.created_at,
        size=size,
        average_price=average,
    )


def _trade(books: Books, order: Order, fill: Fill, at: datetime, earned: Decimal | None) -> Trade:
    product = books.contract(order.contract_id).product
    fees = fill.fees if fill.fees is not None else product.fee * fill.size
    paid = fill.commissions if fill.commissions is not None else product.commission * fill.size
    trade = Trade(
        id=fill.trade_id if fill.trade_id is not None else books.next_trade_id(),
        account_id=order.account_id,
        contract_id=order.contract_id,
        created_at=at,
        price=fill.price,
        side=Side(order.side),
        size=fill.size,
        order_id=order.id,
        fees=fees,
        commissions=paid,
        profit_and_loss=earned,
    )
    books.pay(order.account_id, trade.cash)
    return books.write_trade(trade)


def _share(fill: Fill, size: int) -> Fill:
    """Return the part of a fill that closes: its share of the money, all of the P&L."""
    return msgspec.structs.replace(
        fill,
        size=size,
        fees=_part(fill.fees, size, fill.size),
        commissions=_part(fill.commissions, size, fill.size),
    )


def _rest(fill: Fill, size: int, closed: int) -> Fill:
    """Return the part of a fill that opens, under an id of its own if another part closed."""
    return msgspec.structs.replace(
        fill,
        size=size,
        trade_id=None if closed else fill.trade_id,
        profit_and_loss=None,
        fees=_part(fill.fees, size, fill.size),
        commissions=_part(fill.commissions, size, fill.size),
    )


def _part(money: Decimal | None, size: int, whole: int) -> Decimal | None:
    return None if money is None else plain(money * size / whole)

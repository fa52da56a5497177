"""Which requests the broker refuses, with the numbers and words it uses.

Where the real words are not known the reason is still given: a null message is what the real
server sends most of the time and what nobody can act on.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.simulator.exchange.books import Books
from riskd.simulator.exchange.codes import CancelCode, CloseCode, ModifyCode, PartialCloseCode, PlaceCode
from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.model import (
    Account,
    AccountKind,
    Bracket,
    BracketMode,
    Order,
    OrderType,
    Phase,
    Side,
)

MAX_TRAIL_TICKS = 1000
_BRACKETS_REFUSED = "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
_OFF_GRID = "Invalid price. Price is not aligned to tick size."
_STOP_LEG = frozenset({OrderType.STOP, OrderType.TRAILING_STOP})
_TAG_LIMIT = 255


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A request for an order, as it came: `type` and `side` may be any number."""

    account_id: int
    contract_id: str
    type: int
    side: int
    size: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    custom_tag: str | None = None
    stop_loss: Bracket | None = None
    take_profit: Bracket | None = None


class ModifyOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A request to change an order; None leaves a value as it is."""

    account_id: int
    order_id: int
    size: int | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is refused; `recorded` when a rejected order is written all the same."""

    code: int
    message: str | None = None
    recorded: bool = True


def refuse_place(books: Books, asked: PlaceOrder, at: datetime) -> Refusal | None:
    """Return why an order is refused, or None."""
    account = books.accounts.get(asked.account_id)
    if account is None:
        return Refusal(PlaceCode.ACCOUNT_NOT_FOUND, recorded=False)
    contract = books.contracts.find(asked.contract_id)
    if contract is None:
        return Refusal(PlaceCode.CONTRACT_NOT_FOUND, recorded=False)
    return (
        _malformed(asked)
        or _barred(books, account, asked)
        or _not_tradable(books, contract, asked, at)
        or _wrong_prices(books, contract, asked)
        or _wrong_brackets(account, asked)
    )


def refuse_cancel(books: Books, account_id: int, order_id: int) -> Refusal | None:
    """Return why a cancel is refused, or None."""
    account = books.accounts.get(account_id)
    if account is None:
        return Refusal(CancelCode.ACCOUNT_NOT_FOUND)
    if account.kind is AccountKind.FOLLOWER:
        return Refusal(CancelCode.ACCOUNT_REJECTED, "Follower accounts cannot cancel orders")
    if account.kind is AccountKind.LIVE:
        return Refusal(CancelCode.ACCOUNT_REJECTED, "Live accounts not supported")
    order = books.orders.get(order_id)
    if order is None or order.account_id != account_id:
        return Refusal(CancelCode.ORDER_NOT_FOUND)
    return Refusal(CancelCode.REJECTED) if order.final else None


def refuse_modify(books: Books, asked: ModifyOrder) -> Refusal | None:
    """Return why a change is refused, or None."""
    if asked.account_id not in books.accounts:
        return Refusal(ModifyCode.ACCOUNT_NOT_FOUND)
    order = books.orders.get(asked.order_id)
    if order is None or order.account_id != asked.account_id:
        return Refusal(ModifyCode.ORDER_NOT_FOUND)
    return Refusal(ModifyCode.REJECTED) if order.final else _wrong_change(books, order, asked)


def _wrong_change(books: Books, order: Order, asked: ModifyOrder) -> Refusal | None:
    if asked.size is not None and asked.size <= order.filled:
        return Refusal(ModifyCode.REJECTED, "Invalid size")
    contract = books.contract(order.contract_id)
    prices = (asked.limit_price, asked.stop_price, asked.trail_price)
    if not all(_on_grid(contract, price) for price in prices):
        return Refusal(ModifyCode.REJECTED, _OFF_GRID)
    if asked.stop_price is not None and _stop_behind(books, order, asked.stop_price):
        return Refusal(ModifyCode.REJECTED, "Invalid price")
    return None


def refuse_close(books: Books, account_id: int, contract_id: str, at: datetime) -> Refusal | None:
    """Return why closing a whole position is refused, or None."""
    account = books.accounts.get(account_id)
    if account is None:
        return Refusal(CloseCode.ACCOUNT_NOT_FOUND, recorded=False)
    contract = books.contracts.find(contract_id)
    if contract is None:
        return Refusal(CloseCode.CONTRACT_NOT_FOUND, recorded=False)
    if not account.can_trade:
        return Refusal(CloseCode.ACCOUNT_REJECTED, recorded=False)
    held = books.held(account_id, contract_id)
    if not held:
        return Refusal(CloseCode.POSITION_NOT_FOUND, recorded=False)
    if not books.contracts.is_active(contract, at):
        return Refusal(CloseCode.CONTRACT_NOT_ACTIVE, recorded=False)
    return None if _can_fill(books, contract, held, at) else Refusal(CloseCode.ORDER_REJECTED)


def refuse_partial_close(books: Books, account_id: int, contract_id: str, *, size: int, at: datetime) -> Refusal | None:
    """Return why closing part of a position is refused, or None."""
    account = books.accounts.get(account_id)
    if account is not None and account.kind in {AccountKind.LIVE, AccountKind.FOLLOWER}:
        return Refusal(PartialCloseCode.ACCOUNT_REJECTED, "Live accounts not supported", recorded=False)
    refusal = refuse_close(books, account_id, contract_id, at)
    if refusal is not None and refusal.code < CloseCode.ORDER_REJECTED:
        return refusal
    if not 0 < size <= abs(books.held(account_id, contract_id)):
        return Refusal(PartialCloseCode.INVALID_CLOSE_SIZE, recorded=False)
    if refusal is not None:
        return Refusal(refusal.code + 1, refusal.message, refusal.recorded)
    return None


def _malformed(asked: PlaceOrder) -> Refusal | None:
    if asked.type not in set(OrderType):
        return Refusal(PlaceCode.ORDER_REJECTED, "Invalid order type", recorded=False)
    if asked.side not in set(Side):
        return Refusal(PlaceCode.ORDER_REJECTED, "Invalid order side", recorded=False)
    if asked.size <= 0:
        return Refusal(PlaceCode.ORDER_REJECTED, "Invalid order size", recorded=False)
    return None


def _barred(books: Books, account: Account, asked: PlaceOrder) -> Refusal | None:
    if asked.custom_tag is not None:
        if (account.id, asked.custom_tag) in books.tags:
            return Refusal(PlaceCode.ORDER_REJECTED, "Custom tag is already in use", recorded=False)
        if len(asked.custom_tag) > _TAG_LIMIT:
            return Refusal(PlaceCode.ORDER_REJECTED, "Custom tag is too long", recorded=False)
    if not account.can_trade:
        return Refusal(PlaceCode.ACCOUNT_VIOLATION)
    if account.balance <= 0:
        return Refusal(PlaceCode.INSUFFICIENT_FUNDS)
    held = books.held(account.id, asked.contract_id)
    after = abs(held + Side(asked.side).sign * asked.size)
    if account.max_position is not None and after > max(account.max_position, abs(held)):
        text = f"MaxAccountPosition of [{account.max_position}] exceeded, NewMax: [{after}]"
        return Refusal(PlaceCode.ORDER_REJECTED, text)
    return None


def _not_tradable(books: Books, contract: Contract, asked: PlaceOrder, at: datetime) -> Refusal | None:
    if not books.contracts.is_active(contract, at):
        return Refusal(PlaceCode.CONTRACT_NOT_ACTIVE, recorded=False)
    match books.market.phase(contract, at):
        case Phase.CLOSED:
            return Refusal(PlaceCode.OUTSIDE_TRADING_HOURS)
        case Phase.HALTED:
            return Refusal(PlaceCode.ORDER_REJECTED)
        case Phase.PRE_OPEN if asked.type == OrderType.MARKET:
            return Refusal(PlaceCode.OUTSIDE_TRADING_HOURS)
        case _:
            return None


def _wrong_prices(books: Books, contract: Contract, asked: PlaceOrder) -> Refusal | None:
    match OrderType(asked.type):
        case OrderType.TRAILING_STOP:
            return _wrong_trail(books, contract, asked)
        case OrderType.MARKET:
            touch = books.market.touch(contract.id, Side(asked.side))
            unpriced = touch is None and books.options.matching
            return Refusal(PlaceCode.ORDER_REJECTED) if unpriced else None
        case OrderType.JOIN_BID | OrderType.JOIN_ASK:
            joined = _joined(books, asked)
            return Refusal(PlaceCode.ORDER_REJECTED) if joined is None else None
        case kind:
            return _wrong_levels(books, contract, asked, kind)


def _wrong_levels(books: Books, contract: Contract, asked: PlaceOrder, kind: OrderType) -> Refusal | None:
    wants_limit = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}
    wants_stop = kind in {OrderType.STOP, OrderType.STOP_LIMIT}
    if (wants_limit and asked.limit_price is None) or (wants_stop and asked.stop_price is None):
        return Refusal(PlaceCode.ORDER_REJECTED, "Invalid price")
    if not (_on_grid(contract, asked.limit_price) and _on_grid(contract, asked.stop_price)):
        return Refusal(PlaceCode.ORDER_REJECTED, _OFF_GRID)
    if wants_stop and asked.stop_price is not None and books.options.matching:
        last = books.market.last(contract.id)
        if last is not None and _behind(Side(asked.side), asked.stop_price, last):
            return Refusal(PlaceCode.ORDER_REJECTED, "Invalid price")
    return None


def _joined(books: Books, asked: PlaceOrder) -> Decimal | None:
    quote = books.market.quote(asked.contract_id)
    return quote.bid if asked.type == OrderType.JOIN_BID else quote.ask


def _wrong_trail(books: Books, contract: Contract, asked: PlaceOrder) -> Refusal | None:
    if asked.trail_price is None:
        return Refusal(PlaceCode.ORDER_REJECTED, "Trail Distance not set.")
    if not _on_grid(contract, asked.trail_price):
        text = "Invalid trail price. Price is not aligned to tick size."
        return Refusal(PlaceCode.ORDER_REJECTED, text)
    last = books.market.last(contract.id)
    if last is None:
        return Refusal(PlaceCode.ORDER_REJECTED, "Cannot trail without a last price")
    if trail_ticks(contract, last=last, trail_price=asked.trail_price) > MAX_TRAIL_TICKS:
        text = f"Trail Distance exceeds maximum ({MAX_TRAIL_TICKS})"
        return Refusal(PlaceCode.ORDER_REJECTED, text)
    return None


def trail_ticks(contract: Contract, *, last: Decimal, trail_price: Decimal) -> int:
    """Return a trailing distance in whole ticks, the fraction dropped."""
    return int(abs(last - trail_price) / contract.tick_size)


def _wrong_brackets(account: Account, asked: PlaceOrder) -> Refusal | None:
    if asked.stop_loss is None and asked.take_profit is None:
        return None
    if account.brackets is BracketMode.POSITION:
        return Refusal(PlaceCode.ORDER_REJECTED, _BRACKETS_REFUSED)
    if asked.stop_loss is not None and asked.stop_loss.type not in _STOP_LEG:
        return Refusal(PlaceCode.ORDER_REJECTED, "Invalid stop loss bracket type")
    if asked.take_profit is not None and asked.take_profit.type != OrderType.LIMIT:
        return Refusal(PlaceCode.ORDER_REJECTED, "Invalid take profit bracket type")
    return None


def _can_fill(books: Books, contract: Contract, held: int, at: datetime) -> bool:
    if books.market.phase(contract, at) is not Phase.OPEN:
        return False
    side = Side.SELL if held > 0 else Side.BUY
    priced = books.market.touch(contract.id, side) is not None
    return priced or not (books.options.matching or books.options.closes_fill)


def _on_grid(contract: Contract, price: Decimal | None) -> bool:
    return price is None or contract.is_on_grid(price)


def _behind(side: Side, stop: Decimal, last: Decimal) -> bool:
    """Return whether a stop lies on the wrong side of the market."""
    return stop <= last if side is Side.BUY else stop >= last


def _stop_behind(books: Books, order: Order, stop: Decimal) -> bool:
    last = books.market.last(order.contract_id)
    return books.options.matching and last is not None and _behind(order.side, stop, last)

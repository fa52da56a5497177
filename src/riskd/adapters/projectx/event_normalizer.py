"""ProjectX payloads → riskd's events. Pure: the same payload gives the same events, and no payload raises.

What a payload says is decided by its content, never by the hub's ``action`` codes, whose meaning is not published. One
that lacks what its event needs, or says it in a way that cannot be true, becomes a ``Malformed`` with a sentence for
people; the adapter then reads the account by REST, so that nothing is lost with it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

import msgspec

from riskd.adapters.projectx import wire
from riskd.domain.decoding import UNDECODABLE
from riskd.domain.events import (
    AccountReported,
    Fill,
    InstrumentReported,
    OrderReported,
    PositionReported,
    QuoteReported,
)
from riskd.domain.instruments import PRODUCTS, instrument, root_of_contract
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder

Reported = Fill | OrderReported | PositionReported | AccountReported
_T = TypeVar("_T")

USER_TARGETS: Final = frozenset({"GatewayUserTrade", "GatewayUserOrder", "GatewayUserPosition", "GatewayUserAccount"})

_SIDES: Final = {0: Side.BUY, 1: Side.SELL}
_TYPES: Final = {
    1: OrderType.LIMIT,
    2: OrderType.MARKET,
    3: OrderType.STOP_LIMIT,
    4: OrderType.STOP,
    5: OrderType.TRAILING_STOP,
    6: OrderType.JOIN_BID,
    7: OrderType.JOIN_ASK,
}
_STATUSES: Final = {
    1: OrderStatus.WORKING,
    2: OrderStatus.FILLED,
    3: OrderStatus.CANCELLED,
    4: OrderStatus.EXPIRED,
    5: OrderStatus.REJECTED,
    6: OrderStatus.PENDING,
    7: OrderStatus.WORKING,  # its cancel is pending: until that is through it may still fill
    8: OrderStatus.SUSPENDED,
}
_DIRECTIONS: Final = {1: 1, 2: -1}

# No account, price or size of any future comes near these; what does is a broken payload, and arithmetic on it would
# not be exact any more.
_LARGEST_AMOUNT: Final = Decimal("1E+12")
_LEAST_PRICE: Final = Decimal("1E-12")
_LARGEST_SIZE: Final = 1_000_000
_ZERO: Final = Decimal(0)
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


class Malformed(msgspec.Struct, frozen=True):
    """A payload that could not be read.

    Shape: ``what`` is the kind of fact it should have been, ``why`` a sentence for people, ``account`` whose it was if
    that much could be read, ``payload`` its beginning.
    """

    what: str
    why: str
    account: str | None
    payload: str


class Stamped(msgspec.Struct, frozen=True):
    """An event with the broker's own time stamp, where it gave one."""

    event: Reported
    broker_at: datetime | None


Reading = Stamped | Malformed


class _Unreadable(Exception):
    """Says in one clause what is wrong with a payload."""


def read_user_event(target: str, arguments: bytes | msgspec.Raw, received_at: datetime) -> tuple[Reading, ...]:
    """Return what a user-hub event says, in the order it says it.

    Shape: payloads may come wrapped in ``{"action", "data"}``, bare, or as lists of either; targets that riskd does not
    know give nothing.
    """
    if target not in USER_TARGETS:
        return ()
    only = _only_payload(arguments)
    if only is not None:
        said = _reading(target, only, received_at)
        if isinstance(said, Stamped):
            return (said,)
    return tuple(_reading(target, raw, received_at) for raw in _payloads(arguments))


def _reading(target: str, raw: msgspec.Raw, received_at: datetime) -> Reading:
    match target:
        case "GatewayUserTrade":
            return _read("trade", raw, lambda: _dated_fill(wire.TRADE.decode(raw), received_at))
        case "GatewayUserOrder":
            return _read("order", raw, lambda: _dated_order(wire.ORDER.decode(raw)))
        case "GatewayUserPosition":
            return _read("position", raw, lambda: Stamped(_position(wire.POSITION.decode(raw)), None))
        case _:
            return _read("account", raw, lambda: Stamped(_account(wire.ACCOUNT.decode(raw)), None))


def _dated_fill(trade: wire.Trade, received_at: datetime) -> Stamped:
    fill = _fill(trade, received_at)
    return Stamped(fill, fill.at)


def _dated_order(order: wire.Order) -> Stamped:
    return Stamped(_order(order), moment(order.update_timestamp) or moment(order.creation_timestamp))


def _only_payload(arguments: bytes | msgspec.Raw) -> msgspec.Raw | None:
    """Return the payload of the shape that production sends, one in a wrapper, quicker than by looking for it."""
    try:
        return wire.ONE_WRAPPED.decode(arguments)[0].data
    except UNDECODABLE:
        return None


def _payloads(raw: bytes | msgspec.Raw) -> Iterator[msgspec.Raw]:
    """Yield the bare payloads inside any nesting of lists and wrappers."""
    waiting = [msgspec.Raw(raw)]
    while waiting:
        item = waiting.pop()
        inner = _unwrapped(item)
        if inner is None:
            yield item
        else:
            waiting.extend(reversed(inner))


def _unwrapped(item: msgspec.Raw) -> list[msgspec.Raw] | None:
    """Return what a list or a wrapper holds, None for a payload itself."""
    try:
        if bytes(item).lstrip()[:1] == b"[":
            return wire.ITEMS.decode(item)
        data = wire.WRAPPED.decode(item).data
    except UNDECODABLE:
        return None
    return None if bytes(data) in wire.NOTHING else [data]


def read_quote(arguments: bytes | msgspec.Raw, received_at: datetime) -> QuoteReported | Malformed:
    """Return a quote, with the prices that changed; it may be none of them."""
    try:
        contract, patch = wire.QUOTE_ARGUMENTS.decode(arguments)
        return QuoteReported(
            contract=contract,
            at=moment(patch.timestamp) or moment(patch.last_updated) or received_at,
            last=_amount(patch.last_price),
            bid=_amount(patch.best_bid),
            ask=_amount(patch.best_ask),
        )
    except (*UNDECODABLE, _Unreadable) as error:
        return _malformed("quote", arguments, error)


def read_tape(arguments: bytes | msgspec.Raw, received_at: datetime) -> QuoteReported | Malformed:
    """Return a batch of market trades as one quote that keeps its latest price and its extremes."""
    try:
        contract, batch = wire.TAPE_ARGUMENTS.decode(arguments)
        prints = batch if isinstance(batch, list) else [batch or wire.MarketTrade()]
        priced = [(moment(p.timestamp), price) for p in prints if (price := _amount(p.price)) is not None]
    except (*UNDECODABLE, _Unreadable) as error:
        return _malformed("market trade", arguments, error)
    if not priced:
        return QuoteReported(contract=contract, at=received_at)
    stamp, last = max(reversed(priced), key=lambda dated: dated[0] or _NO_TIME)
    prices = [price for _, price in priced]
    return QuoteReported(
        contract=contract, at=stamp or received_at, last=last, low_last=min(prices), high_last=max(prices)
    )


def read_bar(raw: msgspec.Raw, contract: str, lasts: timedelta) -> QuoteReported | Malformed:
    """Return a bar that has ended as a quote of its end.

    Shape: without its extremes, which may be older than the position that they would judge.
    """
    try:
        bar = wire.BAR.decode(raw)
        return QuoteReported(
            contract=contract,
            at=_needed(moment(bar.t), "t") + lasts,
            last=_needed(_amount(bar.c), "c"),
        )
    except (*UNDECODABLE, _Unreadable, OverflowError) as error:
        return _malformed("bar", raw, error)


def read_simulated_time(arguments: bytes | msgspec.Raw) -> tuple[datetime, float] | Malformed:
    """Return a simulated gateway's time and how fast it runs."""
    try:
        (said,) = wire.TIME_ARGUMENTS.decode(arguments)
        now = _needed(moment(said.now), "now")
        speed = _needed(_amount(said.speed), "speed")
    except (*UNDECODABLE, _Unreadable) as error:
        return _malformed("simulated time", arguments, error)
    return now, max(float(speed), 0.0)


def read_fill(raw: msgspec.Raw, received_at: datetime) -> Fill | Malformed:
    """Return a half-turn; one without a readable time counts as of its arrival, for it did happen."""
    return _read("trade", raw, lambda: _fill(wire.TRADE.decode(raw), received_at))


def _fill(trade: wire.Trade, received_at: datetime) -> Fill:
    return Fill(
        account=_id(trade.account_id, "accountId"),
        trade_id=_id(trade.id, "id"),
        contract=_needed(trade.contract_id, "contractId"),
        side=_side(trade.side),
        quantity=_size(trade.size, at_least=1),
        price=_needed(_amount(trade.price), "price"),
        at=moment(trade.creation_timestamp) or received_at,
        fees=_cost(trade.fees) or _ZERO,
        commission=_cost(trade.commissions),
        pnl=_amount(trade.profit_and_loss),
        order_id=_optional_id(trade.order_id),
        voided=trade.voided or False,
    )


def read_order(raw: msgspec.Raw) -> OrderReported | Malformed:
    """Return an order; a type or status that nobody has seen yet becomes ``unknown``, which may still fill."""
    return _read("order", raw, lambda: _order(wire.ORDER.decode(raw)))


def _order(order: wire.Order) -> OrderReported:
    size = _size(order.size, at_least=0)
    return OrderReported(
        account=_id(order.account_id, "accountId"),
        order=WorkingOrder(
            order_id=_id(order.id, "id"),
            contract=_needed(order.contract_id, "contractId"),
            side=_side(order.side),
            type=_TYPES.get(order.type or 0, OrderType.UNKNOWN),
            status=_STATUSES.get(order.status or 0, OrderStatus.UNKNOWN),
            size=size,
            filled=0 if order.fill_volume is None else _size(order.fill_volume, at_least=0, key="fillVolume"),
            limit_price=_amount(order.limit_price),
            stop_price=_amount(order.stop_price),
            parent=_optional_id(order.parent_order_id),
            linked=_optional_id(order.linked_order_id),
            tag=order.custom_tag,
            created_at=moment(order.creation_timestamp),
        ),
    )


def read_position(raw: msgspec.Raw) -> PositionReported | Malformed:
    """Return a net position; a size of zero is flat, whatever its type and price say."""
    return _read("position", raw, lambda: _position(wire.POSITION.decode(raw)))


def _position(position: wire.Position) -> PositionReported:
    size = _size(position.size, at_least=0)
    price = _amount(position.average_price)
    if size and position.type not in _DIRECTIONS:
        raise _Unreadable(f"type {position.type} says neither long (1) nor short (2) for {size} contracts")
    return PositionReported(
        account=_id(position.account_id, "accountId"),
        contract=_needed(position.contract_id, "contractId"),
        quantity=size * _DIRECTIONS.get(position.type or 0, 0),
        average_price=_needed(price, "averagePrice") if size else price or _ZERO,
    )


def read_account(raw: msgspec.Raw) -> AccountReported | Malformed:
    """Return an account's balance and standing."""
    return _read("account", raw, lambda: _account(wire.ACCOUNT.decode(raw)))


def _account(account: wire.Account) -> AccountReported:
    return AccountReported(
        account=_id(account.id, "id"),
        name=account.name or "",
        balance=_needed(_amount(account.balance), "balance"),
        can_trade=_needed(account.can_trade, "canTrade"),
    )


def read_instrument(raw: msgspec.Raw) -> InstrumentReported | Malformed:
    """Return a contract's record; its name names the product only where the contract id does not."""
    return _read("contract", raw, lambda: _instrument(wire.CONTRACT.decode(raw)))


def _instrument(contract: wire.Contract) -> InstrumentReported:
    contract_id = _needed(contract.id, "id")
    known = root_of_contract(contract_id) in PRODUCTS
    return InstrumentReported(
        instrument(
            contract_id,
            tick_size=_needed(_amount(contract.tick_size), "tickSize"),
            tick_value=_needed(_amount(contract.tick_value), "tickValue"),
            symbol=None if known else contract.name or None,
        )
    )


def moment(text: str | None) -> datetime | None:
    """Return a wire time stamp as aware UTC, cut to microseconds; None where there is none that can be read."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is UTC:
            return at
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read(what: str, raw: msgspec.Raw, build: Callable[[], _T]) -> _T | Malformed:
    try:
        return build()
    except (*UNDECODABLE, _Unreadable) as error:
        return _malformed(what, raw, error)


def _malformed(what: str, raw: bytes | msgspec.Raw, error: Exception) -> Malformed:
    payload = bytes(raw)[:200].decode("utf-8", "replace")
    why = f"the broker sent {_ARTICLES.get(what, 'a')} {what} that cannot be read: {error}"
    return Malformed(what=what, why=why, account=_owner(raw), payload=payload)


_ARTICLES: Final = {"order": "an", "account": "an"}


def _owner(raw: bytes | msgspec.Raw) -> str | None:
    try:
        return _optional_id(wire.OWNER.decode(raw).account_id)
    except UNDECODABLE:
        return None


def _needed(value: _T | None, key: str) -> _T:
    if value is None or value == "":
        raise _Unreadable(f"{key} is missing")
    return value


def _id(value: int | str | None, key: str) -> str:
    return str(_needed(value, key))


def _optional_id(value: int | str | None) -> str | None:
    return None if value is None or value == "" else str(value)


def _side(value: int | None) -> Side:
    side = _SIDES.get(_needed(value, "side"))
    if side is None:
        raise _Unreadable(f"side {value} is neither buy (0) nor sell (1)")
    return side


def _size(value: int | None, *, at_least: int, key: str = "size") -> int:
    size = _needed(value, key)
    if not at_least <= size <= _LARGEST_SIZE:
        raise _Unreadable(f"{key} {size} is no number of contracts")
    return size


def _cost(value: Decimal | None) -> Decimal | None:
    # Fees are positive on the wire; one that is negative would turn costs into gains.
    cost = _amount(value)
    return None if cost is None else abs(cost)


def _amount(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    try:
        if _LEAST_PRICE <= value <= _LARGEST_AMOUNT:
            return value  # nearly always, and on the path of every quote
    except InvalidOperation:
        raise _Unreadable(f"{value} is no amount of money and no price") from None
    return _unusual_amount(value)


def _unusual_amount(value: Decimal) -> Decimal:
    """Return an amount that is zero or negative."""
    if not value:
        return _ZERO
    if not -_LARGEST_AMOUNT <= value <= -_LEAST_PRICE:
        raise _Unreadable(f"{str(value)[:30]} is no amount of money and no price")
    return value

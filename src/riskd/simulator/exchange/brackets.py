"""Bracket orders, in the broker's two ways.

Auto OCO: each entry order brings a stop and a target of its own, suspended until it fills, priced
from its fill; when one leg ends by a fill the other is cancelled. Position Brackets: one stop and
one target for the netted position, a fixed amount of dollars away, made after the fill and moved
along with the position.

Seen on the real one and kept here: the children have the ids after their entry, tags with -SL and
-TP, and only the target names its sibling; after a partial exit the legs of a short stay as they
are, while a long's youngest legs go with what they protected.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.simulator.exchange.books import Books
from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.events import Event, OrderEvent
from riskd.simulator.exchange.model import (
    BracketMode,
    Order,
    OrderStatus,
    OrderType,
    Position,
    Side,
)

_OPENS_AFTER_MS = 18


def suspend_children(books: Books, entry: Order) -> list[Event]:
    """Write the suspended legs of an entry order and return their events."""
    children: list[Order] = []
    stop_id: int | None = None
    if entry.stop_loss is not None:
        stop_id = books.next_order_id()
        kind = OrderType(entry.stop_loss.type)
        children.append(_child(entry, stop_id, kind, entry.stop_loss.ticks, "SL"))
    if entry.take_profit is not None:
        target_id = books.next_order_id()
        target = _child(entry, target_id, OrderType.LIMIT, entry.take_profit.ticks, "TP")
        children.append(msgspec.structs.replace(target, linked_id=stop_id, oco_id=stop_id))
        if stop_id is not None:
            children[0] = msgspec.structs.replace(children[0], oco_id=target_id)
    return [OrderEvent(books.write_order(child)) for child in children]


def _child(entry: Order, child_id: int, kind: OrderType, ticks: int, suffix: str) -> Order:
    tag = None if entry.custom_tag is None else f"{entry.custom_tag}-{suffix}"
    return Order(
        id=child_id,
        account_id=entry.account_id,
        contract_id=entry.contract_id,
        created_at=entry.created_at,
        updated_at=entry.updated_at,
        status=OrderStatus.SUSPENDED,
        type=kind,
        side=entry.side.opposite,
        size=entry.size,
        trail_distance=ticks,
        custom_tag=tag,
        parent_id=entry.id,
    )


def after_fill(books: Books, order: Order, at: datetime) -> list[Event]:
    """Return what a fill does to the brackets of its account and contract."""
    events = _open_children(books, order, at) if order.status is OrderStatus.FILLED else []
    events += _cancel_sibling(books, order, at)
    events += _follow_position(books, order, at)
    return events + _drop_unneeded(books, order, at)


def cancel_children(books: Books, entry: Order, at: datetime) -> list[Event]:
    """Cancel the suspended legs of an entry that will not fill."""
    return [_cancel(books, child, at) for child in _children(books, entry) if child.status is OrderStatus.SUSPENDED]


def _children(books: Books, entry: Order) -> list[Order]:
    if entry.stop_loss is None and entry.take_profit is None:
        return []
    following = (books.orders.get(entry.id + offset) for offset in (1, 2))
    return [child for child in following if child is not None and child.parent_id == entry.id]


def _open_children(books: Books, entry: Order, at: datetime) -> list[Event]:
    contract = books.contract(entry.contract_id)
    events: list[Event] = []
    for child in _children(books, entry):
        if child.status is OrderStatus.SUSPENDED:
            opened = books.write_order(_priced(child, entry, contract, at))
            events.append(OrderEvent(opened, after_ms=_OPENS_AFTER_MS))
    return events


def _priced(child: Order, entry: Order, contract: Contract, at: datetime) -> Order:
    distance = abs(child.trail_distance or 0) * contract.tick_size * entry.side.sign
    base = _nearest_tick(entry.filled_price or Decimal(0), contract)
    is_target = child.type is OrderType.LIMIT
    return msgspec.structs.replace(
        child,
        status=OrderStatus.OPEN,
        updated_at=at,
        limit_price=base + distance if is_target else None,
        stop_price=None if is_target else base - distance,
    )


def _nearest_tick(price: Decimal, contract: Contract) -> Decimal:
    return (price / contract.tick_size).quantize(Decimal(1)) * contract.tick_size


def _cancel_sibling(books: Books, order: Order, at: datetime) -> list[Event]:
    sibling = books.orders.get(order.oco_id) if order.oco_id is not None else None
    if sibling is None or sibling.final or order.status is not OrderStatus.FILLED:
        return []
    return [_cancel(books, sibling, at)]


def _cancel(books: Books, order: Order, at: datetime) -> Event:
    cancelled = msgspec.structs.replace(order, status=OrderStatus.CANCELLED, updated_at=at)
    return OrderEvent(books.write_order(cancelled))


def _drop_unneeded(books: Books, order: Order, at: datetime) -> list[Event]:
    """Cancel the legs whose position is gone: all when flat, a long's youngest when reduced."""
    held = books.held(order.account_id, order.contract_id)
    legs = [
        leg
        for leg in books.resting(order.contract_id)
        if leg.account_id == order.account_id and leg.parent_id is not None
    ]
    if held == 0:
        return [_cancel(books, leg, at) for leg in legs]
    if held < 0 and books.options.orphan_brackets:
        return []
    kept, doomed = 0, []
    for leg in sorted(legs, key=lambda leg: leg.parent_id or 0):
        if leg.type is not OrderType.LIMIT:
            kept += leg.size
        if kept > abs(held):
            doomed.append(leg)
    return [_cancel(books, leg, at) for leg in doomed]


def _follow_position(books: Books, order: Order, at: datetime) -> list[Event]:
    account = books.accounts[order.account_id]
    if account.brackets is not BracketMode.POSITION:
        return []
    if account.position_stop_usd is None and account.position_target_usd is None:
        return []
    old = [
        leg
        for leg in books.resting(order.contract_id)
        if leg.account_id == order.account_id and leg.position_id is not None
    ]
    events = [_cancel(books, leg, at) for leg in old]
    holding = books.holdings.get((order.account_id, order.contract_id))
    return events + (_position_legs(books, holding.position, at) if holding else [])


def _position_legs(books: Books, position: Position, at: datetime) -> list[Event]:
    account = books.accounts[position.account_id]
    legs: list[Order] = []
    for kind, usd in (
        (OrderType.STOP, account.position_stop_usd),
        (OrderType.LIMIT, account.position_target_usd),
    ):
        if usd is not None:
            legs.append(_position_leg(books, position, kind, usd, at))
    if len(legs) == 2:  # noqa: PLR2004 - a stop and a target
        legs[0] = msgspec.structs.replace(legs[0], oco_id=legs[1].id)
        legs[1] = msgspec.structs.replace(legs[1], oco_id=legs[0].id, linked_id=legs[0].id)
    return [OrderEvent(books.write_order(leg), after_ms=_OPENS_AFTER_MS) for leg in legs]


def _position_leg(books: Books, position: Position, kind: OrderType, usd: Decimal, at: datetime) -> Order:
    contract = books.contract(position.contract_id)
    direction = 1 if position.size > 0 else -1
    away = usd / abs(position.size) / contract.value(Decimal(1))
    sign = direction if kind is OrderType.LIMIT else -direction
    price = _nearest_tick(position.average_price + sign * away, contract)
    return Order(
        id=books.next_order_id(),
        account_id=position.account_id,
        contract_id=position.contract_id,
        created_at=at,
        updated_at=at,
        status=OrderStatus.OPEN,
        type=kind,
        side=_closing_side(position),
        size=abs(position.size),
        limit_price=price if kind is OrderType.LIMIT else None,
        stop_price=price if kind is OrderType.STOP else None,
        position_id=position.id,
    )


def _closing_side(position: Position) -> Side:
    return Side.SELL if position.size > 0 else Side.BUY

"""Orders at the broker, and which of them could only ever reduce a position."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec


class Side(StrEnum):
    """The side of a fill or an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """Return +1 for a buy and -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order is meant to fill."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"
    JOIN_BID = "join_bid"
    JOIN_ASK = "join_ask"
    UNKNOWN = "unknown"


class OrderStatus(StrEnum):
    """Where an order stands at the broker; ``unknown`` is treated as possibly working."""

    PENDING = "pending"
    SUSPENDED = "suspended"
    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


ENDED: Final = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED})
PROTECTIVE: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


class WorkingOrder(msgspec.Struct, frozen=True):
    """An order that may still fill.

    Units: ``size`` and ``filled`` in contracts, prices in points.
    Shape: ``seq`` is the envelope that first reported it, ``reported_seq`` the last; ``parent`` the entry order of a
    bracket child, ``linked`` the OCO sibling.
    """

    order_id: str
    contract: str
    side: Side
    type: OrderType
    status: OrderStatus
    size: int
    filled: int = 0
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    parent: str | None = None
    linked: str | None = None
    tag: str | None = None
    created_at: datetime | None = None
    seq: int = 0
    reported_seq: int = 0

    @property
    def remaining(self) -> int:
        """Return the contracts that can still fill."""
        return max(self.size - self.filled, 0)


def worst_case(orders: Iterable[WorkingOrder], side: Side) -> int:
    """Return how many contracts these orders could fill on one side, an OCO pair counting as its larger leg."""
    mine = {order.order_id: order for order in orders if order.side is side}
    total = sum(order.remaining for order in mine.values())
    for order in mine.values():
        sibling = mine.get(order.linked or "")
        # A pair may name each other or only one way (ProjectX: the target names the stop): count the overlap once.
        if sibling is not None and not (sibling.linked == order.order_id and sibling.order_id < order.order_id):
            total -= min(order.remaining, sibling.remaining)
    return total


class OrderSplit(msgspec.Struct, frozen=True):
    """An order and how many of its remaining contracts are an exit and how many could open or enlarge a position."""

    order: WorkingOrder
    exit: int
    entry: int

    @property
    def cut(self) -> WorkingOrder:
        """Return the order as it would be with its exit alone."""
        return msgspec.structs.replace(self.order, size=self.order.filled + self.exit)


def asleep(order: WorkingOrder) -> bool:
    """Tell whether this is a bracket child whose entry is unfilled: an exit of what is not held yet."""
    return order.status is OrderStatus.SUSPENDED and order.parent is not None


def split_orders(orders: Iterable[WorkingOrder], position: int) -> tuple[OrderSplit, ...]:
    """Divide each order of one contract into the exit that fits the position and the entry that is left.

    Shape: oldest first, without sleeping bracket children. Room is given to protective stops before targets and to
    older orders before newer ones; the legs of an OCO pair share it.
    """
    awake = sorted((order for order in orders if not asleep(order)), key=_placed)
    exits: dict[str, OrderSplit] = {}
    for order in sorted(awake, key=lambda o: (o.type not in PROTECTIVE, *_placed(o))):
        fits = 0
        if order.side.sign * position < 0:
            others = [known.cut for known in exits.values() if not _are_linked(known.order, order)]
            fits = max(min(order.remaining, abs(position) - worst_case(others, order.side)), 0)
        exits[order.order_id] = OrderSplit(order, fits, order.remaining - fits)
    return tuple(exits[order.order_id] for order in awake)


def _placed(order: WorkingOrder) -> tuple[int, str]:
    return order.seq, order.order_id


def _are_linked(one: WorkingOrder, other: WorkingOrder) -> bool:
    return one.linked == other.order_id or other.linked == one.order_id


def entries(orders: Iterable[WorkingOrder], position: int) -> tuple[WorkingOrder, ...]:
    """Return the orders of one contract that could open or enlarge a position, wholly or in part, oldest first."""
    return tuple(part.order for part in split_orders(orders, position) if part.entry or not part.exit)

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
    Shape: ``seq`` is the envelope that first reported it; ``parent`` the entry order of a bracket child, ``linked`` the
    OCO sibling.
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


def entries(orders: Iterable[WorkingOrder], position: int) -> tuple[WorkingOrder, ...]:
    """Return the orders of one contract that could open or enlarge a position, oldest first.

    Shape: an order on the closing side is an exit as far as it cannot, with the older ones, go through zero; bracket
    children whose entry is still unfilled are exits of what they will protect.
    """
    found: list[WorkingOrder] = []
    exits: list[WorkingOrder] = []
    for order in sorted(orders, key=lambda o: (o.seq, o.order_id)):
        if order.status is OrderStatus.SUSPENDED and order.parent is not None:
            continue
        closing = position != 0 and order.side.sign * position < 0
        if closing and worst_case([*exits, order], order.side) <= abs(position):
            exits.append(order)
        else:
            found.append(order)
    return tuple(found)

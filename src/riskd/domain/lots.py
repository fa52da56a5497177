"""Matching a fill against the open lots of a position, by the configured method."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account import Lot, MatchingMethod

ZERO: Final = Decimal(0)
_replace: Final = msgspec.structs.replace


class Matched(msgspec.Struct, frozen=True):
    """What one fill did to the lots of a position; ``points`` is the realized price difference x contracts."""

    lots: tuple[Lot, ...]
    points: Decimal
    closed: int


def match(lots: Sequence[Lot], lot: Lot, method: MatchingMethod) -> Matched:
    """Match a new lot against the open ones, oldest lot first in and out of this function.

    Shape: what is left of a lot that goes through zero opens the other way.
    Source: rules.md section 2, the table of matching methods.
    """
    if not lots or (lots[0].quantity > 0) == (lot.quantity > 0):
        return Matched((*lots, lot), ZERO, 0)
    open_lots = _averaged(lots) if method == "average" else list(lots)
    remaining, points, closed = lot.quantity, ZERO, 0
    while remaining and open_lots:
        index = -1 if method == "lifo" else 0
        against = open_lots[index]
        size = min(abs(remaining), abs(against.quantity))
        sign = 1 if against.quantity > 0 else -1
        points += (lot.price - against.price) * size * sign
        closed += size
        remaining += size * sign
        left = against.quantity - size * sign
        if left:
            open_lots[index] = _replace(against, quantity=left)
        else:
            del open_lots[index]
    if remaining:
        open_lots.append(_replace(lot, quantity=remaining))
    return Matched(tuple(open_lots), points, closed)


def _averaged(lots: Sequence[Lot]) -> list[Lot]:
    average = sum((lot.price * lot.quantity for lot in lots), ZERO) / sum(lot.quantity for lot in lots)
    return [_replace(lot, price=average) for lot in lots]

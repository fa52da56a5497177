"""Netted positions and what closing them earns: first in, first out."""

from decimal import Decimal

import msgspec

from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.model import Position, Side, Trade

_PRICE_PLACES = Decimal("0.000000001")


class Lot(msgspec.Struct, frozen=True):
    """What is left of one opening trade."""

    trade: Trade
    left: int


class Holding(msgspec.Struct, frozen=True):
    """A position together with the lots it consists of, oldest first."""

    position: Position
    lots: tuple[Lot, ...]

    @property
    def size(self) -> int:
        """Return the signed size."""
        return self.position.size


class Closing(msgspec.Struct, frozen=True):
    """What closing part of a holding leaves, earns and which opening trades it ends."""

    lots: tuple[Lot, ...]
    profit_and_loss: Decimal
    opened_by: tuple[Trade, ...]


def split(held: int, side: Side, size: int) -> tuple[int, int]:
    """Return how much of a fill closes what is held, and how much opens something new."""
    if held * side.sign >= 0:
        return 0, size
    closing = min(abs(held), size)
    return closing, size - closing


def close_lots(holding: Holding, contract: Contract, *, size: int, price: Decimal) -> Closing:
    """Take `size` contracts off the oldest lots at a price."""
    direction = 1 if holding.size > 0 else -1
    earned = Decimal(0)
    kept: list[Lot] = []
    opened_by: list[Trade] = []
    for lot in holding.lots:
        taken = min(lot.left, size)
        size -= taken
        if taken:
            earned += contract.value((price - lot.trade.price) * taken * direction)
            opened_by.append(lot.trade)
        if lot.left > taken:
            kept.append(Lot(lot.trade, lot.left - taken))
    return Closing(tuple(kept), plain(earned), tuple(opened_by))


def mean_price(holding: Holding | None, *, size: int, price: Decimal) -> Decimal:
    """Return the average entry price after `size` more contracts at `price`.

    The mean runs on from the previous one; a partial close leaves it alone.
    """
    if holding is None:
        return plain(price)
    held = abs(holding.size)
    total = holding.position.average_price * held + price * size
    return plain((total / (held + size)).quantize(_PRICE_PLACES))


def plain(number: Decimal) -> Decimal:
    """Return the same number without trailing zeros and without an exponent."""
    shortened = number.normalize()
    exponent = shortened.as_tuple().exponent
    return shortened.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else shortened

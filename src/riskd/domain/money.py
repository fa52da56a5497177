"""Money in USD: exact decimals everywhere, cents only where they are shown."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")

Usd = Decimal
Price = Decimal


def to_cents(amount: Usd) -> Usd:
    """Round half-up to cents, for showing only.

    Units: USD. Arithmetic never uses the result.
    """
    rounded = amount.quantize(CENT, rounding=ROUND_HALF_UP)
    return abs(rounded) if rounded == 0 else rounded


def show(amount: Usd) -> str:
    """Render an amount as plain text with two decimals, such as ``-512.50``."""
    return f"{to_cents(amount):f}"

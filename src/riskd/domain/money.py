"""Money in USD: exact decimals everywhere, cents where they are shown and where a share of a charge is estimated."""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
_MILLIONTH: Final = Decimal("0.000001")
_WIDE: Final = Context(prec=60)

Usd = Decimal
Price = Decimal


def to_cents(amount: Usd) -> Usd:
    """Round half-up to cents: for showing, and for what is only estimated.

    Units: USD. Nothing that the broker has said is ever rounded.
    """
    rounded = amount.quantize(CENT, rounding=ROUND_HALF_UP)
    return abs(rounded) if rounded == 0 else rounded


def charge_for(quantity: int, rate: Usd) -> Usd:
    """Return what so many contracts probably cost at a rate per contract, in whole cents as brokers charge.

    Units: USD.
    """
    return to_cents(rate * quantity)


def divided(charge: Usd, part: int, whole: int) -> tuple[Usd, Usd]:
    """Divide a charge by contracts: to the cent for ``part`` of them, all else for the others.

    Units: USD.
    """
    share = charge if part == whole else to_cents(charge * part / whole)
    return share, charge - share


def exact(amount: Usd) -> Usd:
    """Return an amount without what a division left beyond the millionth of a dollar.

    Units: USD. A third of a cent, three times, is a whole one again: a limit is met at touch.
    """
    # By position: with a keyword the call costs three times as much, and every price asks for this.
    rounded = amount.quantize(_MILLIONTH, None, _WIDE)
    return amount if rounded == amount else rounded


def show(amount: Usd) -> str:
    """Render an amount as plain text with two decimals, such as ``-512.50``."""
    return f"{to_cents(amount):f}"

from decimal import Decimal

import pytest
from pydantic import TypeAdapter

from riskd.rules.daily_pnl import RESERVE_TIGHTNESS, Basis, Reserve, TickReserve, day_pnl
from tests.support.rule_builders import with_pnl


@pytest.mark.parametrize(("basis", "figure"), [("combined", "-400"), ("realized", "-900"), ("worst", "-900")])
def test_each_basis_is_its_own_figure(basis: Basis, figure: str) -> None:
    """R -900 with U +500."""
    assert day_pnl(with_pnl("-900", "500"), basis, worst=min) == Decimal(figure)


def test_the_worst_of_a_profit_is_the_larger() -> None:
    """What is worst depends on the side of the limit."""
    assert day_pnl(with_pnl("900", "-500"), "worst", worst=max) == Decimal(900)


TICKS = TickReserve(ticks=4)


@pytest.mark.parametrize(
    ("old", "new", "tighter"),
    [
        (Decimal(10), Decimal(20), True),
        (Decimal(20), Decimal(10), False),
        (Decimal(0), TICKS, True),
        (Decimal(1), TICKS, False),
        (TICKS, TickReserve(ticks=5), True),
        (TICKS, TickReserve(ticks=3), False),
        (TICKS, Decimal(500), False),
    ],
)
def test_a_larger_reserve_is_tighter(old: object, new: object, tighter: bool) -> None:  # noqa: FBT001 - a column
    """Reserves of two kinds cannot be compared, unless there was none."""
    assert RESERVE_TIGHTNESS.holds(old, new) is tighter


def test_a_reserve_is_read_as_money_or_ticks() -> None:
    """Both ways of writing it."""
    assert TypeAdapter[object](Reserve).validate_python("12.50") == Decimal("12.50")
    assert TypeAdapter[object](Reserve).validate_python({"ticks": 4}) == TICKS

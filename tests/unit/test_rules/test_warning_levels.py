from decimal import Decimal

import pytest

from riskd.rules.warning_levels import near_of, nearly_used


@pytest.mark.parametrize(
    ("room", "told"), [("100.01", False), ("100.00", True), ("0.01", True), ("0", False), ("-5", False)]
)
def test_told_from_80_percent_until_the_limit(room: str, told: bool) -> None:  # noqa: FBT001 - a column
    """Of 500 the last 100 are worth a word; what is broken is no longer a warning."""
    assert bool(nearly_used("limit", Decimal(room), near_of(Decimal(500)))) is told


def test_nothing_is_nearly_used_of_nothing() -> None:
    """A reserve that eats the whole limit leaves nothing to warn of."""
    assert nearly_used("limit", Decimal(1), near_of(Decimal(0))) == ()

from datetime import timedelta
from decimal import Decimal

import pytest

from riskd.rules.tightness import (
    FEWER,
    FIXED,
    HIGHER,
    LONGER,
    LOWER,
    MORE,
    OFF,
    ON,
    SHORTER,
    Tightness,
    each,
    only_to,
    or_none,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("tightness", "old", "new", "tighter"),
    [
        (LOWER, 4, 3, True),
        (LOWER, 4, 4, True),
        (LOWER, 4, 5, False),
        (LOWER, Decimal(4), 5, False),
        (LOWER, 4, None, False),
        (LOWER, 4, "3", False),
        (HIGHER, Decimal(-500), Decimal(-400), True),
        (HIGHER, Decimal(-500), Decimal(-600), False),
        (SHORTER, HOUR, MINUTE, True),
        (LONGER, HOUR, MINUTE, False),
        (FIXED, "last", "last", True),
        (FIXED, "last", "bid_ask", False),
        (FEWER, ("a", "b"), ("a",), True),
        (FEWER, ("a",), ("a", "b"), False),
        (FEWER, ("a",), None, False),
        (MORE, ("a",), ("a", "b"), True),
        (MORE, ("a", "b"), ("b",), False),
        (MORE, frozenset({"a"}), {"a"}, True),
        (MORE, "ab", "abc", False),
        (ON, False, True, True),
        (ON, True, False, False),
        (OFF, True, False, True),
        (OFF, False, True, False),
        (only_to("worst"), "combined", "worst", True),
        (only_to("worst"), "worst", "combined", False),
        (only_to("worst"), "realized", "combined", False),
        (or_none(LOWER), None, 5, True),
        (or_none(LOWER), 5, None, False),
        (or_none(LOWER), None, None, True),
        (or_none(LOWER), 5, 4, True),
        (each(LOWER), {"ES": 2}, {"ES": 1, "NQ": 9}, True),
        (each(LOWER), {"ES": 2}, {"ES": 3}, False),
        (each(LOWER), {"ES": 2, "NQ": 1}, {"ES": 2}, False),
        (each(LOWER), {"ES": 2}, None, False),
    ],
)
def test_only_the_provably_tighter_counts(tightness: Tightness, old: object, new: object, tighter: bool) -> None:  # noqa: FBT001 - a column
    """An unchanged value is no loosening; what cannot be compared is one."""
    assert tightness.holds(old, new) is tighter

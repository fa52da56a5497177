from datetime import UTC, datetime, time

import pytest

from riskd.rules.session_times import MIDNIGHT, SessionTimes, TimeRange, Window
from tests.support.rule_builders import ct

DAY = SessionTimes((Window(frozenset(range(5)), (TimeRange(time(8, 30), time(15)),)),), "America/Chicago")
NIGHT = SessionTimes((Window(frozenset({0, 1, 2, 3, 6}), (TimeRange(time(17), time(15, 10)),)),), "America/Chicago")
SMALL_HOURS = SessionTimes((Window(frozenset(range(7)), (TimeRange(time(1), time(2, 30)),)),), "America/Chicago")


def utc(text: str) -> datetime:
    """Return an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2025-10-17 08:29:59", False),
        ("2025-10-17 08:30:00", True),
        ("2025-10-17 14:59:59", True),
        ("2025-10-17 15:00:00", False),
        ("2025-10-18 10:00:00", False),
        ("2025-10-19 10:00:00", False),
        ("2025-10-20 10:00:00", True),
    ],
)
def test_ranges_are_half_open(at: str, inside: bool) -> None:  # noqa: FBT001 - a column
    """08:30-15:00 contains 08:30:00 and 14:59:59 but not 15:00:00, and no weekend."""
    assert DAY.contains(ct(at)) is inside


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2025-10-19 16:59:59", False),
        ("2025-10-19 17:00:00", True),
        ("2025-10-20 03:00:00", True),
        ("2025-10-20 15:09:59", True),
        ("2025-10-20 15:10:00", False),
        ("2025-10-20 17:00:00", True),
        ("2025-10-24 15:09:59", True),
        ("2025-10-24 17:00:00", False),
        ("2025-10-25 03:00:00", False),
    ],
)
def test_a_range_over_midnight_belongs_to_the_day_it_starts_on(at: str, inside: bool) -> None:  # noqa: FBT001 - a column
    """17:00-15:10 from Sunday to Thursday ends on Friday at 15:10 and starts again on Sunday."""
    assert NIGHT.contains(ct(at)) is inside


@pytest.mark.parametrize(
    ("times", "at", "change"),
    [
        (DAY, ct("2025-10-17 10:00"), ct("2025-10-17 15:00")),
        (DAY, ct("2025-10-17 15:00"), ct("2025-10-20 08:30")),
        (NIGHT, ct("2025-10-20 10:00"), ct("2025-10-20 15:10")),
        (NIGHT, ct("2025-10-24 15:10"), ct("2025-10-26 17:00")),
        (DAY, utc("2026-03-06 21:00"), utc("2026-03-09 13:30")),
        (DAY, utc("2025-10-31 20:00"), utc("2025-11-03 14:30")),
    ],
    ids=[
        "to the end",
        "over a weekend",
        "over midnight",
        "to Sunday",
        "over the spring change",
        "over the autumn change",
    ],
)
def test_the_next_change_is_found(times: SessionTimes, at: datetime, change: datetime) -> None:
    """The next start or end is found, in Chicago's wall clock on both sides of a clock change."""
    assert times.next_change(at) == change


def test_a_range_that_spring_swallows_starts_when_the_clock_jumps() -> None:
    """01:00-02:30 on the spring day: 02:00 does not exist, so the range ends at 03:00 summer time, 08:00 UTC."""
    assert SMALL_HOURS.contains(utc("2026-03-08 07:59:59"))
    assert not SMALL_HOURS.contains(utc("2026-03-08 08:00:00"))
    assert SMALL_HOURS.next_change(utc("2026-03-08 07:30")) == utc("2026-03-08 08:00:00")


def test_an_hour_that_comes_twice_is_inside_twice() -> None:
    """01:00-02:30 on the autumn day lasts two and a half hours; an end at 01:30 comes twice."""
    assert SMALL_HOURS.contains(utc("2025-11-02 06:00"))
    assert SMALL_HOURS.next_change(utc("2025-11-02 06:00")) == utc("2025-11-02 08:30")

    half = SessionTimes((Window(frozenset(range(7)), (TimeRange(time(0, 30), time(1, 30)),)),), "America/Chicago")
    changes = [half.next_change(utc(at)) for at in ("2025-11-02 06:00", "2025-11-02 06:30", "2025-11-02 07:00")]
    assert changes == [utc("2025-11-02 06:30"), utc("2025-11-02 07:00"), utc("2025-11-02 07:30")]


def test_hours_that_never_end_have_no_change() -> None:
    """All week and all day: nothing to wait for."""
    always = SessionTimes((Window(frozenset(range(7)), (TimeRange(MIDNIGHT, MIDNIGHT),)),), "America/Chicago")

    assert always.contains(utc("2025-11-02 06:00"))
    assert always.next_change(utc("2025-11-02 06:00")) is None


def test_hours_are_said_as_a_trader_says_them() -> None:
    """The text names ranges, days and the place."""
    assert str(DAY) == "08:30-15:00 Monday-Friday (America/Chicago)"
    assert str(NIGHT) == "17:00-15:10 Monday-Thursday, Sunday (America/Chicago)"
    two = SessionTimes((Window(frozenset({0, 1}), (TimeRange(MIDNIGHT, MIDNIGHT),)),), "UTC")
    assert str(two) == "00:00-24:00 Monday, Tuesday (UTC)"

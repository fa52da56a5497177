"""The exchange's week by the judge's own calendar, and when in it the traders trade."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Final

from tests.simulation.truth import CHICAGO

_FRIDAY: Final = 4
_SATURDAY: Final = 5
_SUNDAY: Final = 6
_SUNDAY_FROM: Final = time(16, 50)
_FRIDAY_UNTIL: Final = time(16, 5)
OPENS: Final = time(17)
CLOSES: Final = time(16)


def _utc(local: datetime) -> datetime:
    return local.replace(tzinfo=CHICAGO).astimezone(UTC)


def closes(starts_at: datetime, ends_at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield when the exchange closes and when it opens again."""
    day = starts_at.astimezone(CHICAGO).date()
    while True:
        closes_at = _utc(datetime.combine(day, CLOSES))
        if closes_at >= ends_at:
            return
        if day.weekday() <= _FRIDAY:
            opens_on = day + timedelta(days=2 if day.weekday() == _FRIDAY else 0)
            yield closes_at, _utc(datetime.combine(opens_on, OPENS))
        day += timedelta(days=1)


def resets(starts_at: datetime, ends_at: datetime) -> Iterator[datetime]:
    """Yield every 17:00 at which a TradingDay ends."""
    day = starts_at.astimezone(CHICAGO).date()
    while (at := _utc(datetime.combine(day, OPENS))) < ends_at:
        if at > starts_at and day.weekday() <= _FRIDAY:
            yield at
        day += timedelta(days=1)


def _in_week(at: datetime) -> bool:
    local = at.astimezone(CHICAGO)
    sunday = local.weekday() == _SUNDAY and local.time() < _SUNDAY_FROM
    friday = local.weekday() == _FRIDAY and local.time() > _FRIDAY_UNTIL
    return not (local.weekday() == _SATURDAY or sunday or friday)


def windows(starts_at: datetime, ends_at: datetime, rng: Random, *, light: bool) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches in which somebody trades: a few a day, some over the edges that matter."""
    count, lengths = ((1, 1, 2), (2, 3, 4)) if light else ((2, 3), (5, 10, 20))
    day = starts_at.astimezone(CHICAGO).date()
    while True:
        for hour, minute in sorted(rng.sample(_FAVOURITES, rng.choice(count))):
            begins = _utc(datetime.combine(day, time(hour, minute))) + timedelta(minutes=rng.uniform(-5, 5))
            if begins >= ends_at:
                return
            if begins > starts_at and _in_week(begins):
                yield begins, begins + timedelta(minutes=rng.choice(lengths))
        day += timedelta(days=1)


_FAVOURITES: Final = (
    (2, 0),
    (8, 20),
    (9, 30),
    (11, 0),
    (13, 45),
    (14, 50),
    (15, 0),
    (15, 45),
    (16, 55),
    (17, 5),
    (19, 30),
)
"""Starts that cover openings, the ends of sessions, the exchange's close and the reset."""

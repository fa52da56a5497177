"""Chicago time: trading days, resets and the exchange's weekly session.

A TradingDay runs from 17:00 to 17:00 Chicago time and is named by the date on which it ends; from Friday 17:00
everything belongs to Monday. The wall clock of Chicago decides, so a day is 23 or 25 hours long when daylight saving
changes.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

CHICAGO: Final = ZoneInfo("America/Chicago")
RESET_TIME: Final = time(17)
_CLOSE_TIME: Final = time(16)
_FRIDAY: Final = 4
_SATURDAY: Final = 5
_SUNDAY: Final = 6


def chicago(day: date, clock: time) -> datetime:
    """Return the UTC instant of a Chicago wall time."""
    return datetime.combine(day, clock, tzinfo=CHICAGO).astimezone(UTC)


def trading_day(at: datetime) -> date:
    """Return the TradingDay that an instant belongs to.

    Shape: Monday to Friday only. 16:59:59 Tuesday is Tuesday, 17:00:00 Tuesday is Wednesday.
    """
    local = at.astimezone(CHICAGO)
    day = local.date() + timedelta(days=1) if local.time() >= RESET_TIME else local.date()
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=64)
def day_end(day: date) -> datetime:
    """Return the UTC instant at which a TradingDay ends: 17:00 Chicago time on its own date."""
    return chicago(day, RESET_TIME)


@lru_cache(maxsize=64)
def day_start(day: date) -> datetime:
    """Return the UTC instant at which a TradingDay starts: 17:00 Chicago time of the weekday before."""
    before = day - timedelta(days=1)
    while before.weekday() >= _SATURDAY:
        before -= timedelta(days=1)
    return chicago(before, RESET_TIME)


def next_reset(at: datetime) -> datetime:
    """Return the next 17:00 Chicago time, Monday to Friday, strictly after an instant."""
    return day_end(trading_day(at))


def market_open(at: datetime) -> bool:
    """Tell whether the exchange's regular week has its market open.

    Shape: Sunday 17:00 to Friday 16:00 with a break from 16:00 to 17:00 each day; holidays are not in it.
    """
    local = at.astimezone(CHICAGO)
    weekday, clock = local.weekday(), local.time()
    if weekday == _SATURDAY or (weekday == _SUNDAY and clock < RESET_TIME):
        return False
    if weekday == _FRIDAY and clock >= _CLOSE_TIME:
        return False
    return not _CLOSE_TIME <= clock < RESET_TIME


def next_open(at: datetime) -> datetime:
    """Return the instant at which the regular week next opens, or the instant itself while it is open."""
    if market_open(at):
        return at
    local = at.astimezone(CHICAGO)
    day = local.date() if local.time() < RESET_TIME else local.date() + timedelta(days=1)
    while day.weekday() in (_FRIDAY, _SATURDAY):
        day += timedelta(days=1)
    return chicago(day, RESET_TIME)

"""Chicago time: trading days, resets and the exchange's weekly session.

A TradingDay runs from 17:00 to 17:00 Chicago time and is named by the date on which it ends; from Friday 17:00
everything belongs to Monday. The wall clock of Chicago decides, so a day is 23 or 25 hours long when daylight saving
changes.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from riskd.domain.exchange_days import SHUT, Schedule, early_close

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


def market_open(at: datetime, schedule: Schedule | None = None) -> bool:
    """Tell whether the market is open, by the regular week and the days that the exchange has announced.

    Shape: Sunday 17:00 to Friday 16:00 with a break from 16:00 to 17:00 each day; without a ``schedule`` holidays and
    early closes are not in it.
    """
    local = at.astimezone(CHICAGO)
    weekday, clock = local.weekday(), local.time()
    if weekday == _SATURDAY or (weekday == _SUNDAY and clock < RESET_TIME):
        return False
    if weekday == _FRIDAY and clock >= _CLOSE_TIME:
        return False
    if _CLOSE_TIME <= clock < RESET_TIME:
        return False
    return schedule is None or at < _close_of(trading_day(at), schedule)


def _close_of(day: date, schedule: Schedule | None) -> datetime:
    """Return when trading stops on a TradingDay; its start where there is no trading on it."""
    early = early_close(day, schedule)
    if early is None:
        return chicago(day, _CLOSE_TIME)
    return day_start(day) if early == SHUT else chicago(day, early)


def next_open(at: datetime, schedule: Schedule | None = None) -> datetime:
    """Return the instant at which the market next opens, or the instant itself while it is open."""
    if market_open(at, schedule):
        return at
    day = trading_day(at)
    while (opens := _opening(day)) < at or _close_of(day, schedule) <= opens:
        day = trading_day(day_end(day))
    return opens


def _opening(day: date) -> datetime:
    """Return when trading for a TradingDay starts: 17:00 of the evening before, on Sunday for a Monday."""
    return chicago(day - timedelta(days=1), RESET_TIME)


def last_close(at: datetime, schedule: Schedule | None = None) -> datetime:
    """Return when the market last stopped being open, at an instant at which it is closed."""
    day = trading_day(at)
    while (closes := _close_of(day, schedule)) > at or closes <= day_start(day):
        day = trading_day(day_start(day) - timedelta.resolution)
    return closes

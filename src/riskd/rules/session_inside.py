"""Whether trading hours lie inside others: the proof that a change of a session only makes it stricter."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final

from riskd.domain.exchange_days import CLOSING_TIMES
from riskd.rules.session_params import CHICAGO, SessionHours
from riskd.rules.session_times import MIDNIGHT, SessionTimes, TimeRange
from riskd.rules.timetable import BEFORE_EXCHANGE_CLOSE

_ANY_DAY: Final = date(2026, 1, 1)


def inside(hours: SessionHours, wider: SessionHours) -> bool:
    """Tell whether it is proven that nothing may be held under ``hours`` at a time when it may not under ``wider``.

    Shape: False where the two are written in different zones, since their clocks may change on different days.
    """
    if hours.timezone != wider.timezone:
        return False
    return _within(hours.times, wider.times) and _flat_as_early(hours, wider)


def _within(times: SessionTimes, wider: SessionTimes) -> bool:
    """Compare at every wall time at which either may change; in between neither does."""
    clocks = sorted({MIDNIGHT, *_edges(times), *_edges(wider)})
    return all(
        _contains(wider, weekday, clock) for weekday in range(7) for clock in clocks if _contains(times, weekday, clock)
    )


def _contains(times: SessionTimes, weekday: int, clock: time) -> bool:
    return any(window.contains(weekday, clock) for window in times.windows)


def _ranges(times: SessionTimes) -> Iterator[TimeRange]:
    return (span for window in times.windows for span in window.ranges)


def _edges(times: SessionTimes) -> Iterable[time]:
    return (clock for span in _ranges(times) for clock in (span.start, span.end))


def _flat_as_early(hours: SessionHours, wider: SessionHours) -> bool:
    """Tell whether the lead before an end, which is longer by itself where the exchange closes, can only have grown."""
    if hours.flat_lead is not None:
        return hours.flat_lead >= (BEFORE_EXCHANGE_CLOSE if wider.flat_lead is None else wider.flat_lead)
    if wider.flat_lead is not None and wider.flat_lead > timedelta(0):
        return False
    # Ends are compared by themselves only where nothing else changed: a range may end inside another one.
    near_close = any(_shortly_before_a_close(span.end) for span in _ranges(hours.times))
    return hours.times == wider.times or (hours.timezone == CHICAGO and not near_close)


def _shortly_before_a_close(end: time) -> bool:
    """Tell whether an end is nearer to a close of the exchange than the lead that is kept before that close itself."""
    return any(
        (datetime.combine(_ANY_DAY, close) - BEFORE_EXCHANGE_CLOSE).time() < end < close for close in CLOSING_TIMES
    )

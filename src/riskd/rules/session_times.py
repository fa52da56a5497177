"""Weekly trading hours in the wall clock of one place.

Ranges are half-open. One that ends before it starts runs over midnight and belongs to the day it starts on. On the days
when daylight saving changes the wall clock rules: an hour that occurs twice is inside twice.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MIDNIGHT: Final = time(0)
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class TimeRange(msgspec.Struct, frozen=True):
    """From ``start`` until just before ``end``; an end at or before the start is on the following day."""

    start: time
    end: time

    @property
    def over_midnight(self) -> bool:
        """Tell whether the range ends on the day after the one it starts on."""
        return self.end <= self.start

    def __str__(self) -> str:
        """Return it as a trader writes it."""
        end = "24:00" if self.end == MIDNIGHT else f"{self.end:%H:%M}"
        return f"{self.start:%H:%M}-{end}"


class Window(msgspec.Struct, frozen=True):
    """Ranges of the wall clock on some days of the week, Monday 0."""

    days: frozenset[int]
    ranges: tuple[TimeRange, ...]

    def contains(self, weekday: int, clock: time) -> bool:
        """Tell whether a time of a weekday is inside."""
        return any(self._in_range(span, weekday, clock) for span in self.ranges)

    def _in_range(self, span: TimeRange, today: int, clock: time) -> bool:
        opened_today = today in self.days and clock >= span.start and (span.over_midnight or clock < span.end)
        opened_yesterday = span.over_midnight and (today - 1) % 7 in self.days and clock < span.end
        return opened_today or opened_yesterday

    def __str__(self) -> str:
        """Return it as a trader says it."""
        return f"{', '.join(str(span) for span in self.ranges)} {_show_days(self.days)}"


class SessionTimes(msgspec.Struct, frozen=True):
    """The hours of a week in which trading is allowed, in the wall clock of ``zone``."""

    windows: tuple[Window, ...]
    zone: str

    def contains(self, at: datetime) -> bool:
        """Tell whether an instant is inside by the wall clock."""
        local = at.astimezone(ZoneInfo(self.zone))
        return any(window.contains(local.weekday(), local.time()) for window in self.windows)

    def next_change(self, at: datetime) -> datetime | None:
        """Return the next instant, after this one, at which the verdict changes; None if it never does."""
        inside = self.contains(at)
        for candidate in sorted(self._boundaries(at)):
            if candidate > at and self.contains(candidate) is not inside:
                return candidate
        return None

    def _boundaries(self, at: datetime) -> Iterator[datetime]:
        """Give every instant of the coming week and a day at which a range may start or end."""
        zone = ZoneInfo(self.zone)
        first = at.astimezone(zone).date()
        spans = [span for window in self.windows for span in window.ranges]
        clocks = sorted({clock for span in spans for clock in (span.start, span.end)} | {MIDNIGHT})
        for offset in range(9):
            day = first + offset * _DAY
            for clock in clocks:
                # both readings of a wall time that occurs twice
                yield _utc(day, clock, zone, fold=0)
                yield _utc(day, clock, zone, fold=1)
            yield from _clock_changes(day, zone)

    def __str__(self) -> str:
        """Return it as a trader says it."""
        return f"{' and '.join(str(window) for window in self.windows)} ({self.zone})"


def _utc(day: date, clock: time, zone: ZoneInfo, *, fold: int) -> datetime:
    return datetime.combine(day, clock.replace(fold=fold), tzinfo=zone).astimezone(UTC)


def _clock_changes(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Give the instant at which the clocks of this place change on this day, if they do."""
    low, high = _utc(day, MIDNIGHT, zone, fold=0), _utc(day + _DAY, MIDNIGHT, zone, fold=0)
    before, later = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
    if before == later:
        return
    while high - low > _SECOND:
        middle = low + _SECOND * ((high - low) // _SECOND // 2)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    yield high


def _show_days(days: Iterable[int]) -> str:
    """Render weekdays, a run of three or more as its ends: ``Monday-Friday``."""
    found = sorted(days)
    runs: list[list[int]] = []
    for day in found:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(
        f"{WEEKDAYS[run[0]]}-{WEEKDAYS[run[-1]]}" if run[2:] else ", ".join(WEEKDAYS[d] for d in run) for run in runs
    )

"""The times of a scenario: Chicago wall time, on a date that only ever moves forward."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from riskd.app.scenario.language import Until
from riskd.app.scenario.words import Unreadable, Words
from riskd.domain.calendar import CHICAGO, RESET_TIME, next_reset

_DATE: Final = re.compile(r"^\d{4}-\d\d-\d\d$")
_TIME: Final = re.compile(r"^(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?$")


def is_date(word: str) -> bool:
    """Tell whether a word looks like a calendar date."""
    return _DATE.match(word) is not None


def is_time(word: str) -> bool:
    """Tell whether a word looks like a time of day."""
    return _TIME.match(word) is not None


def read_date(words: Words) -> date:
    """Take a calendar date."""
    if not is_date(words.next):
        raise words.fail("a date such as 2026-03-10")
    try:
        found = date.fromisoformat(words.next)
    except ValueError:
        raise words.fail("a possible date") from None
    words.take("a date")
    return found


def read_time(words: Words) -> time:
    """Take a time of day, with optional seconds and fractions."""
    match = _TIME.match(words.next)
    if match is None:
        raise words.fail("a time such as 09:31 or 09:31:05.250")
    hour, minute, second, fraction = match.groups()
    try:
        found = time(int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))
    except ValueError:
        raise words.fail("a time between 00:00 and 23:59:59") from None
    words.take("a time")
    return found


@dataclass(slots=True)
class ScenarioClock:
    """Where the reading of a scenario stands: its calendar date, and the time of the last line that had one."""

    day: date | None = None
    now: datetime | None = None

    def starts_with_time(self, words: Words) -> bool:
        """Tell whether a line begins with a time, a date and time, or ``next day`` and a time."""
        return is_time(words.next) or is_date(words.next) or words.rest[:2] == ["next", "day"]

    def read(self, words: Words) -> datetime:
        """Take the time that a line begins with, and move to it.

        Errors: Unreadable when it goes back, or is skipped by daylight saving.
        """
        day = self._day(words)
        at = self._instant(day, read_time(words))
        if self.now is not None and at < self.now:
            raise Unreadable(
                f"expected a time at or after the line above ({self._show(self.now)}), "
                f"found {self._show(at)}; the following date is written 'next day'"
            )
        self.day, self.now = day, at
        return at

    def read_until(self, words: Words) -> Until:
        """Take the end of a lock: ``admin``, or a time that comes next, with a date where it is further off."""
        if words.took("admin"):
            return Until("admin", ())
        if self.now is None:
            raise Unreadable("expected a line with a time before this one")
        dated = is_date(words.next) or words.rest[:2] == ["next", "day"]
        text = " ".join(words.rest[: 2 if is_date(words.next) else 3 if dated else 1])
        day = self._day(words)
        clock = read_time(words)
        if dated:
            return Until(text, (self._instant(day, clock),))
        at = self._instant(day, clock)
        if at <= self.now:
            at = self._instant(day + timedelta(days=1), clock)
        # On a Friday evening 'until 17:00' is the reset on Monday, and nobody would write the date.
        return Until(text, (at, next_reset(self.now)) if clock == RESET_TIME else (at,))

    def _day(self, words: Words) -> date:
        if is_date(words.next):
            return read_date(words)
        if self.day is None:
            raise Unreadable("expected a line 'date 2026-03-10' before the first time")
        if words.took("next"):
            words.take("day")
            return self.day + timedelta(days=1)
        return self.day

    def _instant(self, day: date, clock: time) -> datetime:
        local = datetime.combine(day, clock, tzinfo=CHICAGO)
        at = local.astimezone(UTC)
        if at.astimezone(CHICAGO).time() != clock:
            raise Unreadable(f"expected a time that exists; daylight saving skips {clock} on {day}")
        # In autumn an hour comes twice: a line that would go back in the first one means the second.
        if self.now is not None and at < self.now:
            return local.replace(fold=1).astimezone(UTC)
        return at

    @staticmethod
    def _show(at: datetime) -> str:
        return f"{at.astimezone(CHICAGO):%Y-%m-%d %H:%M:%S}"

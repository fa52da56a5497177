"""How a trader writes trading hours: days and times, or a preset, for all instruments or for one product."""

import re
from datetime import time, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from riskd.rules.durations import Duration
from riskd.rules.params import NOT_EMPTY, RuleParams, list_to_tuple
from riskd.rules.session_times import MIDNIGHT, WEEKDAYS, SessionTimes, TimeRange, Window
from riskd.rules.tightness import FEWER, FIXED, Tightness

CHICAGO: Final = "America/Chicago"
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_DEFAULT_LEAD: Final = timedelta(minutes=5)

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
Preset = Literal["RTH", "ETH", "24/5", "topstep"]


def _clock(value: object) -> time:
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        shown = f'"{value}"' if isinstance(value, str) else "this"
        raise PydanticCustomError(
            "clock", '{shown} is not a time of day; write it as "08:30" or "15:00"', {"shown": shown}
        )
    hour, minute, second = found.groups()
    return time(int(hour), int(minute), int(second or 0))


def _end(value: object) -> time:
    return MIDNIGHT if isinstance(value, str) and value.strip() == "24:00" else _clock(value)


_SCHEMA: Final = WithJsonSchema(
    {"type": "string", "pattern": r"^\d{1,2}:\d{2}(:\d{2})?$", "examples": ["08:30", "15:00"]}
)
StartTime = Annotated[time, BeforeValidator(_clock), _SCHEMA]
EndTime = Annotated[time, BeforeValidator(_end), _SCHEMA]


class AllowedTime(RuleParams):
    """One range of the wall clock, from `start` until just before `end`; one that ends earlier runs over midnight."""

    start: StartTime
    end: EndTime

    @model_validator(mode="after")
    def _not_empty(self) -> "AllowedTime":
        if self.start == self.end != MIDNIGHT:
            raise PydanticCustomError("range", 'starts and ends at one time; write "00:00" to "24:00" for a whole day')
        return self

    @property
    def span(self) -> TimeRange:
        """Return it as the rule uses it."""
        return TimeRange(self.start, self.end)


def _minutes(span: AllowedTime) -> tuple[int, int]:
    start = span.start.hour * 3600 + span.start.minute * 60 + span.start.second
    end = span.end.hour * 3600 + span.end.minute * 60 + span.end.second
    return start, end if end > start else end + 86_400


def _covered(span: AllowedTime, by: AllowedTime) -> bool:
    (start, end), (low, high) = _minutes(span), _minutes(by)
    return low <= start and end <= high


def _times_within(old: object, new: object) -> bool:
    if old is None or new is None:
        return old is None
    match old, new:
        case (tuple() as before, tuple() as later):
            return all(any(_covered(span, wider) for wider in before) for span in later)
        case _:
            return False


def _days_within(old: object, new: object) -> bool:
    if old is None or new is None:
        return old is None
    return FEWER.holds(old, new)


def _lead_grows(old: object, new: object) -> bool:
    match old, new:
        case (None, timedelta() as later):
            return later >= _DEFAULT_LEAD
        case (timedelta() as before, timedelta() as later):
            return later >= before
        case _:
            return old == new


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "zone", '"{zone}" is not a time zone; write one such as "America/Chicago"', {"zone": value}
        ) from None
    return value


class SessionHours(RuleParams):
    """Trading hours: `allowed_days` and `allowed_times`, or a `preset`.

    Shape: days alone mean whole days, times alone mean every day. `flat_lead` is how long before the end everything is
    closed: by default nothing, but five minutes where the exchange itself closes, since nothing can be closed after it.
    """

    allowed_days: Annotated[
        Annotated[tuple[Weekday, ...], NOT_EMPTY] | None,
        BeforeValidator(list_to_tuple),
        Tightness("fewer days are tighter", _days_within),
    ] = None
    allowed_times: Annotated[
        Annotated[tuple[AllowedTime, ...], NOT_EMPTY] | None,
        BeforeValidator(list_to_tuple),
        Tightness("ranges inside the old ones are tighter", _times_within),
    ] = None
    preset: Annotated[Preset | None, FIXED] = None
    timezone: Annotated[str, AfterValidator(_zone), FIXED] = CHICAGO
    flat_lead: Annotated[Duration | None, Tightness("a longer time is tighter", _lead_grows)] = None

    @model_validator(mode="after")
    def _one_way(self) -> "SessionHours":
        by_hand = self.allowed_days is not None or self.allowed_times is not None
        if by_hand and self.preset is not None:
            raise PydanticCustomError("session", "has both a preset and days or times; keep one of them")
        if not by_hand and self.preset is None:
            raise PydanticCustomError("session", 'needs allowed_days and allowed_times, or a preset such as "RTH"')
        return self

    @property
    def times(self) -> SessionTimes:
        """Return the hours as the rule uses them."""
        if self.preset is not None:
            return SessionTimes(PRESETS[self.preset], self.timezone)
        days = frozenset(WEEKDAYS.index(day) for day in self.allowed_days or WEEKDAYS)
        ranges = tuple(span.span for span in self.allowed_times) if self.allowed_times else (_WHOLE_DAY,)
        return SessionTimes((Window(days, ranges),), self.timezone)


_WHOLE_DAY: Final = TimeRange(MIDNIGHT, MIDNIGHT)
_MONDAY_TO_FRIDAY: Final = frozenset(range(5))
_MONDAY_TO_THURSDAY: Final = frozenset(range(4))
_FRIDAY: Final = frozenset({4})
_SUNDAY: Final = frozenset({6})
_EVENINGS: Final = _MONDAY_TO_THURSDAY | _SUNDAY

PRESETS: Final[dict[Preset, tuple[Window, ...]]] = {
    "RTH": (Window(_MONDAY_TO_FRIDAY, (TimeRange(time(8, 30), time(15)),)),),
    "ETH": (Window(_EVENINGS, (TimeRange(time(17), time(16)),)),),
    "24/5": (
        Window(_SUNDAY, (TimeRange(time(17), MIDNIGHT),)),
        Window(_MONDAY_TO_THURSDAY, (_WHOLE_DAY,)),
        Window(_FRIDAY, (TimeRange(MIDNIGHT, time(16)),)),
    ),
    "topstep": (Window(_EVENINGS, (TimeRange(time(17), time(15, 10)),)),),
}
"""Hours in Chicago time. Source: exchange hours of the equity index contracts; Topstep's flat-by time, 15:10."""

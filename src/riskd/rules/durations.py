"""Durations as people write them: always with a unit, never with two readings."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

EXAMPLES: Final = '"30s", "5min", "1h", "1h30min" or "PT5M"'

# "5m" is left out on purpose: minutes to one reader, months to another.
_MICROSECONDS: Final = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000_000),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60_000_000),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000_000),
}
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)\s*", re.ASCII)
_ISO: Final = re.compile(r"P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Read a duration such as ``5min``, ``1h30min`` or ``PT5M``.

    Errors: ValueError that says what to write instead, for a bare number, an unknown unit and anything ambiguous.
    """
    wanted = text.strip()
    if wanted.startswith("P"):
        return _iso(wanted)
    parts = wanted.lower()
    if re.fullmatch(r"[\d.]+", parts):
        raise ValueError(f'"{text}" has no unit; write {EXAMPLES}')
    total, position = 0, 0
    for part in _PART.finditer(parts):
        if part.start() != position:
            break
        total += _microseconds(part.group(1), part.group(2), text)
        position = part.end()
    if position != len(parts) or position == 0:
        raise ValueError(f'"{text}" is not a duration; write {EXAMPLES}')
    return timedelta(microseconds=total)


def _microseconds(number: str, unit: str, text: str) -> int:
    if unit == "m":
        raise ValueError(f'"{text}" could mean minutes or months; write "{number}min"')
    if unit not in _MICROSECONDS:
        raise ValueError(f'"{text}" has the unknown unit "{unit}"; write {EXAMPLES}')
    return int(Decimal(number) * _MICROSECONDS[unit])


def _iso(text: str) -> timedelta:
    found = _ISO.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f'"{text}" is not an ISO 8601 duration; write {EXAMPLES}')
    units = ("d", "h", "min", "s")
    return timedelta(
        microseconds=sum(
            _microseconds(number, unit, text) for number, unit in zip(found.groups(), units, strict=True) if number
        )
    )


def show_duration(duration: timedelta) -> str:
    """Render a duration the way it is written in a configuration, such as ``1h30min``."""
    seconds, microseconds = duration.days * 86_400 + duration.seconds, duration.microseconds
    parts = [(seconds // 3600, "h"), (seconds % 3600 // 60, "min"), (seconds % 60, "s"), (microseconds // 1000, "ms")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        found = value
    elif isinstance(value, str):
        try:
            found = parse_duration(value)
        except (ValueError, OverflowError) as error:
            raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None
    else:
        raise PydanticCustomError("duration", "a duration is text with a unit: {examples}", {"examples": EXAMPLES})
    if found < timedelta(0):
        raise PydanticCustomError("duration", "a duration cannot be negative")
    return found


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise PydanticCustomError("duration", "must be longer than zero")
    return value


_SCHEMA: Final = WithJsonSchema(
    {
        "type": "string",
        "description": 'a duration with its unit, such as "30s" or "5min"',
        "examples": ["30s", "5min", "1h", "PT5M"],
    }
)

Duration = Annotated[timedelta, BeforeValidator(_duration), _SCHEMA]
"""Zero or longer."""

PositiveDuration = Annotated[timedelta, BeforeValidator(lambda value: _positive(_duration(value))), _SCHEMA]
"""Longer than zero."""

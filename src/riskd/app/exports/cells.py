"""What stands in one cell: exact decimals, counts, and times with their own offset."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from riskd.app.exports.table import UnreadableRow

_DECIMAL: Final = re.compile(r"^[+-]?\d{1,12}(?:\.\d{1,15})?$")
_COUNT: Final = re.compile(r"^\d{1,6}$")
_US_TIME: Final = re.compile(
    r"^(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,9}))? ?(Z|[+-]\d\d:?\d\d)$"
)
_ISO_TIME: Final = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$")


def decimal(text: str, column: str) -> Decimal:
    """Read an exact decimal without trailing zeros (``24432.500000000`` becomes ``24432.5``).

    Errors: UnreadableRow for anything else, exponents and NaN included.
    """
    if not _DECIMAL.match(text):
        raise UnreadableRow(f"{column} is not a number: {text!r}")
    # Adding zero turns the 2.4E+4 that normalize makes of 24000.00 back into 24000.
    return Decimal(text).normalize() + Decimal(0)


def count(text: str, column: str) -> int:
    """Read a positive number of contracts.

    Errors: UnreadableRow for anything else, zero included.
    """
    if not _COUNT.match(text) or int(text) == 0:
        raise UnreadableRow(f"{column} is not a number of contracts: {text!r}")
    return int(text)


def time_with_offset(text: str, column: str) -> datetime:
    """Read a time as the platform exports it (``03/13/2026 09:30:28 +01:00``) or in ISO 8601, as UTC.

    Errors: UnreadableRow when it is no time, or does not say its offset.
    """
    match = _US_TIME.match(text)
    if match:
        month, day, year, hour, minute, second, fraction, offset = match.groups()
        return _instant(f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{minute}:{second}", fraction, offset)
    match = _ISO_TIME.match(text)
    if match is None or match.group(4) is None:
        raise UnreadableRow(f"{column} is not a time with its UTC offset: {text!r}")
    return _instant(f"{match.group(1)}T{match.group(2)}", match.group(3), match.group(4))


def utc_time(text: str, column: str) -> datetime:
    """Read an ISO 8601 time of a column that is in UTC by definition; an offset, where given, is followed."""
    match = _ISO_TIME.match(text)
    if match is None:
        raise UnreadableRow(f"{column} is not an ISO 8601 time: {text!r}")
    return _instant(f"{match.group(1)}T{match.group(2)}", match.group(3), match.group(4) or "Z")


def _instant(moment: str, fraction: str | None, offset: str) -> datetime:
    # Feeds give nanoseconds; datetime keeps microseconds, and cutting never moves a time past a later one.
    micros = (fraction or "")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{moment}.{micros}{offset.replace('Z', '+00:00')}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableRow(f"{moment}{offset} is not a possible time") from None

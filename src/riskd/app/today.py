"""The date in Chicago, for commands that a person runs; the daemon's time is the broker's."""

from datetime import UTC, date, datetime

from riskd.domain.calendar import CHICAGO


def today() -> date:
    """Return the calendar date in Chicago by this machine's clock."""
    return datetime.now(UTC).astimezone(CHICAGO).date()

"""When a session forces an account flat: its hours, shortened by the lead and by the exchange's own close."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from riskd.domain.calendar import last_close, market_open
from riskd.domain.exchange_days import Schedule
from riskd.rules.session_times import SessionTimes

BEFORE_EXCHANGE_CLOSE: Final = timedelta(minutes=5)


class Stretch(msgspec.Struct, frozen=True):
    """One stretch of time with one verdict.

    Shape: from ``since`` until just before ``until`` (None: for ever). ``flat_by`` is when everything must be closed,
    only in an allowed stretch that ends.
    """

    allowed: bool
    since: datetime
    until: datetime | None
    flat_by: datetime | None = None


class Timetable:
    """Answer for one set of hours; remembers the stretch it last looked at, since thousands of events fall into one.

    Shape: a session ends where the exchange closes early or does not open, by the ``schedule`` of the product.
    """

    def __init__(self, times: SessionTimes, flat_lead: timedelta | None, schedule: Schedule | None = None) -> None:
        """Keep the hours; no lead means none, but five minutes before the exchange's own close."""
        self.times = times
        self._lead = flat_lead
        self._schedule = schedule
        self._last: Stretch | None = None

    def stretch(self, at: datetime) -> Stretch:
        """Return the stretch that an instant falls into."""
        last = self._last
        if last is None or at < last.since or (last.until is not None and at >= last.until):
            last = self._last = self._found(at)
        return last

    def blocked(self, at: datetime) -> bool:
        """Tell whether nothing may be held or entered at this instant."""
        stretch = self.stretch(at)
        return not stretch.allowed or (stretch.flat_by is not None and at >= stretch.flat_by)

    def next_verdict(self, at: datetime) -> datetime | None:
        """Return the next instant at which ``blocked`` may answer differently."""
        stretch = self.stretch(at)
        if stretch.flat_by is not None and at < stretch.flat_by:
            return stretch.flat_by
        return stretch.until

    def _found(self, at: datetime) -> Stretch:
        allowed, until = self.times.contains(at), self.times.next_change(at)
        flat_by = self._flat_by(until) if allowed and until is not None else None
        return Stretch(allowed=allowed, since=at, until=until, flat_by=flat_by)

    def _flat_by(self, end: datetime) -> datetime:
        # Until 17:00 is as good as until 16:00: the market is open at that end, but was not just before it.
        before = end - timedelta.resolution
        closed_at = next((at for at in (before, end) if not market_open(at, self._schedule)), None)
        if closed_at is None:
            return end - (self._lead or timedelta(0))
        lead = BEFORE_EXCHANGE_CLOSE if self._lead is None else self._lead
        return last_close(closed_at, self._schedule) - lead

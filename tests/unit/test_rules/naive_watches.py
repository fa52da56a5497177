"""The rules that watch the clock, stops, products, connections and the balance, once more and as plainly.

Written like `naive.py`: from the description of the rules, not from their code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.unit.test_rules.naive import FAMILY, POINT, Book, Resting, exits

CHICAGO = ZoneInfo("America/Chicago")
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHUT = time(0)
_INDEX = {
    date(2025, 11, 27): time(12),
    date(2025, 11, 28): time(12, 15),
    date(2025, 12, 24): time(12, 15),
    date(2025, 12, 25): SHUT,
}
_CRUDE = {
    date(2025, 11, 27): time(13, 30),
    date(2025, 11, 28): time(12, 45),
    date(2025, 12, 24): time(12, 45),
    date(2025, 12, 25): SHUT,
}
STOPS_EARLY: Mapping[str, Mapping[date, time]] = {"nasdaq": _INDEX, "sp": _INDEX, "crude": _CRUDE}
"""Some holidays of the exchange: when each family stops in Chicago, midnight for a day that never opens."""

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Hours:
    """Weekdays and ranges of wall time at which one may trade; `lead` None is the usual one."""

    days: tuple[str, ...]
    ranges: tuple[tuple[time, time], ...]
    zone: ZoneInfo = CHICAGO
    lead: timedelta | None = None

    def allow(self, root: str, at: datetime) -> bool:
        """Tell whether a position in this product may be held."""
        return any(at < self._flat_by(root, ends) for begins, ends in self._sessions(at) if begins <= at < ends)

    def _sessions(self, at: datetime) -> list[Span]:
        """Return the sessions of the weeks around, those that touch as one."""
        today = at.astimezone(self.zone).date()
        dates = [today + timedelta(days=offset) for offset in range(-9, 10)]
        named = [day for day in dates if WEEK[day.weekday()] in self.days]
        joined: list[Span] = []
        for begins, ends in sorted(self._span(day, *span) for day in named for span in self.ranges):
            if joined and begins <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(joined[-1][1], ends)
            else:
                joined.append((begins, ends))
        return joined

    def _span(self, day: date, start: time, end: time) -> Span:
        last = day if end > start else day + timedelta(days=1)
        return self._utc(day, start), self._utc(last, end)

    def _utc(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, tzinfo=self.zone).astimezone(UTC)

    def _flat_by(self, root: str, ends: datetime) -> datetime:
        """Go back from the end to when something could still be closed, and by the lead."""
        last = ends
        while _shut(root, last - timedelta(seconds=1)):
            last -= timedelta(minutes=last.minute % 15 or 15)
        by_exchange = last < ends or _shut(root, ends)
        usual = timedelta(minutes=5) if by_exchange else timedelta(0)
        return last - (usual if self.lead is None else self.lead)


def _shut(root: str, at: datetime) -> bool:
    """Tell whether the exchange is closed."""
    local = at.astimezone(CHICAGO)
    name, clock, evening = WEEK[local.weekday()], local.time(), time(17)
    tomorrow = local.date() + timedelta(days=1)
    if name == "Saturday" or (name == "Sunday" and clock < evening) or (name == "Friday" and clock >= evening):
        return True
    if clock >= evening:
        return STOPS_EARLY[FAMILY[root]].get(tomorrow) == SHUT
    return clock >= STOPS_EARLY[FAMILY[root]].get(local.date(), time(16))


PRESETS = {
    "RTH": Hours(WEEK[:5], ((time(8, 30), time(15)),)),
    "ETH": Hours(("Sunday", *WEEK[:4]), ((time(17), time(16)),)),
    "24/5": Hours(("Sunday", *WEEK[:4]), ((time(17), time(17)),)),
    "topstep": Hours(("Sunday", *WEEK[:4]), ((time(17), time(15, 10)),)),
}


def outside(book: Book, hours: Mapping[str, Hours]) -> tuple[dict[str, int], list[str]]:
    """Return what is to be closed and cancelled because its hours, by product, are over."""
    shut = [root for root in POINT if not hours[root].allow(root, book.now)]
    return _all_closed(book, shut), _entries(book, shut)


def blocked(book: Book, roots: list[str]) -> tuple[dict[str, int], list[str]]:
    """Return what is to be closed and cancelled in blocked products."""
    return _all_closed(book, roots), _entries(book, roots)


def _all_closed(book: Book, roots: list[str]) -> dict[str, int]:
    return {root: abs(book.quantity(root)) for root in roots if book.quantity(root)}


def _entries(book: Book, roots: list[str]) -> list[str]:
    """Return the orders that could open something; an exit goes with the position it belongs to."""
    closing = exits({root: book.quantity(root) for root in POINT}, book.orders)
    return sorted(o.name for o in book.orders if o.root in roots and abs(o.quantity) > closing[o.name])


@dataclass
class StopWatch:
    """Since when each position has gone without enough stops."""

    grace: timedelta
    accept: tuple[str, ...]
    most_risk: Fraction | None
    since: dict[tuple[str, int], datetime] = field(default_factory=dict)

    def look(self, book: Book) -> None:
        """Start the clock of what is uncovered now, and stop all others."""
        bare = [(root, book.numbers[root]) for root in POINT if book.quantity(root) and not self._covered(book, root)]
        self.since = {position: self.since.get(position, book.now) for position in bare}

    def overdue(self, book: Book) -> dict[str, int]:
        """Return the positions whose grace has run out."""
        late = [root for (root, _), since in self.since.items() if book.now - since >= self.grace]
        return _all_closed(book, late)

    def _covered(self, book: Book, root: str) -> bool:
        held = book.quantity(root)
        stops = [o for o in book.orders if o.root == root and o.kind in self.accept and not o.asleep]
        against = [o for o in stops if o.quantity * held < 0]
        if self.most_risk is None:
            return sum(abs(o.quantity) for o in against) >= abs(held)
        singles: list[Fraction] = []
        for stop in sorted(against, key=_level, reverse=held > 0):
            singles += [_level(stop)] * abs(stop.quantity)
        if len(singles) < abs(held):
            return False
        paid = sum((one.price for one in book.held if one.root == root), Fraction(0))
        left = sum(singles[: abs(held)], Fraction(0))
        lost = (paid - left if held > 0 else left - paid) * POINT[root]
        return lost <= self.most_risk


def _level(order: Resting) -> Fraction:
    assert order.stop is not None
    return order.stop


def blind(lost: Mapping[str, datetime], after: timedelta, now: datetime) -> list[str]:
    """Return the connections to tell of."""
    return sorted(link for link, since in lost.items() if now - since >= after)


@dataclass
class Purse:
    """The balance of one account from the start, and how low it may go."""

    kind: str
    drawdown: Fraction
    lock_at: Fraction | None
    buffer: Fraction
    balance: Fraction
    peak: Fraction

    def seen(self, equity: Fraction) -> None:
        """Take note of balance and open result together."""
        if self.kind == "intraday_trailing":
            self.peak = max(self.peak, equity)

    def day_over(self) -> None:
        """Take note of what a day ended with."""
        if self.kind == "eod_trailing":
            self.peak = max(self.peak, self.balance)

    def floor(self) -> Fraction:
        """Return where it ends."""
        below = self.peak - self.drawdown
        return below if self.lock_at is None else min(below, self.lock_at)

    def over(self, equity: Fraction) -> bool:
        """Tell whether that is the end of the account."""
        return equity <= self.floor() + self.buffer

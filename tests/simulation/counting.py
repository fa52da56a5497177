"""Which trades are too many, by the judge's own counting."""

from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from tests.simulation.limits import Count
from tests.simulation.truth import Change, Today

MERGED_WITHIN: Final = timedelta(seconds=2)
REMEMBERED: Final = timedelta(hours=24)
ALIKE_WITHIN: Final = timedelta(seconds=70)
"""How long after a close of riskd's a trader's order on its side may be taken for riskd's, which counts for nothing.

A close of which riskd was in doubt is watched for a minute.
"""


@dataclass(slots=True)
class Entry:
    """One trade: the first of its fills, and the orders that belong to it."""

    began_at: datetime
    contract: str
    buys: bool
    excess: bool
    orders: set[int] = field(default_factory=set)


class Counting:
    """Counts one account's trades as they happen, and keeps what may stay of what they opened.

    Shape: a trade beyond the count does not count itself; ``may_stay`` maps contract to signed contracts and only ever
    shrinks towards zero but for what a trade within the count opens.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._entries: deque[Entry] = deque()
        self._unsure_until: datetime | None = None
        self._closed_at: dict[tuple[str, bool], datetime] = {}
        self.may_stay: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._today = Today()
        self._day = date.min

    def changed(self, change: Change, *, own: bool) -> None:
        """Take a position that changed; ``own`` tells that riskd's close did it."""
        self._doubt(change, own=own)
        self._forget(change.at)
        before, after = change.before, change.after
        opened = after - before if abs(after) > abs(before) and not change.voided else 0
        if opened and before == 0:
            self.may_stay[change.contract] = 0
        within = not opened or own or not self._entry(change, buys=after > before).excess
        if opened and within:
            self.may_stay[change.contract] = self.may_stay.get(change.contract, 0) + opened
        self._held[change.contract] = after
        self.may_stay[change.contract] = _towards_zero(self.may_stay.get(change.contract, 0), after)

    def is_beyond(self, now: datetime) -> bool | None:
        """Tell whether more is held than may stay, None where that cannot be told."""
        if self._unsure_until is not None:
            if now <= self._unsure_until:
                return None
            # What was held through the doubt may be what riskd has counted otherwise.
            self._unsure_until, self.may_stay = None, dict(self._held)
        self._forget(now)
        return any(held != self.may_stay.get(contract, 0) for contract, held in self._held.items() if held)

    def _doubt(self, change: Change, *, own: bool) -> None:
        """Doubt the count after a trade was taken back, or where one may be taken for riskd's own."""
        side = (change.contract, change.after > change.before)
        closed_at = self._closed_at.get(side)
        if own:
            self._closed_at[side] = change.at
        alike = not own and closed_at is not None and change.at - closed_at <= ALIKE_WITHIN
        if change.voided or (alike and abs(change.after) > abs(change.before)):
            self._unsure_until = change.at + (REMEMBERED if change.voided else 2 * (self._count.window or REMEMBERED))

    def _forget(self, now: datetime) -> None:
        """Forget what no longer counts; with the day, or with a whole one, goes what was too much as well."""
        today = self._today.at(now)
        if self._count.window is None and today != self._day:
            self._entries.clear()
            self.may_stay = dict(self._held)
        self._day = today
        while self._entries and now - self._entries[0].began_at > REMEMBERED:
            self._entries.popleft()

    def _entry(self, change: Change, *, buys: bool) -> Entry:
        """Return the trade that a fill belongs to."""
        for known in reversed(self._entries):
            if change.order_id in known.orders:
                return known
        for known in reversed(self._entries):
            near = change.at - known.began_at <= MERGED_WITHIN
            if near and known.contract == change.contract and known.buys == buys:
                known.orders.add(change.order_id)
                return known
        counted = sum(self._counts(known, change.at) for known in self._entries)
        entry = Entry(change.at, change.contract, buys, counted >= self._count.most, {change.order_id})
        self._entries.append(entry)
        return entry

    def _counts(self, entry: Entry, now: datetime) -> bool:
        inside = self._count.window is None or now - entry.began_at < self._count.window
        return inside and not entry.excess


def _towards_zero(allowed: int, held: int) -> int:
    return min(allowed, held, key=abs) if allowed * held > 0 else 0

"""Random days: the rules that watch clock, stops, products and connections against `naive_watches.py`."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec
import pytest

from riskd.domain.account_view import AccountView
from riskd.domain.events import Link
from riskd.domain.violations import RuleViolation
from tests.support.rule_builders import ct, remembering
from tests.unit.test_rules.naive import Book, Resting
from tests.unit.test_rules.naive_watches import PRESETS, WEEK, Hours, StopWatch, blind, blocked, outside
from tests.unit.test_rules.random_days import ROOTS, STEP, Day, closed, make

CLOCKS = ["00:00", "02:00", "08:30", "12:00", "12:15", "12:45", "13:30", "15:00", "15:10", "16:00", "17:00"]
DATES = [
    *(f"2025-10-{day}" for day in range(13, 21)),
    *("2025-10-31", "2025-11-02", "2025-11-03", "2026-03-06", "2026-03-08", "2026-03-09"),
    *("2025-11-26", "2025-11-27", "2025-11-28", "2025-12-24", "2025-12-25", "2025-12-26"),
]
"""A week, both clock changes, Thanksgiving and Christmas."""


class WatchedDay(Day):
    """A random day whose every step a stop watch looks at, on both sides."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        seconds = self.dice.choice([2, 10, 30, 300])
        accept = self.dice.choice([("stop", "trailing_stop"), ("stop",), ("stop", "stop_limit", "trailing_stop")])
        risk = self.dice.choice([None, None, "50", "400.50", "3000"])
        most = {} if risk is None else {"max_stop_risk": risk}
        self.rule = make("NoStopLossGrace", grace_period=f"{seconds}s", accept=list(accept), **most)
        self.watch = StopWatch(timedelta(seconds=seconds), accept, None if risk is None else Fraction(risk))

    def step(self) -> None:
        """Let something happen, and let both sides see it."""
        super().step()
        self.seen = remembering(self.rule, self.look())
        self.watch.look(self.book())

    def _place(self) -> None:
        root, quantity = self.dice.choice(self.roots), self.dice.choice([-4, -2, -1, 1, 2, 4])
        kind = self.dice.choice(["stop", "stop", "stop", "trailing_stop", "stop_limit", "limit"])
        ticks = self.dice.randint(-60, 60)
        stop = None if kind == "limit" else Fraction(self.marks[root] + ticks * Decimal(STEP[root]))
        self.placed += 1
        asleep = self.dice.random() < 0.1
        self.orders.append(Resting(f"R{self.placed}", root, quantity, stop, self.placed, kind, asleep))

    def _cancel(self) -> None:
        """Cancel an order, wake it, or take contracts off it."""
        if not self.orders:
            return
        place = self.dice.randrange(len(self.orders))
        old = self.orders.pop(place)
        if old.asleep:
            self.orders.insert(place, Resting(old.name, old.root, old.quantity, old.stop, old.placed, old.kind))
        elif abs(old.quantity) > 1 and self.dice.random() < 0.5:
            fewer = old.quantity - (1 if old.quantity > 0 else -1)
            self.orders.insert(place, Resting(old.name, old.root, fewer, old.stop, old.placed, old.kind))


def check_stops(day: WatchedDay) -> None:
    """NoStopLossGrace: what has gone without a sufficient stop for too long, and when the next is due."""
    look, book = day.look(), day.book()
    found = {v.key: closed(v) for v in day.rule.violations(None, look)}
    assert _merged(found) == day.watch.overdue(book)
    due = [since + day.watch.grace for since in day.watch.since.values()]
    assert day.rule.next_deadline(look) == min((at for at in due if at > day.now), default=None)


def check_hours(day: WatchedDay) -> None:
    """SessionBlockOutside: presets, own hours, hours per product, and the exchange's own closes."""
    at = _interesting(day)
    general, params = _hours(day)
    special, own = _hours(day)
    alone = day.dice.random() < 0.5
    hours = {root: special if root == "MNQ" and not alone else general for root in ROOTS}
    rule = make("SessionBlockOutside", **params, **({} if alone else {"instruments": {"MNQ": own}}))
    look = _at(day.look(), at)
    book = Book(day.trades, [o for o in day.orders if not o.asleep], _marks(day), at)
    awake = msgspec.structs.replace(look.account, orders={o.name: look.account.orders[o.name] for o in book.orders})
    found = list(rule.violations(None, look.of(awake)))
    assert (_closed_by(found), _cancelled_by(found)) == outside(book, hours), (at, general, special)
    assert all("outside allowed session" in violation.message for violation in found)


def _interesting(day: Day) -> datetime:
    """Return an instant at a clock time that matters, or a second or a lead beside it."""
    at = ct(f"{day.dice.choice(DATES)} {day.dice.choice(CLOCKS)}")
    beside = day.dice.choice([0, 0, -1, 1, -60, -61, -300, -301, -299, 3600, -3600])
    return at + timedelta(seconds=beside)


def _hours(day: Day) -> tuple[Hours, dict[str, object]]:
    """Return hours as the twin knows them, and as the parameters say them."""
    lead, said = day.dice.choice([(None, None), (None, None), (0, "0s"), (1, "1min"), (5, "5min"), (60, "1h")])
    length = None if lead is None else timedelta(minutes=lead)
    lead_param: dict[str, object] = {} if said is None else {"flat_lead": said}
    if day.dice.random() < 0.4:
        name = day.dice.choice(list(PRESETS))
        return with_lead(PRESETS[name], length), {"preset": name, **lead_param}
    zone = day.dice.choice(["America/Chicago", "America/Chicago", "Europe/London", "Asia/Tokyo"])
    days = [name for name in WEEK if day.dice.random() < 0.7] or ["Wednesday"]
    spans = [tuple(day.dice.sample(CLOCKS, 2)) for _ in range(day.dice.choice([1, 1, 2]))]
    ranges = tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in spans)
    times = [{"start": start, "end": end} for start, end in spans]
    params = {"allowed_days": days, "allowed_times": times, "timezone": zone, **lead_param}
    return Hours(tuple(days), ranges, ZoneInfo(zone), length), params


def with_lead(hours: Hours, lead: timedelta | None) -> Hours:
    """Return the same hours with another lead."""
    return Hours(hours.days, hours.ranges, hours.zone, lead)


def check_blocks(day: WatchedDay) -> None:
    """SymbolBlock: every position and entry of a blocked product, nothing of another."""
    roots = day.dice.sample(ROOTS, day.dice.choice([1, 2]))
    look = day.look()
    book = Book(day.trades, [o for o in day.orders if not o.asleep], _marks(day), day.now)
    awake = msgspec.structs.replace(look.account, orders={o.name: look.account.orders[o.name] for o in book.orders})
    found = list(make("SymbolBlock", blocked_symbols=roots).violations(None, look.of(awake)))
    assert (_closed_by(found), _cancelled_by(found)) == blocked(book, roots)


def check_links(day: WatchedDay) -> None:
    """AuthLossGuard: every connection that has been lost for long enough, and nothing is closed."""
    seconds = day.dice.choice([0, 1, 30])
    lost = {
        link: day.now - timedelta(seconds=day.dice.choice([0, 1, 29, 30, 31]))
        for link in Link
        if day.dice.random() < 0.4
    }
    look = day.look()
    state = msgspec.structs.replace(look.account, down=lost)
    found = list(make("AuthLossGuard", after=f"{seconds}s").violations(None, look.of(state)))
    named = {link.value: since for link, since in lost.items()}
    assert sorted(violation.key for violation in found) == blind(named, timedelta(seconds=seconds), day.now)
    assert not any(v.reductions or v.cancels or v.lock for v in found)


def _at(look: AccountView, at: datetime) -> AccountView:
    return AccountView(look.account, market=look.market, instruments=look.instruments, at=at)


def _marks(day: Day) -> dict[str, Fraction]:
    return {root: Fraction(price) for root, price in day.marks.items()}


def _closed_by(found: list[RuleViolation]) -> dict[str, int]:
    return _merged({str(number): closed(violation) for number, violation in enumerate(found)})


def _merged(found: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {root: count for cuts in found.values() for root, count in cuts.items()}


def _cancelled_by(found: list[RuleViolation]) -> list[str]:
    return sorted(order for violation in found for order in violation.cancels)


CHECKS = (check_stops, check_hours, check_blocks, check_links)


def live(seed: int, *, steps: int, look_every: int = 1) -> None:
    """Live one random day, and hold every rule against its twin after each step or some of them."""
    day = WatchedDay(seed)
    for number in range(1, steps + 1):
        day.step()
        if number % look_every == 0:
            for check in CHECKS:
                check(day)


@pytest.mark.parametrize("seed", range(12))
def test_random_days_are_watched_alike(seed: int) -> None:
    """Hours, stops, blocked products and lost connections are judged as the plain-spoken rules judge them."""
    live(seed, steps=12)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_random_days_are_watched_alike() -> None:
    """The same for 20,000 days; the seed of a day that differs is in the failure."""
    for seed in range(1_000, 21_000):
        live(seed, steps=9, look_every=9)

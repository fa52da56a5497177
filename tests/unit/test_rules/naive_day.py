"""A whole day as the plain-spoken rules would have decided it: which rule, when, what, how much and until when.

Like `naive.py` it is written from the description of the rules. It knows by itself at which moments time alone changes
a verdict, so that a timer that riskd forgets is found out too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

from tests.unit.test_rules.naive import FAMILY, POINT, Book, Resting, Trade, exits
from tests.unit.test_rules.naive_watches import CHICAGO, Hours, Purse, StopWatch, blind, blocked, outside

RESET = time(17)
Amounts = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Ended:
    """An order that works no longer."""

    name: str


@dataclass(frozen=True)
class Connection:
    """A connection that was lost or is back."""

    link: str
    up: bool


Happening = tuple[datetime, Trade | Resting | Ended | Connection]


@dataclass(frozen=True, order=True)
class Decision:
    """One decision at a moment; `place` is the happening that it answers, -1 where time alone brought it."""

    at: datetime
    place: int
    rule: str
    action: str
    quantity: int
    closes: Amounts
    cancels: tuple[str, ...]
    until: str


@dataclass(frozen=True)
class Limits:
    """All thirteen, as plain figures."""

    most: int
    each: Mapping[str, int]
    others: int
    loss: Fraction
    loss_basis: str
    profit: Fraction
    open_loss: Fraction
    open_loss_scope: str
    open_profit: Fraction
    open_profit_scope: str
    trades: int
    window: timedelta | None
    tiers: list[tuple[Fraction, timedelta]]
    grace: timedelta
    hours: Hours
    blocked: list[str]
    after: timedelta
    drawdown_kind: str
    drawdown: Fraction
    balance: Fraction


Verdict = dict[tuple[str, str], tuple[str, Mapping[str, int], Sequence[str], datetime | None]]
"""For each rule and what it is about: the action, what is closed, what is cancelled, and until when."""


@dataclass
class NaiveDay:
    """One account on one day."""

    limits: Limits
    begins: datetime
    ends: datetime
    trades: list[Trade] = field(default_factory=list)
    orders: list[Resting] = field(default_factory=list)
    marks: dict[str, Fraction] = field(default_factory=lambda: dict.fromkeys(POINT, Fraction(0)))
    lost: dict[str, datetime] = field(default_factory=dict)
    standing: Verdict = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin flat, with the balance of the morning."""
        limits = self.limits
        self.book = Book([], [], self.marks, self.begins)
        self.watch = StopWatch(limits.grace, ("stop", "trailing_stop"), None)
        self.purse = Purse(
            limits.drawdown_kind, limits.drawdown, None, Fraction(0), balance=limits.balance, peak=limits.balance
        )

    def live(self, happenings: Sequence[Happening]) -> list[Decision]:
        """Return what would have been decided."""
        now = self.begins
        for place, (at, what) in enumerate(happenings):
            now = self._let_pass(now, at)
            self._happen(at, what)
            self._decide(at, place)
        self._let_pass(now, self.ends - timedelta(microseconds=1))
        return self.decisions

    def _let_pass(self, now: datetime, until: datetime) -> datetime:
        while due := [at for at in self._turns(now) if now < at <= until]:
            now = min(due)
            self._decide(now, -1)
        return until

    def _turns(self, now: datetime) -> Iterator[datetime]:
        """Give the moments at which a verdict may change although nothing happens."""
        book = self._book(now)
        yield from (since + self.limits.grace for since in self.watch.since.values())
        yield from book.pauses(self.limits.tiers)
        yield from (since + self.limits.after for since in self.lost.values())
        if self.limits.window is not None:
            yield from (trade.at + self.limits.window for trade in self.trades)
        for clock in {clock for span in self.limits.hours.ranges for clock in span}:
            local = datetime.combine(now.astimezone(CHICAGO).date(), clock, tzinfo=CHICAGO)
            for lead in (timedelta(0), timedelta(minutes=5)):
                yield from (local + timedelta(days=day) - lead for day in (0, 1))

    def _happen(self, at: datetime, what: Trade | Resting | Ended | Connection) -> None:
        match what:
            case Trade():
                self.trades.append(what)
                self.marks[what.root] = what.price
            case Resting():
                self.orders.append(what)
            case Ended():
                self.orders = [order for order in self.orders if order.name != what.name]
            case Connection():
                if what.up:
                    self.lost.pop(what.link, None)
                else:
                    self.lost.setdefault(what.link, at)

    def _book(self, now: datetime) -> Book:
        """Return the account now; the trades are gone through again only when there is another one."""
        if len(self.book.trades) != len(self.trades):
            self.book = Book(list(self.trades), [], self.marks, now)
        self.book.now, self.book.orders = now, self.orders
        return self.book

    # --- deciding -----------------------------------------------------------------------------------------------

    def _decide(self, at: datetime, place: int) -> None:
        book = self._book(at)
        self.watch.look(book)
        verdict = self._verdict(book)
        for (rule, key), (action, closes, cancels, until) in verdict.items():
            if (rule, key) not in self.standing:
                count = sum(closes.values())
                kept = (tuple(sorted(closes.items())), tuple(sorted(cancels)), until.isoformat() if until else "")
                self.decisions.append(Decision(at, place, rule, action, count, *kept))
        self.standing = verdict

    def _verdict(self, book: Book) -> Verdict:
        return {
            **self._size(book),
            **self._day(book),
            **self._open(book),
            **self._pace(book),
            **self._watched(book),
        }

    def _size(self, book: Book) -> Verdict:
        going = book.too_many(Fraction(self.limits.most), minis=False)
        resting = book.resting_surplus(self.limits.most, going)
        held = {root: abs(book.quantity(root)) for root in POINT if book.quantity(root)}
        over = {root: count - self.limits.each.get(root, self.limits.others) for root, count in held.items()}
        return {
            **_close("MaxContracts", "", going),
            **_cancel("MaxContracts", "resting", resting),
            **{
                key: value
                for root, excess in over.items()
                if excess > 0
                for key, value in _close("MaxContractsPerInstrument", root, {root: excess}).items()
            },
        }

    def _day(self, book: Book) -> Verdict:
        found = Verdict()
        if book.basis(self.limits.loss_basis, loss=True) <= self.limits.loss:
            found["DailyRealizedLoss", ""] = ("flatten_account", {}, (), _next_reset(book.now))
        if book.net() >= self.limits.profit:
            found["DailyRealizedProfit", ""] = ("flatten_account", {}, (), _next_reset(book.now))
        self.purse.balance = self.limits.balance + book.realized - book.fees()
        equity = self.purse.balance + book.open_result(POINT)
        self.purse.seen(equity)
        if self.purse.over(equity):
            found["AccountDrawdown", ""] = ("flatten_account", {}, (), None)
        return found

    def _open(self, book: Book) -> Verdict:
        limits, found = self.limits, Verdict()
        for key, roots in _units(book, limits.open_loss_scope).items():
            if book.open_result(roots) <= limits.open_loss:
                found |= _close("UnrealizedLoss", key, _all(book, roots))
        for key, roots in _units(book, limits.open_profit_scope).items():
            if book.open_result(roots) >= limits.open_profit:
                found |= _close("UnrealizedProfit", key, _all(book, roots))
        return found

    def _pace(self, book: Book) -> Verdict:
        limits, found = self.limits, Verdict()
        stays = book.beyond_the_count(limits.trades, limits.window)
        found |= _close("TradeFrequencyLimit", "", {r: abs(book.quantity(r) - left) for r, left in stays.items()})
        if book.used_up(limits.trades, limits.window):
            closing = exits({root: book.quantity(root) for root in POINT}, book.orders)
            entering = [o.name for o in book.orders if abs(o.quantity) > closing[o.name]]
            found |= _cancel("TradeFrequencyLimit", "resting", entering)
        for number, end in self._pauses(book):
            found["CooldownAfterLoss", number] = ("set_cooldown", {}, (), end)
        return found

    def _pauses(self, book: Book) -> Iterator[tuple[str, datetime]]:
        """Give the cooldowns that run, each with a name of its own."""
        ends = book.pauses(self.limits.tiers)
        yield from ((f"{end.isoformat()} {ends[:place].count(end)}", end) for place, end in enumerate(ends))

    def _watched(self, book: Book) -> Verdict:
        found = Verdict()
        for root, count in self.watch.overdue(book).items():
            found |= _close("NoStopLossGrace", root, {root: count})
        closes, cancels = outside(book, dict.fromkeys(POINT, self.limits.hours))
        found |= _both("SessionBlockOutside", "", closes, cancels)
        for root in self.limits.blocked:
            found |= _both("SymbolBlock", root, *blocked(book, [root]))
        for link in blind(self.lost, self.limits.after, book.now):
            found |= {("AuthLossGuard", link): ("alert", {}, (), None)}
        return found


def _close(rule: str, key: str, closes: Mapping[str, int]) -> Verdict:
    return {(rule, key): ("close_position", closes, (), None)} if closes else {}


def _cancel(rule: str, key: str, cancels: Sequence[str]) -> Verdict:
    return {(rule, key): ("cancel_order", {}, cancels, None)} if cancels else {}


def _both(rule: str, key: str, closes: Mapping[str, int], cancels: Sequence[str]) -> Verdict:
    if not closes:
        return _cancel(rule, key, cancels)
    return {(rule, key): ("close_position", closes, cancels, None)}


def _units(book: Book, scope: str) -> dict[str, list[str]]:
    """Return what is judged together, by its name."""
    found: dict[str, list[str]] = {}
    for root in POINT:
        if book.quantity(root):
            name = {"position": root, "group": FAMILY[root], "account": "account"}[scope]
            found.setdefault(name, []).append(root)
    return found


def _all(book: Book, roots: Sequence[str]) -> dict[str, int]:
    return {root: abs(book.quantity(root)) for root in roots}


def _next_reset(at: datetime) -> datetime:
    local = at.astimezone(CHICAGO)
    day = local.date() + timedelta(days=1 if local.time() >= RESET else 0)
    while day.strftime("%A") in {"Saturday", "Sunday"}:
        day += timedelta(days=1)
    return datetime.combine(day, RESET, tzinfo=CHICAGO).astimezone(UTC)

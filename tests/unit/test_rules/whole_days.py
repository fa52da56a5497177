"""Random whole days for all thirteen rules at once: trades, orders and connections, under random limits."""

import random
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

from riskd.domain.calendar import day_end, day_start
from riskd.domain.events import AnyEvent, ConnectionChanged, Fill, Link, OrderReported
from riskd.domain.instruments import contract_of_symbol
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from tests.unit.test_rules.naive_day import Limits
from tests.unit.test_rules.naive_watches import PRESETS, WEEK, Hours
from tests.unit.test_rules.random_days import START, STEP
from tests.unit.test_rules.recorded_days import Recorded, ended, plain

DAYS = (date(2026, 3, 10), date(2026, 3, 6), date(2026, 3, 9), date(2025, 11, 3))
"""A Tuesday, the Friday before a clock change, the Monday after it, and one in autumn."""
AFTERWARDS = timedelta(minutes=20)
HOURS = (
    *PRESETS.values(),
    Hours(WEEK[:5], ((time(3), time(7, 30)),)),
    Hours(WEEK[:5], ((time(17), time(9)),)),
    Hours(WEEK, ((time(0), time(12)), (time(13), time(16)))),
)


@dataclass
class WholeDay:
    """One random day as it grows."""

    dice: random.Random
    at: datetime
    roots: list[str]
    events: list[tuple[datetime, AnyEvent]] = field(default_factory=list)
    marks: dict[str, Decimal] = field(default_factory=lambda: {root: Decimal(price) for root, price in START.items()})

    def step(self, number: int) -> None:
        """Let something happen, at once or a while later."""
        self.at += timedelta(seconds=self.dice.choice([0, 0, 1, 2, 3, 10, 20, 60, 600, 1800]))
        what = self.dice.random()
        if what < 0.55:
            self._trade(number)
        elif what < 0.85:
            self._order(number)
        else:
            self.events.append((self.at, ConnectionChanged(self.dice.choice(list(Link)), up=self.dice.random() < 0.5)))

    def _trade(self, number: int) -> None:
        root, side = self.dice.choice(self.roots), self.dice.choice(list(Side))
        self.marks[root] += self.dice.randint(-60, 60) * Decimal(STEP[root])
        last = self.events[-1][1] if self.events else None
        goes_on = isinstance(last, Fill) and (last.contract, last.side) == (_contract(root), side)
        fill = Fill(
            account="A1",
            trade_id=f"T{number}",
            contract=_contract(root),
            side=side,
            quantity=self.dice.choice([1, 1, 2, 3, 5]),
            price=self.marks[root],
            at=self.at,
            fees=Decimal(self.dice.choice(["0", "0.61", "2.40"])),
            commission=Decimal(0),
            order_id=f"O{number - 1 if goes_on and self.dice.random() < 0.3 else number}",
        )
        self.events.append((self.at, fill))

    def _order(self, number: int) -> None:
        order = WorkingOrder(
            order_id=f"W{number:03}",
            contract=_contract(self.dice.choice(self.roots)),
            side=self.dice.choice(list(Side)),
            type=self.dice.choice([OrderType.STOP, OrderType.STOP, OrderType.LIMIT, OrderType.TRAILING_STOP]),
            status=OrderStatus.WORKING,
            size=self.dice.choice([1, 2, 4]),
        )
        self.events.append((self.at, OrderReported("A1", order)))
        if self.dice.random() < 0.7:
            gone = self.at + timedelta(seconds=self.dice.choice([0, 1, 5, 15, 60, 300]))
            self.events.append((gone, OrderReported("A1", ended(order))))


def _contract(root: str) -> str:
    return contract_of_symbol(f"{root}M6")


def whole_day(seed: int) -> Recorded:
    """Return a random day."""
    dice = random.Random(seed)
    trading_day = dice.choice(DAYS)
    begins, ends = day_start(trading_day), day_end(trading_day)
    first = begins + timedelta(hours=dice.choice([0, 8, 13, 20]), seconds=dice.randint(0, 3600))
    day = WholeDay(dice, first, dice.sample(list(START), dice.choice([1, 2, 3])))
    for number in range(dice.randint(3, 25)):
        day.step(number)
    events = tuple((at, event) for at, event in sorted(day.events, key=lambda timed: timed[0]) if at < ends)
    happenings = tuple((at, plain(event, number)) for number, (at, event) in enumerate(events))
    return Recorded("A1", begins, min(ends, day.at + AFTERWARDS), events, happenings)


def random_limits(seed: int, usual: Limits) -> Limits:
    """Return limits of which each is often reached."""
    dice = random.Random(seed * 7 + 1)
    tiers = [[(Fraction(-20), timedelta(minutes=1)), (Fraction(-100), timedelta(minutes=15))]]
    tiers.append([(Fraction(-5), timedelta(hours=1))])
    return replace(
        usual,
        most=dice.randint(0, 6),
        each={root: dice.randint(0, 4) for root in START if dice.random() < 0.6},
        others=dice.randint(0, 3),
        loss=Fraction(-dice.choice([20, 100, 250, 1000])),
        loss_basis=dice.choice(["combined", "realized", "worst"]),
        profit=Fraction(dice.choice([20, 100, 250])),
        open_loss=Fraction(-dice.choice([10, 50, 250])),
        open_loss_scope=dice.choice(["position", "group", "account"]),
        open_profit=Fraction(dice.choice([10, 50, 250])),
        open_profit_scope=dice.choice(["position", "group", "account"]),
        trades=dice.randint(1, 5),
        window=dice.choice([None, timedelta(seconds=60), timedelta(minutes=10)]),
        tiers=dice.choice(tiers),
        grace=timedelta(seconds=dice.choice([2, 10, 60])),
        hours=dice.choice(HOURS),
        blocked=dice.sample(list(START), 1),
        after=timedelta(seconds=dice.choice([0, 5, 60])),
        drawdown_kind=dice.choice(["static", "eod_trailing", "intraday_trailing"]),
        drawdown=Fraction(dice.choice([50, 500])),
    )

"""Random days for the rules and their plain-spoken twins, growing step by step on both sides alike."""

import random
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.market import Quote
from riskd.domain.orders import OrderStatus, OrderType, WorkingOrder
from riskd.domain.violations import RuleViolation
from riskd.rules.params import ConfiguredRule
from riskd.rules.registry import rule_class
from tests.support.rule_builders import NOON, account, contract, fill, order, view
from tests.unit.test_rules.naive import POINT, Book, Resting, Trade

ROOTS = tuple(POINT)
START = {"MNQ": 21000, "NQ": 21000, "ES": 5800, "CL": 75}
STEP = {"MNQ": "0.25", "NQ": "0.25", "ES": "0.25", "CL": "0.01"}


class Day:
    """A random day, growing step by step on both sides alike."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = NOON
        self.trades: list[Trade] = []
        self.orders: list[Resting] = []
        self.placed = 0
        self.roots = self.dice.sample(ROOTS, self.dice.choice([1, 2, 4]))
        self.marks = {root: Decimal(price) for root, price in START.items()}
        self.seen = view(account())

    def step(self) -> None:
        """Let something happen."""
        self.now += timedelta(milliseconds=self.dice.choice([0, 1000, 2000, 2001, 10_000, 30_000, 300_000]))
        self.dice.choice([self._trade, self._trade, self._price, self._place, self._cancel])()

    def book(self) -> Book:
        """Return the account as the plain-spoken rules see it."""
        return Book(list(self.trades), list(self.orders), {r: Fraction(p) for r, p in self.marks.items()}, self.now)

    def _trade(self) -> None:
        root = self.dice.choice(self.roots)
        ticks = self.dice.randint(-40, 40)
        price = self.marks[root] + ticks * Decimal(STEP[root])
        quantity = self.dice.choice([-5, -3, -2, -1, 1, 2, 3, 5])
        fee = self.dice.choice(["0", "0.61", "1.22", "2.40"])
        number = len(self.trades)
        order_id = f"O{number - 1}" if self.trades and self.dice.random() < 0.2 else f"O{number}"
        if self.trades and order_id != f"O{number}" and not self._same_side(root, quantity):
            order_id = f"O{number}"
        self.trades.append(Trade(self.now, root, quantity, Fraction(price), Fraction(fee), order_id))
        done = fill(root, quantity, str(price), at=self.now, trade_id=f"T{number}", order_id=order_id, fees=fee)
        self.seen = self.look().including(done)

    def _same_side(self, root: str, quantity: int) -> bool:
        last = self.trades[-1]
        return last.root == root and (last.quantity > 0) == (quantity > 0) and last.order == f"O{len(self.trades) - 1}"

    def _price(self) -> None:
        root = self.dice.choice(self.roots)
        self.marks[root] += self.dice.randint(-60, 60) * Decimal(STEP[root])

    def _place(self) -> None:
        root, quantity = self.dice.choice(self.roots), self.dice.choice([-4, -2, -1, 1, 2, 4])
        stop = Fraction(self.marks[root]) if self.dice.random() < 0.6 else None
        self.placed += 1
        placed = self.placed + self.dice.randint(10, 90) * 1_000
        kind = "limit" if stop is None else "stop"
        self.orders.append(Resting(f"R{placed}", root, quantity, stop, placed, kind))

    def _cancel(self) -> None:
        if self.orders:
            self.orders.remove(self.dice.choice(self.orders))

    def _working(self, resting: Resting) -> WorkingOrder:
        status = OrderStatus.SUSPENDED if resting.asleep else OrderStatus.WORKING
        kind, parent = OrderType(resting.kind), "E" if resting.asleep else None
        placed = order(
            resting.name, resting.root, resting.quantity, kind=kind, status=status, seq=resting.placed, parent=parent
        )
        stop = None if resting.stop is None else Decimal(resting.stop.numerator) / resting.stop.denominator
        return msgspec.structs.replace(placed, stop_price=stop)

    def look(self) -> AccountView:
        """Return the account as the rules see it."""
        working = {resting.name: self._working(resting) for resting in self.orders}
        state = msgspec.structs.replace(self.seen.account, orders=working)
        market = {
            contract(root): Quote(contract=contract(root), at=self.now, mark=price, last=price, quoted=True)
            for root, price in self.marks.items()
        }
        return AccountView(state, market=market, instruments=self.seen.instruments, at=self.now)


def make(name: str, /, **params: object) -> ConfiguredRule:
    """Return a configured rule."""
    return rule_class(name)(params)


def closed(violation: RuleViolation | None) -> dict[str, int]:
    """Return how many contracts of each product are to be closed."""
    by_contract = {contract(root): root for root in ROOTS}
    return {by_contract[cut.contract]: cut.closed for cut in violation.reductions} if violation else {}


def amount(day: Day, *figures: Fraction) -> Fraction:
    """Return a limit to test: often exactly one of the figures that is to be judged, or a cent beside it."""
    # a third of a fee, as a flip may leave one, is no amount that can be written
    written = [abs(figure) for figure in figures if figure and (figure * 10_000).denominator == 1]
    near = [figure + beside for figure in written for beside in (0, Fraction(1, 100))]
    return day.dice.choice([*near, Fraction(day.dice.randint(1, 900))])


def text(figure: Fraction) -> str:
    """Return an amount as decimal text; every figure of a day is one."""
    return str(Decimal(figure.numerator) / figure.denominator)

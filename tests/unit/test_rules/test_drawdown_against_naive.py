"""Random accounts: AccountDrawdown on the real core against the purse of `naive_watches.py`."""

import random
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest

from riskd.domain.events import SnapshotReported
from tests.support.desk import Desk, contract
from tests.support.rule_builders import fill
from tests.unit.test_rules.naive import POINT, Book, Trade
from tests.unit.test_rules.naive_watches import Purse
from tests.unit.test_rules.random_days import ROOTS, START

BALANCE = 50_000
LONGEST = 4
"""Days: from a Tuesday to the Friday, so that every evening begins a new one."""


class Account:
    """Some random days of one account with a drawdown to keep, on a desk and in a purse alike."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        kind = self.dice.choice(["static", "eod_trailing", "intraday_trailing"])
        drawdown, buffer = self.dice.choice(["300", "1000.50"]), self.dice.choice(["0", "0", "49.50"])
        lock_at = self.dice.choice([None, "50000", "50100"])
        limits = {"drawdown": drawdown, "buffer": buffer, **({} if lock_at is None else {"lock_at": lock_at})}
        self.desk = Desk({"AccountDrawdown": {"kind": kind, "start_balance": str(BALANCE), **limits}})
        self._tell_balance()
        lock = None if lock_at is None else Fraction(lock_at)
        self.purse = Purse(kind, Fraction(drawdown), lock, Fraction(buffer), Fraction(BALANCE), Fraction(BALANCE))
        self.trades: list[Trade] = []
        self.mark = Decimal(START["MNQ"])
        self.quoted = False
        self.days = 0

    def _tell_balance(self) -> None:
        seq = self.desk.event_bus.last_seq
        none: tuple[()] = ()
        told = SnapshotReported("A1", asked_seq=seq, positions=none, orders=none, fills=none, balance=Decimal(BALANCE))
        self.desk.publish(told)

    def book(self) -> Book:
        """Return the account as the plain-spoken rules see it."""
        return Book(self.trades, [], {root: Fraction(self.mark) for root in ROOTS}, self.desk.at)

    def move(self) -> bool:
        """Let something happen on both sides, and tell whether it is the end for both."""
        self.desk.forget()
        self.desk.at += timedelta(seconds=self.dice.choice([1, 60, 600]))
        self.dice.choice([self._trade, self._trade, self._price, self._price, self._price, self._evening])()
        book = self.book()
        self.purse.balance = BALANCE + book.realized - book.fees()
        equity = self.purse.balance + book.open_result(ROOTS)
        self.purse.seen(equity)
        over = self.purse.over(equity)
        found = [(violation.rule_name, violation.lock, violation.until) for violation in self.desk.violations]
        assert found == ([("AccountDrawdown", True, None)] if over else [])
        assert [lock.until for lock in self.desk.locks] == ([None] if over else [])
        return over

    def _trade(self) -> None:
        quantity = self.dice.choice([-5, -2, -1, 1, 2, 5])
        fee = self.dice.choice(["0", "0.61", "2.40"])
        price = self.mark + self.dice.randint(-40, 40) * Decimal("0.25")
        if not self.quoted:
            self.mark = price
        done = fill("MNQ", quantity, str(price), at=self.desk.at, trade_id=f"T{len(self.trades) + 1}", fees=fee)
        self.trades.append(Trade(self.desk.at, "MNQ", quantity, Fraction(price), Fraction(fee), done.trade_id))
        self.desk.publish(msgspec.structs.replace(done, contract=contract("MNQ"), commission=Decimal(0)))

    def _price(self) -> None:
        """Move the price, often to just where the floor is or a tick beside it."""
        held = self.book().quantity("MNQ")
        self.quoted = True
        self.mark += self.dice.randint(-200, 200) * Decimal("0.25")
        if held and self.dice.random() < 0.2:
            equity = self.purse.balance + self.book().open_result(ROOTS)
            room = (equity - self.purse.floor() - self.purse.buffer) / (held * POINT["MNQ"])
            self.mark += (int(room * 4) + self.dice.choice([-1, 0, 0, 1])) * Decimal("-0.25")
        self.desk.quote("MNQ", str(self.mark))

    def _evening(self) -> None:
        """Go on after 17:00, with what is held carried over."""
        if self.days < LONGEST:
            self.days += 1
            self.desk.wait(f"2026-03-{9 + self.days} 17:00:01")
            self.purse.day_over()


def survive(seed: int, *, moves: int) -> None:
    """Live until the floor is reached, on both sides in the same move, or for so many moves."""
    account = Account(seed)
    for _ in range(moves):
        if account.move():
            break


@pytest.mark.parametrize("seed", range(12))
def test_random_accounts_end_alike(seed: int) -> None:
    """Whatever is traded, carried over and quoted, an account is over at the event at which the purse is empty."""
    survive(seed, moves=30)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_random_accounts_end_alike() -> None:
    """The same for 20,000 accounts; the seed of an account that differs is in the failure."""
    for seed in range(1_000, 21_000):
        survive(seed, moves=10)

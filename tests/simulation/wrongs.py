"""What must not be, by the judge's own reading of an account's rules, of prices and of what is held."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from riskd.domain.instruments import symbol_of_contract
from riskd.simulator.exchange.model import Order, OrderType
from tests.simulation.counting import Counting
from tests.simulation.limits import Limits
from tests.simulation.lockouts import Lockouts
from tests.simulation.prices import Prices
from tests.simulation.truth import CHICAGO, HOLIDAYS, Change, Today, point_usd, root_of
from tests.simulation.world import World

TOO_LARGE = "over the contract limit"
TOO_LARGE_IN_ONE = "over an instrument's limit"
LOST = "past the loss limit and free"
WON = "past the profit limit and free"
FALLEN = "below its floor and free"
OPEN_LOSS = "past its open loss"
OPEN_PROFIT = "past its open profit"
TOO_OFTEN = "beyond the count of trades"
UNPROTECTED = "without a stop"
OPEN_LOCKED = "open under a lockout"
OUTSIDE = "outside its hours"
BLOCKED = "in a blocked product"
LOCKED_TOO_LONG = "locked beyond its time"
_PROTECTS = (OrderType.STOP, OrderType.TRAILING_STOP)
_Naked = tuple[str, bool]


class Wrongs:
    """Tells, account by account, which of the things that must not be are so now.

    Shape: None where it cannot be told.
    """

    def __init__(self, world: World, prices: Prices, lockouts: Lockouts) -> None:
        self._schedule = world.schedule
        self._venue = world.venue
        self._truth = world.truth
        self._calm = world.calm
        self._prices = prices
        self._lockouts = lockouts
        self._limits = {plan.number: plan.limits for plan in world.plan.accounts}
        self._counting = {a: Counting(limits.trades) for a, limits in self._limits.items() if limits.trades}
        self._naked: dict[int, dict[_Naked, datetime]] = {}
        self._today = Today()
        self.carried_marks: dict[str, Decimal] = {}
        self._readings: Mapping[str, Callable[[int], bool | None]] = {
            TOO_LARGE: self._too_large,
            TOO_LARGE_IN_ONE: self._too_large_in_one,
            LOST: self._lost_and_free,
            WON: self._won_and_free,
            FALLEN: self._fallen_and_free,
            OPEN_LOSS: self._open_loss,
            OPEN_PROFIT: self._open_profit,
            TOO_OFTEN: self._too_often,
            UNPROTECTED: self._unprotected,
            OPEN_LOCKED: self._open_while_locked,
            OUTSIDE: self._outside_hours,
            BLOCKED: self._in_blocked,
            LOCKED_TOO_LONG: self._locked_too_long,
        }
        self._of_account = {account: self._that_matter(limits) for account, limits in self._limits.items()}

    def _that_matter(self, limits: Limits) -> tuple[str, ...]:
        """Return the readings that can ever be wrong under these rules, so that the others cost nothing."""
        needs: Mapping[str, object] = {
            TOO_LARGE_IN_ONE: limits.per_root or limits.other_roots,
            LOST: limits.loss,
            WON: limits.profit,
            FALLEN: limits.drawdown,
            OPEN_LOSS: limits.open_loss,
            OPEN_PROFIT: limits.open_profit,
            TOO_OFTEN: limits.trades,
            UNPROTECTED: limits.grace,
            OUTSIDE: limits.hours,
            BLOCKED: limits.blocked,
        }
        return tuple(name for name in self._readings if name not in needs or needs[name])

    def of(self, account: int) -> Iterator[tuple[str, bool | None]]:
        """Yield each thing that must not be, and whether it is so."""
        for name in self._of_account[account]:
            yield name, self._readings[name](account)

    def is_so(self, account: int, name: str) -> bool | None:
        """Tell whether one of the things that must not be is so."""
        return self._readings[name](account)

    def changed(self, account: int, change: Change) -> None:
        """Hear of a position that changed."""
        counting = self._counting.get(account)
        if counting is not None:
            counting.changed(change, own=self._venue.exchange.books.orders[change.order_id].closing)

    def remedy(self, account: int, name: str) -> str:
        """Return what riskd should have done about a thing that must not be, in the words of a scenario."""
        if name in (LOST, WON, FALLEN):
            return f"state {account} locked"
        if name == LOCKED_TOO_LONG:
            return f"state {account} free"
        newest = self._truth.of(account).newest_held()
        if newest is not None:
            rest = "" if name in (TOO_LARGE, TOO_LARGE_IN_ONE, TOO_OFTEN) else " left 0"
            return f"close {account} {symbol_of_contract(newest)}{rest}"
        return "".join(f"cancel {account} {order.id}" for order in self._orders(account)[:1])

    # --- size --------------------------------------------------------------------------------------------------

    def _too_large(self, account: int) -> bool:
        return self._truth.of(account).size() > self._limits[account].max_contracts

    def _too_large_in_one(self, account: int) -> bool:
        limits = self._limits[account]
        held = self._truth.of(account).held
        by_root: dict[str, int] = {}
        for contract, quantity in held.items():
            by_root[root_of(contract)] = by_root.get(root_of(contract), 0) + abs(quantity)
        return any((most := limits.of_root(root)) is not None and count > most for root, count in by_root.items())

    def _in_blocked(self, account: int) -> bool:
        blocked = self._limits[account].blocked
        held = self._truth.of(account).held
        if any(quantity and root_of(contract) in blocked for contract, quantity in held.items()):
            return True
        return any(
            self._is_entry(order, held) for order in self._orders(account) if root_of(order.contract_id) in blocked
        )

    @staticmethod
    def _is_entry(order: Order, held: Mapping[str, int]) -> bool:
        return not order.closing and held.get(order.contract_id, 0) * order.side.sign >= 0

    def _too_often(self, account: int) -> bool | None:
        return self._counting[account].is_beyond(self._schedule.now)

    # --- money -------------------------------------------------------------------------------------------------

    def net(self, account: int) -> Decimal | None:
        """Return N by the prices that riskd has, None where one is missing."""
        truth = self._truth.of(account)
        try:
            return truth.net(self._today.at(self._schedule.now), self._prices.marks, self.carried_marks)
        except KeyError:
            return None

    def _figures(self, account: int) -> tuple[Decimal, Decimal] | None:
        """Return the least and the greatest figure that the day's limits may go by, None where it cannot be told."""
        basis = self._limits[account].basis
        today = self._today.at(self._schedule.now)
        truth = self._truth.of(account)
        if basis != "combined" and truth.day(today).voided:
            return None  # what half a round trip realized, when the other half was taken back, is anybody's guess
        realized = truth.realized(today)
        net = realized if basis == "realized" else self.net(account)
        if net is None:
            return None
        return (min(net, realized), max(net, realized)) if basis == "worst" else (net, net)

    def lost_too_much(self, account: int) -> bool | None:
        """Tell whether the day's figure is at its loss limit."""
        limit, figures = self._limits[account].loss, self._figures(account)
        return False if limit is None else None if figures is None else figures[0] <= limit

    def won_too_much(self, account: int) -> bool | None:
        """Tell whether the day's figure is at its profit limit."""
        limit, figures = self._limits[account].profit, self._figures(account)
        return False if limit is None else None if figures is None else figures[1] >= limit

    def _lost_and_free(self, account: int) -> bool | None:
        return self._lockouts.until(account) is None and self.lost_too_much(account)

    def _won_and_free(self, account: int) -> bool | None:
        return self._lockouts.until(account) is None and self.won_too_much(account)

    def _fallen_and_free(self, account: int) -> bool | None:
        """Tell whether an account is below the floor that it began with; one that trails is never lower."""
        if self._lockouts.until(account) is not None:
            return False
        floor = self._limits[account].lowest_floor
        balance = self._venue.exchange.books.accounts[account].balance
        results = self._open_results(account)
        return None if results is None or floor is None else balance + sum(results.values()) <= floor

    def _open_results(self, account: int) -> Mapping[str, Decimal] | None:
        """Return U by contract, first in first out, None where a price is missing."""
        truth, marks = self._truth.of(account), self._prices.marks
        if any(quantity and contract not in marks for contract, quantity in truth.held.items()):
            return None
        return {
            contract: sum((Decimal(quantity) * (marks[contract] - price) for price, quantity in lots), Decimal(0))
            * point_usd(contract)
            for contract, lots in truth.open_lots()
        }

    def _units(self, account: int) -> list[Decimal] | None:
        results = self._open_results(account)
        if results is None or self._limits[account].scope == "position":
            return None if results is None else list(results.values())
        return [sum(results.values(), Decimal(0))] if results else []

    def _open_loss(self, account: int) -> bool | None:
        limit, units = self._limits[account].open_loss, self._units(account)
        return False if limit is None else None if units is None else any(amount <= limit for amount in units)

    def _open_profit(self, account: int) -> bool | None:
        limit, units = self._limits[account].open_profit, self._units(account)
        return False if limit is None else None if units is None else any(amount >= limit for amount in units)

    # --- stops -------------------------------------------------------------------------------------------------

    def _unprotected(self, account: int) -> bool | None:
        """Tell whether a position has had no stop at all for its whole grace, all of which riskd could see."""
        now, grace = self._schedule.now, self._limits[account].grace
        calm_since = self._calm.since(account, now)
        naked = self._naked[account] = self._naked_since(account, now)
        if grace is None or calm_since is None:
            return None
        return any(now - max(since, calm_since) >= grace for since in naked.values())

    def _naked_since(self, account: int, now: datetime) -> dict[_Naked, datetime]:
        before, found = self._naked.get(account, {}), dict[_Naked, datetime]()
        for contract, quantity in self._truth.of(account).held.items():
            if quantity and not any(self._protects(order, contract, quantity) for order in self._orders(account)):
                key = (contract, quantity > 0)
                found[key] = before.get(key, now)
        return found

    @staticmethod
    def _protects(order: Order, contract: str, quantity: int) -> bool:
        exits = order.contract_id == contract and order.side.sign * quantity < 0
        return exits and order.type in _PROTECTS and order.working

    # --- time --------------------------------------------------------------------------------------------------

    def _outside_hours(self, account: int) -> bool:
        return self._truth.of(account).size() > 0 and self.is_outside_hours(account) is True

    def is_outside_hours(self, account: int) -> bool | None:
        """Tell whether nothing may be held at this time of day, None on a day that ends early."""
        hours = self._limits[account].hours
        if hours is None:
            return False
        if self._today.at(self._schedule.now) in HOLIDAYS:
            return None
        start, end = hours
        clock = self._schedule.now.astimezone(CHICAGO).time()
        inside = start <= clock < end if start < end else clock >= start or clock < end
        return not inside

    def _open_while_locked(self, account: int) -> bool:
        if self._lockouts.until(account) is None:
            return False
        return self._truth.of(account).size() > 0 or bool(self._orders(account))

    def _locked_too_long(self, account: int) -> bool:
        until = self._lockouts.until(account)
        if until is None or self._schedule.now < until:
            return False
        return self._truth.of(account).size() == 0 and not self._orders(account)

    def _orders(self, account: int) -> list[Order]:
        return self._venue.live_orders(account)

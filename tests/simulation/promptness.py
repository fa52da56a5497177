"""Liveness, owed in calm weather: what must not be is gone within a second of riskd's knowing of it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from tests.simulation.lockouts import Lockouts
from tests.simulation.prices import Prices
from tests.simulation.schedule import ms
from tests.simulation.truth import CHICAGO, HOLIDAYS, Today
from tests.simulation.verdict import Broken
from tests.simulation.world import World

WITHIN: Final = ms(1000) + 4 * ms(60)
"""A second, and the way of a breach to riskd, of a close there, and of its fill back."""
FREE_WITHIN: Final = timedelta(seconds=6)
AGAIN: Final = timedelta(seconds=2)


class Promptness:
    """Looks for what must not be, and from when it has been so in calm weather."""

    def __init__(self, world: World, prices: Prices, lockouts: Lockouts) -> None:
        self._schedule = world.schedule
        self._venue = world.venue
        self._truth = world.truth
        self._calm = world.calm
        self._prices = prices
        self._lockouts = lockouts
        self._plans = {plan.number: plan for plan in world.plan.accounts}
        self._since: dict[tuple[int, str], datetime] = {}
        self._today = Today()
        self.carried_marks: dict[str, Decimal] = {}
        self.counted: dict[str, int] = {}
        self._wrongs: Mapping[str, Callable[[int], bool]] = {
            "over the contract limit": self._too_large,
            "past the loss limit and free": self._lost_too_much,
            "open under a lockout": self._open_while_locked,
            "outside its hours": self._outside_hours,
            "locked beyond its time": self._locked_too_long,
        }

    def look(self, account: int) -> None:
        """Look at one account now."""
        for name, is_wrong in self._wrongs.items():
            key = (account, name)
            if not is_wrong(account):
                self._since.pop(key, None)
            elif key not in self._since:
                self._since[key] = self._schedule.now
                self.counted[name] = self.counted.get(name, 0) + 1
                self._ask_again(key, self._schedule.now, self._patience(name))

    @staticmethod
    def _patience(name: str) -> timedelta:
        return FREE_WITHIN if name == "locked beyond its time" else WITHIN

    def _ask_again(self, key: tuple[int, str], since: datetime, after: timedelta) -> None:
        self._schedule.after(after, lambda: self._ask(key, since))

    def _ask(self, key: tuple[int, str], since: datetime) -> None:
        account, name = key
        if not self._wrongs[name](account):
            self._since.pop(key, None)
        if self._since.get(key) != since:
            return
        calm_since = self._calm.since(account, self._schedule.now)
        if calm_since is None:
            self._ask_again(key, since, AGAIN)
            return
        lasted = self._schedule.now - max(since, calm_since)
        if lasted < self._patience(name):
            self._ask_again(key, since, self._patience(name) - lasted)
            return
        held = {c: q for c, q in self._truth.of(account).held.items() if q}
        orders = [(o.id, o.type.name, o.side.name, o.left) for o in self._venue.live_orders(account)]
        raise Broken("within a second", f"{account} {name} since {since}, calm since {calm_since}: {held} {orders}")

    # --- what must not be --------------------------------------------------------------------------------------

    def _too_large(self, account: int) -> bool:
        return self._truth.of(account).size() > self._plans[account].limits.max_contracts

    def net(self, account: int) -> Decimal | None:
        """Return N by the prices that riskd has, None where one is missing."""
        truth = self._truth.of(account)
        try:
            return truth.net(self._today.at(self._schedule.now), self._prices.marks, self.carried_marks)
        except KeyError:
            return None

    def _lost_too_much(self, account: int) -> bool:
        return self._lockouts.until(account) is None and self.lost_too_much(account) is True

    def lost_too_much(self, account: int) -> bool | None:
        """Tell whether the day's figure is at its limit, None where that cannot be told."""
        limits = self._plans[account].limits
        if limits.loss is None:
            return False
        if limits.basis != "combined" and self._truth.of(account).day(self._today.at(self._schedule.now)).voided:
            return None  # what half a round trip realized, when the other half was taken back, is anybody's guess
        realized = self._truth.of(account).realized(self._today.at(self._schedule.now))
        net = realized if limits.basis == "realized" else self.net(account)
        if limits.basis == "worst" and net is not None:
            net = min(net, realized)
        return None if net is None else net <= limits.loss

    def _open_while_locked(self, account: int) -> bool:
        if self._lockouts.until(account) is None:
            return False
        return self._truth.of(account).size() > 0 or bool(self._venue.live_orders(account))

    def _outside_hours(self, account: int) -> bool:
        return self._truth.of(account).size() > 0 and self.is_outside_hours(account) is True

    def is_outside_hours(self, account: int) -> bool | None:
        """Tell whether nothing may be held at this time of day, None on a day that ends early."""
        hours = self._plans[account].limits.hours
        if hours is None:
            return False
        if self._today.at(self._schedule.now) in HOLIDAYS:
            return None
        start, end = hours
        clock = self._schedule.now.astimezone(CHICAGO).time()
        inside = start <= clock < end if start < end else clock >= start or clock < end
        return not inside

    def _locked_too_long(self, account: int) -> bool:
        until = self._lockouts.until(account)
        if until is None or self._schedule.now < until:
            return False
        return self._truth.of(account).size() == 0 and not self._venue.live_orders(account)

"""Justice, owed in calm weather: riskd acts only on a breach, and takes no more than the excess."""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from riskd.domain.commands import ClosePosition, LockAccount
from tests.simulation.lockouts import Lockouts
from tests.simulation.promptness import Promptness
from tests.simulation.schedule import ms
from tests.simulation.verdict import Broken
from tests.simulation.world import World

SETTLED: Final = timedelta(seconds=5)
"""How long it must have been calm before riskd is expected to see what is so."""
LATELY: Final = ms(300)
"""What was wrong so lately may still be acted on: a fill that ended it is on its way."""
MOST_READINGS: Final = 60
"""How many readings of accounts a minute leave the broker's rate limit room for everything else."""


class Justice:
    """Judges what riskd does to an account whose trader has done nothing wrong."""

    def __init__(self, world: World, lockouts: Lockouts, promptness: Promptness) -> None:
        self._schedule = world.schedule
        self._truth = world.truth
        self._calm = world.calm
        self._lockouts = lockouts
        self._promptness = promptness
        self._plans = {plan.number: plan for plan in world.plan.accounts}
        self._readings: deque[datetime] = deque()
        self._larger: dict[int, deque[tuple[datetime, int]]] = {plan.number: deque() for plan in world.plan.accounts}

    def looked(self, account: int) -> None:
        """Note how much is held; what was held a moment ago may still be acted on."""
        sizes, now = self._larger[account], self._schedule.now
        size = self._truth.of(account).size()
        if not sizes or sizes[-1][1] != size:
            sizes.append((now, size))
        # The one before the last few is what was held as they began.
        while len(sizes) > 1 and now - sizes[1][0] > LATELY:
            sizes.popleft()

    def closed(self, command: ClosePosition) -> None:
        """Judge a close as it is sent."""
        account = int(command.account)
        if not self._fair(account) or self._lockouts.until(account) is not None or command.rule == "overshot":
            return
        self.looked(account)
        if self._promptness.is_outside_hours(account) is not False and self._held_lately(account):
            return
        limit, size = self._plans[account].limits.max_contracts, self._truth.of(account).size()
        most = self._held_lately(account)
        quantity = command.quantity if command.quantity is not None else abs(command.held)
        if most <= limit:
            raise Broken("acts only on a breach", f"{command} with {size} held, limit {limit}")
        if most - quantity < limit:
            raise Broken("takes only the excess", f"{command} with {size} held, limit {limit}")

    def _held_lately(self, account: int) -> int:
        return max(held for _, held in self._larger[account])

    def locked(self, command: LockAccount) -> None:
        """Judge a lockout as it is set."""
        account = int(command.account)
        self.looked(account)
        moving = len(self._larger[account]) > 1
        if self._fair(account) and not moving and self._promptness.lost_too_much(account) is False:
            raise Broken("locks only at the limit", f"{command}, N {self._promptness.net(account)}")

    def read(self) -> None:
        """Count a reading of an account."""
        now = self._schedule.now
        self._readings.append(now)
        while now - self._readings[0] > timedelta(minutes=1):
            self._readings.popleft()
        if len(self._readings) > MOST_READINGS * len(self._plans):
            raise Broken("spares the broker", f"{len(self._readings)} readings in a minute")

    def _fair(self, account: int) -> bool:
        since = self._calm.since(account, self._schedule.now)
        return since is not None and self._schedule.now - since >= SETTLED

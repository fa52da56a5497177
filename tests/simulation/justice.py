"""Justice, owed in calm weather: riskd acts only on a breach, and takes no more than the excess."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from riskd.domain.commands import ClosePosition, LockAccount
from tests.simulation import wrongs
from tests.simulation.limits import Limits
from tests.simulation.lockouts import Lockouts
from tests.simulation.promptness import Promptness
from tests.simulation.schedule import ms
from tests.simulation.truth import root_of
from tests.simulation.verdict import Broken
from tests.simulation.world import World
from tests.simulation.wrongs import Wrongs

SETTLED: Final = timedelta(seconds=5)
"""How long it must have been calm before riskd is expected to see what is so."""
LATELY: Final = ms(300)
"""What was wrong so lately may still be acted on: a fill that ended it is on its way."""
MOST_READINGS: Final = 60
"""How many readings of accounts a minute leave the broker's rate limit room for everything else."""
BREACHES: Final[Mapping[str, str]] = {
    "MaxContracts": wrongs.TOO_LARGE,
    "MaxContractsPerInstrument": wrongs.TOO_LARGE_IN_ONE,
    "UnrealizedLoss": wrongs.OPEN_LOSS,
    "UnrealizedProfit": wrongs.OPEN_PROFIT,
    "TradeFrequencyLimit": wrongs.TOO_OFTEN,
    "SessionBlockOutside": wrongs.OUTSIDE,
    "SymbolBlock": wrongs.BLOCKED,
}
"""What must have been so for a rule to close something, for the rules that the judge reads in full."""
LOCKS: Final[Mapping[str, str]] = {"DailyRealizedLoss": wrongs.LOST, "DailyRealizedProfit": wrongs.WON}
_OF_SIZE: Final = ("MaxContracts", "MaxContractsPerInstrument")
_Sizes = deque[tuple[datetime, Mapping[str, int]]]


class Justice:
    """Judges what riskd does to an account whose trader has done nothing wrong."""

    def __init__(self, world: World, lockouts: Lockouts, readings: Wrongs, promptness: Promptness) -> None:
        self._schedule = world.schedule
        self._truth = world.truth
        self._calm = world.calm
        self._lockouts = lockouts
        self._wrongs = readings
        self._promptness = promptness
        self._limits = {plan.number: plan.limits for plan in world.plan.accounts}
        self._read_at: deque[datetime] = deque()
        self._sizes: dict[int, _Sizes] = {account: deque() for account in self._limits}

    def looked(self, account: int) -> None:
        """Note how much is held; what was held a moment ago may still be acted on."""
        sizes, now = self._sizes[account], self._schedule.now
        held = {contract: abs(quantity) for contract, quantity in self._truth.of(account).held.items()}
        if not sizes or sizes[-1][1] != held:
            sizes.append((now, held))
        # The one before the last few is what was held as they began.
        while len(sizes) > 1 and now - sizes[1][0] > LATELY:
            sizes.popleft()

    def closed(self, command: ClosePosition) -> None:
        """Judge a close as it is sent."""
        account = int(command.account)
        breach = BREACHES.get(command.rule)
        if breach is None or not self._fair(account) or self._lockouts.until(account) is not None:
            return
        self.looked(account)
        self._promptness.look(account)
        if not self._was_so(account, breach):
            how = f"{command} with {self._truth.of(account).held}, not {breach}"
            raise Broken("acts only on a breach", how, account=account, command=command)
        if command.rule in _OF_SIZE and not self._may_take_all(account):
            self._takes_the_excess(account, command)

    def _was_so(self, account: int, breach: str) -> bool:
        if breach == wrongs.OUTSIDE:
            return self._wrongs.is_outside_hours(account) is not False
        if breach in (wrongs.OPEN_LOSS, wrongs.OPEN_PROFIT) and self._is_moving(account):
            return True  # what was held a moment ago is judged by riskd at the price of now
        return self._promptness.was_lately(account, breach, LATELY)

    def _is_moving(self, account: int) -> bool:
        return len(self._sizes[account]) > 1

    def _may_take_all(self, account: int) -> bool:
        """Tell whether a rule that takes whole positions may have had a hand in it."""
        limits = self._limits[account]
        if limits.pause is not None or limits.grace is not None:
            return True
        whole = (name for rule, name in BREACHES.items() if rule not in _OF_SIZE)
        return any(self._was_so(account, name) for name in whole)

    def _takes_the_excess(self, account: int, command: ClosePosition) -> None:
        limits, contract = self._limits[account], command.contract
        quantity = command.quantity if command.quantity is not None else abs(command.held)
        most = max(_excess(held, limits, contract) for _, held in self._sizes[account])
        if quantity > most:
            how = f"{command} where {most} are too many"
            raise Broken("takes only the excess", how, account=account, command=command)

    def locked(self, command: LockAccount) -> None:
        """Judge a lockout as it is set."""
        account, breach = int(command.account), LOCKS.get(command.cause)
        comes_back = command.until is not None and command.until <= self._schedule.now
        if breach is None or comes_back or not self._fair(account):
            return
        self.looked(account)
        self._promptness.look(account)
        if not self._is_moving(account) and not self._promptness.was_lately(account, breach, LATELY):
            how = f"{command}, N {self._wrongs.net(account)}"
            raise Broken("locks only at the limit", how, account=account, command=command)

    def read(self) -> None:
        """Count a reading of an account."""
        now = self._schedule.now
        self._read_at.append(now)
        while now - self._read_at[0] > timedelta(minutes=1):
            self._read_at.popleft()
        if len(self._read_at) > MOST_READINGS * len(self._limits):
            raise Broken("spares the broker", f"{len(self._read_at)} readings in a minute")

    def _fair(self, account: int) -> bool:
        since = self._calm.since(account, self._schedule.now)
        return since is not None and self._schedule.now - since >= SETTLED


def _excess(held: Mapping[str, int], limits: Limits, contract: str) -> int:
    """Return how many contracts too many there are, of which any could be this contract's."""
    root = root_of(contract)
    of_root = sum(count for other, count in held.items() if root_of(other) == root)
    limit = limits.of_root(root)
    too_many_in_one = 0 if limit is None else of_root - limit
    return max(sum(held.values()) - limits.max_contracts, too_many_in_one, 0)

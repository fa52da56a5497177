"""Lockouts, always owed: once in the journal a lock stands until its time, through every crash, and no longer."""

from datetime import UTC, datetime, timedelta
from typing import Final

from riskd.domain.account import AccountState
from riskd.domain.commands import LockAccount, UnlockAccount
from riskd.ports import JournalEntry
from tests.simulation.truth import day_of, end_of
from tests.simulation.verdict import Broken
from tests.simulation.world import World

RACE: Final = timedelta(seconds=10)
"""A position may be opened in the moment between riskd's last look and the end of the lock."""

FOREVER: Final = datetime.max.replace(tzinfo=UTC)
"""When a lock ends that only an admin could lift: there is none here."""
_BY_ADMIN: Final = "AccountDrawdown"


class Lockouts:
    """The locks that stand, by the journal."""

    def __init__(self, world: World) -> None:
        self._schedule = world.schedule
        self._truth = world.truth
        self._until: dict[int, dict[str, datetime]] = {}
        self._moved_at: dict[int, datetime] = {}
        self.count = 0

    def until(self, account: int) -> datetime | None:
        """Return when the last lock of an account ends, None while it is free."""
        return max(self._until.get(account, {}).values(), default=None)

    def changed(self, account: int) -> None:
        """Take note of a position that changed."""
        self._moved_at[account] = self._schedule.now

    def journalled(self, entry: JournalEntry) -> None:
        """Judge the locks that a step set and ended."""
        for command in entry.commands:
            if isinstance(command, LockAccount):
                self._locked(command, entry.envelope.at)
            elif isinstance(command, UnlockAccount):
                self._unlocked(command, entry.envelope.at)

    def _locked(self, command: LockAccount, at: datetime) -> None:
        if command.until is not None and command.until <= at:
            # One that has ended comes back for what was done under it and is heard of only now.
            self._until.setdefault(int(command.account), {})[command.cause] = command.until
            return
        due = None if command.cause == _BY_ADMIN else end_of(day_of(at))
        if command.until != due:
            how = f"{command} at {at}, but it should end at {due}"
            raise Broken("locked for the day", how, account=command.account, command=command)
        self.count += 1
        self._until.setdefault(int(command.account), {})[command.cause] = command.until or FOREVER

    def _unlocked(self, command: UnlockAccount, at: datetime) -> None:
        account = int(command.account)
        until = self.until(account)
        if until is None:
            raise Broken("locks once", f"{command} without a lock", account=account)
        if at < until:
            how = f"{command} at {at}, locked until {until}"
            raise Broken("locked until its time", how, account=account, wanted=f"state {account} locked")
        moved_at = self._moved_at.get(account)
        settled = moved_at is None or self._schedule.now - moved_at > RACE
        held = {contract: held for contract, held in self._truth.of(account).held.items() if held}
        if held and settled:
            how = f"{command} while {held} is held"
            raise Broken("free only when flat", how, account=account, wanted=f"state {account} locked")
        del self._until[account]

    def restarted(self, account: int, state: AccountState | None) -> None:
        """Judge what a new process remembers."""
        for cause, until in self._until.get(account, {}).items():
            remembered = {x.cause: x.until or FOREVER for x in state.lockouts} if state else {}
            if until > self._schedule.now and remembered.get(cause) != until:
                how = f"{account} was locked by {cause} until {until}, now {remembered}"
                wanted = f"state {account} locked"
                raise Broken("never forgets a lock", how, account=account, wanted=wanted, reborn=True)

"""When an account is written to disk: at once where forgetting would hurt, within a second otherwise."""

from typing import Final

from riskd.domain.account import AccountState

LATEST_S: Final = 1.0


class SnapshotTiming:
    """Says which accounts to save now; holds no clock.

    Units: all times in seconds of the event loop.
    """

    def __init__(self, *, latest_s: float = LATEST_S) -> None:
        """Let a change wait for as long as this."""
        self._latest_s = latest_s
        self._due_at: dict[str, float] = {}

    def changed(self, before: AccountState | None, after: AccountState, now: float) -> bool:
        """Take note of a change and tell whether to save at once."""
        if before is after:
            return False
        if before is None or _urgent(before, after):
            self._due_at.pop(after.account, None)
            return True
        self._due_at.setdefault(after.account, now + self._latest_s)
        return False

    def due(self, now: float) -> tuple[str, ...]:
        """Return the accounts whose time has come, longest waiting first, and forget them."""
        found = tuple(account for account, at in self._due_at.items() if at <= now)
        for account in found:
            del self._due_at[account]
        return found

    @property
    def next_at(self) -> float | None:
        """Return when to ask for what is due again, None while nothing waits."""
        return next(iter(self._due_at.values()), None)


def _urgent(before: AccountState, after: AccountState) -> bool:
    return (
        after.lockouts != before.lockouts
        or after.trading_day != before.trading_day
        or after.last_fill_seq != before.last_fill_seq
        or after.no_new_risk != before.no_new_risk
        or after.rules != before.rules
        or after.pending != before.pending
    )

"""Since when riskd has had a fair chance: told of everything, answered at once, running and armed.

Liveness is only owed in calm weather, or with a critical alert instead; safety is owed always.
"""

from datetime import datetime, timedelta


class Calm:
    """Keeps, per account, what still stands in riskd's way.

    Shape: a fact that was lost, late or out of order counts as known from the next snapshot whose reading began
    after it.
    """

    def __init__(self) -> None:
        self._until: dict[int, datetime] = {}
        self._doubt: dict[int, datetime] = {}
        self._ready_since: datetime | None = None

    def ready(self, at: datetime) -> None:
        """Note that riskd is up, reconciled and armed."""
        self._ready_since = at

    def down(self) -> None:
        """Note that riskd is not running."""
        self._ready_since = None

    def disturb(self, account: int, until: datetime) -> None:
        """Note that something keeps riskd from acting on this account until a time."""
        self._until[account] = max(until, self._until.get(account, until))

    def doubt(self, account: int, at: datetime) -> None:
        """Note that riskd may have been told wrong until a time, and will know better by the next snapshot."""
        self._doubt[account] = max(at, self._doubt.get(account, at))

    def snapshot(self, account: int, began_at: datetime, at: datetime, settle: timedelta) -> None:
        """Note a snapshot; what it showed takes a moment to be believed."""
        doubted = self._doubt.get(account)
        if doubted is not None and began_at > doubted:
            del self._doubt[account]
            self.disturb(account, at + settle)

    def certain(self, account: int) -> bool:
        """Tell whether riskd runs and has been told of everything."""
        return self._ready_since is not None and account not in self._doubt

    def since(self, account: int, now: datetime) -> datetime | None:
        """Return since when it has been calm for an account, None while it is not."""
        until = self._until.get(account)
        if self._ready_since is None or account in self._doubt or (until is not None and until > now):
            return None
        return self._ready_since if until is None else max(until, self._ready_since)

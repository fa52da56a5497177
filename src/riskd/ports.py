"""What the core's shell must be given: the world, seen through narrow doors.

Calls report, they do not answer: whatever comes of a command returns as an event through the queue.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from riskd.domain.account import AccountState
from riskd.domain.commands import Alert, AnyCommand, BrokerCommand, RequestSnapshot
from riskd.domain.events import AnyEvent, Envelope
from riskd.domain.market import Quote


class Publish(Protocol):
    """Hand an event to the bus; whatever it causes has been done when this returns."""

    def __call__(self, event: AnyEvent, *, broker_at: datetime | None = None) -> None:
        """Publish one event."""
        ...


class Clock(Protocol):
    """riskd's time: never runs backwards, follows the broker's clock, never a wall clock that jumps."""

    def now(self) -> datetime:
        """Return the time now, aware UTC."""
        ...

    def delay_until(self, at: datetime) -> float:
        """Return the real seconds until that time: zero when it has passed, infinity while time stands still."""
        ...

    def observe(self, broker_now: datetime) -> None:
        """Learn what the broker's clock says now."""
        ...

    def simulate(self, now: datetime, speed: float) -> None:
        """Follow a simulated clock from now on; only for a gateway on this machine."""
        ...


class Broker(Protocol):
    """A broker that carries out commands and reports through ``Publish``."""

    async def connect(self) -> None:
        """Log in, subscribe and reconcile, then keep all three alive; return when first reconciled."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...

    def execute(self, command: BrokerCommand) -> None:
        """Send one request now, in this call; its outcome comes back as a CommandEnded."""
        ...

    def request_snapshot(self, command: RequestSnapshot) -> None:
        """Start reading an account; the answer comes back as a SnapshotReported."""
        ...


class JournalEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one step wrote: the envelope, the market rows it read that had changed, and the commands it gave."""

    envelope: Envelope
    market: tuple[Quote, ...] = ()
    commands: tuple[AnyCommand, ...] = ()


class Journal(Protocol):
    """The append-only record; a line is the commit of its step."""

    def append(self, entry: JournalEntry) -> None:
        """Write one entry with one plain write, before its commands are carried out.

        Errors: OSError when it cannot be written.
        """
        ...

    def sync(self) -> None:
        """Let what was appended become durable, once the commands are carried out; never waits for the disk."""
        ...

    @property
    def head(self) -> str:
        """Return the hash of the last line."""
        ...

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        ...


class StateStore(Protocol):
    """One human-readable file per account."""

    def save(self, state: AccountState, seq: int) -> None:
        """Write a snapshot soon, in a thread of its own; a newer one of the same account replaces one that waits."""
        ...

    def load(self) -> Mapping[str, tuple[AccountState, int]]:
        """Return every account on disk and the seq it stands at; a damaged file falls back to its last good copy."""
        ...

    def close(self) -> None:
        """Write what waits and stop the thread."""
        ...


class Notifier(Protocol):
    """Tells people; never delays enforcement."""

    def notify(self, alert: Alert) -> None:
        """Take an alert for delivery and return at once."""
        ...


class ReadModel(Protocol):
    """What live views may ask of a running daemon."""

    def accounts(self) -> Sequence[AccountState]:
        """Return the accounts as they are now, ordered by id."""
        ...


class Control(Protocol):
    """What an admin may ask of a running daemon."""

    def close_position(self, account: str, contract: str, reason: str) -> None:
        """Ask for one position to be closed."""
        ...

    def release(self, account: str, by: str) -> None:
        """Ask for a lockout to be released that only an admin can release."""
        ...


Stop = Callable[[], None]

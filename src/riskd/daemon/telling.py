"""What riskd itself has to say, beside what the core alerts of: mistakes of its own, its files, its configuration."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from riskd.domain.commands import Alert, Severity
from riskd.domain.events import AnyEvent, Envelope
from riskd.ports import Notifier

_AGAIN_AFTER: Final = timedelta(minutes=1)


class _Told(NamedTuple):
    """When a mistake was told, and how often it was made since."""

    at: datetime
    since: int


class Teller:
    """Log and notify in one breath, dated by riskd's time."""

    def __init__(
        self,
        notifier: Notifier,
        log: FilteringBoundLogger,
        *,
        now: Callable[[], datetime],
        last_seq: Callable[[], int],
    ) -> None:
        """Tell through these two."""
        self._notifier = notifier
        self._now = now
        self._last_seq = last_seq
        self._storage_told: set[str] = set()
        self._mistakes: dict[tuple[str, ...], _Told] = {}
        self.log = log

    def notify(self, account: str, kind: str, text: str, severity: Severity = Severity.CRITICAL) -> None:
        """Notify, without a line in the log; ``account`` "" is all of riskd."""
        self._notifier.notify(
            Alert(account=account, seq=self._last_seq(), at=self._now(), kind=kind, severity=severity, text=text)
        )

    def say(self, account: str, kind: str, text: str, severity: Severity) -> None:
        """Log and notify the same sentence."""
        (self.log.critical if severity is Severity.CRITICAL else self.log.warning)(kind, account=account, text=text)
        self.notify(account, kind, text, severity)

    def not_brought_up(self, error: BaseException) -> str:
        """Tell that the start has failed, and return the sentence."""
        text = f"riskd could not be brought up: {type(error).__name__}: {error}"
        self.log.critical("bug", text=text, exc_info=error)
        self.notify("", "bug", text)
        return text

    def bug(self, envelope: Envelope, error: Exception) -> None:
        """Tell that riskd failed on an event."""
        text = (
            f"riskd failed on event {envelope.seq} ({type(envelope.event).__name__}): {type(error).__name__}: {error}"
        )
        self.log.critical("bug", seq=envelope.seq, text=text, exc_info=error)
        what = f"{type(envelope.event).__name__} {type(error).__name__}"
        self._mistake(_account_of(envelope.event), "bug", text, what)

    def task_failed(self, message: str, error: Exception) -> None:
        """Tell that something which runs beside the enforcement has failed."""
        text = f"{message}: {type(error).__name__}: {error}"
        self.log.critical("bug", text=text, exc_info=error)
        self._mistake("", "bug", text, f"{message} {type(error).__name__}")

    def overflow(self, event: AnyEvent) -> None:
        """Tell that an event was not taken."""
        text = f"the queue is full: a {type(event).__name__} was not taken; the accounts are read anew"
        self._mistake(_account_of(event), "overflow", text, type(event).__name__)
        self.log.critical("overflow", text=text)

    def storage(self, text: str) -> None:
        """Tell that riskd cannot write what it must not forget: in the log each time, to people once in a run."""
        self.log.critical("storage", text=text)
        if text not in self._storage_told:
            self._storage_told.add(text)
            self.notify("", "storage", f"{text}. Until it can, a restart forgets what happens now")

    def _mistake(self, account: str, kind: str, text: str, what: str) -> None:
        """Tell people of one mistake once a minute, and how often it was made since; the log has each."""
        key, now = (account, kind, what), self._now()
        told = self._mistakes.get(key)
        if told is not None and now - told.at < _AGAIN_AFTER:
            self._mistakes[key] = _Told(told.at, told.since + 1)
            return
        self._mistakes[key] = _Told(now, 0)
        again = f" (and {told.since} times since it was last told)" if told is not None and told.since else ""
        self.notify(account, kind, text + again)

    def configuration(self, text: str) -> None:
        """Tell that a configuration is not taken over."""
        self.log.error("configuration refused", text=text)
        self.notify("", "config", text, Severity.WARNING)


def _account_of(event: AnyEvent) -> str:
    return str(getattr(event, "account", ""))

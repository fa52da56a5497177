"""The notification service: takes alerts at once, and sees to it in threads that people hear of them."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from secrets import token_hex
from typing import Final

import msgspec
import structlog

from riskd.domain.commands import Alert, Severity
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.notifications.channels import Channel
from riskd.notifications.dispatcher import MOST_CRITICAL, MOST_WAITING, ChannelWorker, Patience
from riskd.notifications.messages import alert_text, alert_title, enforcement_text
from riskd.notifications.outbox import Letter, Outbox
from riskd.notifications.turns import contained

_TOO_MANY: Final = (
    f"more than {MOST_CRITICAL} critical notifications wait for delivery; what else there is stands in riskd's log only"
)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")


def _wall() -> datetime:
    return datetime.now(UTC)


class NotificationConfig(msgspec.Struct, frozen=True):
    """Whom to tell, and where critical notifications wait for delivery."""

    channels: tuple[Channel, ...]
    outbox: Path
    patience: Patience = Patience()


class _Changed(msgspec.Struct, frozen=True):
    """The channels that are to be told from here on, in the order of the queue."""

    channels: tuple[Channel, ...]


class _Taken(msgspec.Struct, frozen=True):
    alert: Alert
    journal_head: str


class NotificationService:
    """Tells people through every channel that wants to hear; implements ``ports.Notifier``.

    An alert goes through a queue to a thread that writes the critical ones to the outbox and hands all of them to the
    channels' threads. Nothing here waits in the caller's thread. Where too many wait, the rest is told as one.
    """

    def __init__(
        self,
        config: NotificationConfig,
        *,
        now: Callable[[], datetime] = _wall,
        journal_head: Callable[[], str] = str,
    ) -> None:
        """Prepare; threads start with ``start`` or the first alert."""
        self._config = config
        self._now = now
        self._journal_head = journal_head
        self._outbox = Outbox(config.outbox, now)
        self._taken: SimpleQueue[_Taken | _Changed | None] = SimpleQueue()
        self._workers: tuple[ChannelWorker, ...] = ()
        self._leaving: list[ChannelWorker] = []
        self._intake: threading.Thread | None = None
        self._closed = False
        self._crowded: set[str] = set()
        self._open = _OpenLetters()
        self._log = structlog.get_logger("riskd.notifications")

    def start(self) -> None:
        """Start the threads, and resume what an earlier run could not deliver; a second call does nothing."""
        if self._intake is not None or not self._config.channels:
            return
        self._workers = tuple(self._worker(channel) for channel in self._config.channels)
        self._open.add()
        self._intake = threading.Thread(target=self._run, name="riskd-notify", daemon=True)
        self._intake.start()

    def _worker(self, channel: Channel) -> ChannelWorker:
        return ChannelWorker(channel, self._outbox, patience=self._config.patience, on_settled=self._open.settled)

    def use(self, channels: tuple[Channel, ...]) -> NotificationConfig:
        """Tell through these channels from now on; what was taken before still goes through the old ones.

        Shape: a channel that stays as it is goes on undisturbed; what another of its name could not deliver goes
        through the new one.
        """
        self._config = msgspec.structs.replace(self._config, channels=channels)
        if self._intake is None:
            self.start()
        else:
            self._taken.put(_Changed(channels))
        return self._config

    def notify(self, alert: Alert) -> None:
        """Take an alert for delivery and return at once."""
        if not any(channel.wants(alert) for channel in self._config.channels):
            return
        self.start()
        admitted = self._admitted(alert, "", self._taken.qsize())
        if admitted is not None:
            self._open.add()
            self._taken.put(_Taken(admitted, self._journal_head()))

    def send_alert(self, account: str, text: str, severity: str = "warning") -> None:
        """Tell something about an account.

        Errors: ValueError when the severity is not info, warning or critical.
        """
        self.notify(
            Alert(account=account, seq=0, at=self._now(), kind="message", severity=Severity(severity), text=text)
        )

    def format_enforcement_alert(
        self,
        violation: RuleViolation,
        action: EnforcementAction,
        *,
        event_id: int | None = None,
        account: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Return the text that tells of a violation and of what is done about it.

        Shape: account, rule, reason, action with its quantity, time (Chicago and UTC) and event id, each on a line; a
        fact that is not given is left out.
        """
        return enforcement_text(
            violation, action, event_id=event_id, account=account or violation.account or action.account, at=at
        )

    @property
    def ended(self) -> tuple[str, ...]:
        """Return the threads that have ended although people are still to be told: nobody hears of anything then."""
        if self._intake is None or self._closed:
            return ()
        threads = {self._intake.name: self._intake.is_alive()}
        threads |= {f"{self._intake.name}-{worker.channel.name}": worker.alive for worker in self._workers}
        return tuple(name for name, alive in threads.items() if not alive)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was taken has had its quick attempts, and tell whether it has."""
        return self._open.wait(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Give what is fresh a last chance, then stop; critical letters stay in the outbox for the next start."""
        if self._intake is None or self._closed:
            return
        self._closed = True
        self._taken.put(None)
        self._intake.join(timeout_s)
        workers = (*self._workers, *self._leaving)
        for worker in workers:
            worker.close(timeout_s)
        for worker in workers:
            worker.join(timeout_s)

    def _admitted(self, alert: Alert, place: str, waiting: int) -> Alert | None:
        """Return what is to be told there, where so many wait: the alert, one word of too many of them, or nothing."""
        critical = alert.severity is Severity.CRITICAL
        if waiting < (MOST_CRITICAL if critical else MOST_WAITING):
            self._crowded.discard(place)
            return alert
        self._log.warning("notification dropped, too many wait", channel=place, account=alert.account, seq=alert.seq)
        if not critical or place in self._crowded:
            return None
        self._crowded.add(place)
        return Alert(account="", seq=alert.seq, at=alert.at, kind="crowd", severity=alert.severity, text=_TOO_MANY)

    def _run(self) -> None:
        with contained(self._log, "riskd-notify"):
            self._resume(self._workers)
        self._open.settled()
        while (taken := self._taken.get()) is not None:
            with contained(self._log, "riskd-notify"):
                self._take(taken)

    def _take(self, taken: _Taken | _Changed) -> None:
        if isinstance(taken, _Changed):
            self._change(taken.channels)
            return
        for worker in self._workers:
            if worker.channel.wants(taken.alert):
                with contained(self._log, "riskd-notify"):
                    self._hand_over(taken, worker)
        self._open.settled()

    def _change(self, channels: tuple[Channel, ...]) -> None:
        known = {worker.channel: worker for worker in self._workers}
        gone = [worker for channel, worker in known.items() if channel not in channels]
        new = tuple(self._worker(channel) for channel in channels if channel not in known)
        self._workers = (*(known[channel] for channel in channels if channel in known), *new)
        # What they were to hear, that they are taken off the list above all, is tried on until they have heard it.
        for worker in gone:
            worker.leave()
        self._leaving = [worker for worker in (*self._leaving, *gone) if worker.alive]
        self._resume(new)

    def _resume(self, workers: tuple[ChannelWorker, ...]) -> None:
        """Let these channels deliver what an earlier one of their names could not."""
        by_name = {worker.channel.name: worker for worker in workers}
        known = {worker.channel.name for worker in self._workers}
        for letter in self._outbox.waiting():
            worker = by_name.get(letter.channel)
            if worker is None and letter.channel in known:
                continue
            if worker is None:
                self._log.warning("outbox holds a notification for an unknown channel", channel=letter.channel)
                self._outbox.expired(letter)
            else:
                self._open.add()
                worker.submit(letter)

    def _hand_over(self, taken: _Taken, worker: ChannelWorker) -> None:
        alert = self._admitted(taken.alert, worker.channel.name, worker.waiting)
        if alert is None:
            return
        letter = self._letter(alert, worker.channel, taken.journal_head)
        if letter.critical:
            self._outbox.keep(letter)
        self._open.add()
        worker.submit(letter)

    def _letter(self, alert: Alert, channel: Channel, journal_head: str) -> Letter:
        now = self._now()
        name = _UNSAFE.sub("_", f"{channel.name}-{alert.account}")[:60]
        return Letter(
            letter_id=f"{now:%Y%m%dT%H%M%S%f}-{alert.seq}-{name}-{token_hex(4)}",
            channel=channel.name,
            account=alert.account,
            severity=alert.severity,
            title=alert_title(alert),
            body=alert_text(alert, journal_head=journal_head),
            created_at=now,
        )


class _OpenLetters:
    """Counts what has been taken and has not yet had its quick attempts."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def add(self) -> None:
        with self._changed:
            self._count += 1

    def settled(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, timeout_s)

"""Delivers letters, one thread per channel, so that a channel that hangs holds up neither the others nor riskd."""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple

import msgspec
import stamina
import structlog

from riskd.notifications.channels import Channel, DeliveryFailed, Sender
from riskd.notifications.outbox import Letter, Outbox
from riskd.notifications.turns import contained

MOST_WAITING: Final = 1000
MOST_CRITICAL: Final = 2 * MOST_WAITING
"""So that a flood of warnings leaves room for what matters."""


class Patience(msgspec.Struct, frozen=True):
    """How hard to try.

    Units: seconds. ``first_wait_s`` doubles with each of the quick retries; ``later_s`` are the waits of a critical
    letter from then on, the last of them again and again. ``warm_up_s`` is how long a channel without letters waits
    before it imports what it needs, so that a start has the machine for itself and a breach finds all ready.
    """

    quick_retries: int = 3
    first_wait_s: float = 0.25
    later_s: tuple[float, ...] = (5, 15, 60, 300, 900, 1800)
    warm_up_s: float = 3.0


class _Task(NamedTuple):
    """A letter with the number of rounds it has failed; ordered by when it is due, then by age."""

    due: float
    number: int
    failed: int
    letter: Letter


class ChannelWorker:
    """The thread of one channel."""

    def __init__(self, channel: Channel, outbox: Outbox, *, patience: Patience, on_settled: Callable[[], None]) -> None:
        """Start the thread; ``on_settled`` is called once per letter, when its quick attempts are over."""
        self.channel = channel
        self._sender = Sender(channel)
        self._outbox = outbox
        self._patience = patience
        self._on_settled = on_settled
        self._fresh: deque[_Task] = deque()
        self._later: list[_Task] = []
        self._numbers = count()
        self._wake = threading.Condition()
        self._close_by: float | None = None
        self._leaving = False
        self._log = structlog.get_logger("riskd.notifications")
        self._thread = threading.Thread(target=self._run, name=f"riskd-notify-{channel.name}", daemon=True)
        self._thread.start()

    def submit(self, letter: Letter) -> None:
        """Take a letter."""
        with self._wake:
            self._fresh.append(_Task(0, next(self._numbers), 0, letter))
            self._wake.notify()

    @property
    def waiting(self) -> int:
        """Return how many letters are still to be delivered."""
        return len(self._fresh) + len(self._later)

    def close(self, timeout_s: float) -> None:
        """Let the thread end when it has tried what is fresh, or when the time is over; critical letters stay kept."""
        with self._wake:
            self._close_by = time.monotonic() + timeout_s
            self._wake.notify()

    def leave(self) -> None:
        """Let the thread end when all that it was given has been delivered, or is too old: nothing more will come."""
        with self._wake:
            self._leaving = True
            self._wake.notify()

    @property
    def alive(self) -> bool:
        """Tell whether the thread still has something to do."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    @property
    def _closing(self) -> bool:
        return self._close_by is not None

    @property
    def _too_late(self) -> bool:
        return self._close_by is not None and time.monotonic() >= self._close_by

    def _run(self) -> None:
        with contained(self._log, self._thread.name):
            self._warm_up()
        while (task := self._next()) is not None:
            with contained(self._log, self._thread.name):
                self._deliver(task)
            if not task.failed:
                self._on_settled()

    def _warm_up(self) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._fresh or self._closing or self._leaving, self._patience.warm_up_s)
            if self._closing and not self._fresh:
                return
        try:
            self._sender.prepare()
        except DeliveryFailed as error:
            self._log.error("notification channel cannot be used", channel=self.channel.name, why=str(error))

    def _next(self) -> _Task | None:
        with self._wake:
            while not self._too_late:
                if self._fresh:
                    return self._fresh.popleft()
                if self._closing or (self._leaving and not self._later):
                    return None
                wait = self._later[0].due - time.monotonic() if self._later else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._later)
                self._wake.wait(wait)
        return None

    def _deliver(self, task: _Task) -> None:
        letter = task.letter
        if letter.critical and self._outbox.expired(letter):
            return
        try:
            self._send(letter, attempts=1 if task.failed else 1 + self._patience.quick_retries)
        except DeliveryFailed as error:
            self._keep_or_drop(task, why=str(error))
        else:
            self._log.info("notification delivered", channel=letter.channel, account=letter.account)
            if letter.critical:
                self._outbox.discard(letter)

    def _send(self, letter: Letter, *, attempts: int) -> None:
        for attempt in stamina.retry_context(
            on=self._worth_retrying,
            attempts=attempts,
            timeout=None,
            wait_initial=self._patience.first_wait_s,
            wait_jitter=0,
        ):
            with attempt:
                self._sender.send(title=letter.title, body=letter.body, severity=letter.severity)

    def _worth_retrying(self, error: Exception) -> bool:
        return isinstance(error, DeliveryFailed) and not self._too_late

    def _keep_or_drop(self, task: _Task, *, why: str) -> None:
        letter = task.letter
        if not letter.critical:
            self._log.warning("notification dropped", channel=letter.channel, account=letter.account, why=why)
            return
        wait = self._wait_after(task)
        self._log.warning(
            "notification kept, to be tried again",
            channel=letter.channel,
            account=letter.account,
            why=why,
            wait_ms=round(wait * 1000),
        )
        with self._wake:
            heapq.heappush(self._later, _Task(time.monotonic() + wait, next(self._numbers), task.failed + 1, letter))

    def _wait_after(self, task: _Task) -> float:
        later = self._patience.later_s
        left = (task.letter.expires_at() - self._outbox.now()).total_seconds()
        return min(later[min(task.failed, len(later) - 1)], max(left, 0))

"""The one alarm of the daemon: wakes it when the core's next deadline has come, whichever clock time runs by."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from math import isinf
from typing import Final

from riskd.ports import Clock

_LONGEST_S: Final = 3600.0
"""A longer sleep is cut in pieces, so that a clock that was corrected meanwhile is asked again."""


class Alarm:
    """Calls ``ring`` when a deadline has come.

    Shape: one deadline at a time; setting another replaces it.
    """

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        """Wake by this clock."""
        self._clock = clock
        self._ring = ring
        self._due: datetime | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due: datetime | None) -> None:
        """Ring at this time, or not at all."""
        if due == self._due and self._handle is not None:
            return
        self._due = due
        self.renew()

    def renew(self) -> None:
        """Ask the clock again how long it is until the deadline; to be called when the clock was set."""
        self.stop()
        if self._due is None:
            return
        delay = self._clock.delay_until(self._due)
        if not isinf(delay):
            self._handle = asyncio.get_running_loop().call_later(min(delay, _LONGEST_S), self._wake)

    def _wake(self) -> None:
        self._handle = None
        if self._due is not None and self._clock.now() < self._due:
            self.renew()
            return
        self._due = None
        self._ring()

    def stop(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class WatchedClock:
    """A clock that tells when it has been set, so that the alarm can be set anew."""

    def __init__(self, clock: Clock, on_set: Callable[[], None]) -> None:
        """Pass everything on to ``clock``."""
        self._clock = clock
        self._on_set = on_set

    def now(self) -> datetime:
        """Return the time now, aware UTC."""
        return self._clock.now()

    def delay_until(self, at: datetime) -> float:
        """Return the real seconds until that time."""
        return self._clock.delay_until(at)

    def observe(self, broker_now: datetime) -> None:
        """Learn what the broker's clock says now."""
        self._clock.observe(broker_now)

    def simulate(self, now: datetime, speed: float) -> None:
        """Follow a simulated clock from now on."""
        self._clock.simulate(now, speed)
        self._on_set()

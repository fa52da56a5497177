"""The gateway's time: real, or a simulated start that runs at a chosen speed or by hand."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal


class GatewayClock:
    """A clock that can be set forward and run faster, slower or not at all.

    Real time is read from the wall clock once and then follows the monotonic clock, so that it
    never runs backwards.
    """

    def __init__(self, *, start: datetime | None = None, speed: Decimal = Decimal(1)) -> None:
        """Begin at `start` (real time if None), at `speed` times real time; 0 stands still."""
        self.simulated = start is not None or speed != 1
        self._base = start.astimezone(UTC) if start is not None else datetime.now(UTC)
        self._speed = speed
        self._since = time.monotonic()

    @property
    def speed(self) -> Decimal:
        """Return how many of the gateway's seconds pass in a real one."""
        return self._speed

    def now(self) -> datetime:
        """Return the gateway's time."""
        passed = (time.monotonic() - self._since) * float(self._speed)
        return self._base + timedelta(seconds=passed)

    def jump(self, to: datetime) -> None:
        """Set the time forward; ValueError when it would go back."""
        now = self.now()
        if to < now:
            raise ValueError(f"time cannot go back from {now.isoformat()} to {to.isoformat()}")
        self._base, self._since, self.simulated = to.astimezone(UTC), time.monotonic(), True

    def set_speed(self, speed: Decimal) -> None:
        """Run at another speed from now on; ValueError when it is negative."""
        if speed < 0:
            raise ValueError(f"speed {speed} is negative")
        self._base, self._since = self.now(), time.monotonic()
        self._speed, self.simulated = speed, True

    def real_seconds_until(self, moment: datetime) -> float | None:
        """Return how long to sleep until a moment; None when the clock stands still."""
        if not self._speed:
            return None
        return max(0.0, (moment - self.now()).total_seconds() / float(self._speed))

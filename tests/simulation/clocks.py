"""The machine's clocks under virtual time, and riskd's real clock on them."""

from datetime import datetime, timedelta
from math import isinf

from riskd.daemon.clock import BrokerClock
from tests.simulation.schedule import Schedule


class Machine:
    """A monotonic clock that keeps true time, and a wall clock that somebody may set."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._began_at = schedule.now
        self.wall_is_off_by = timedelta()

    def monotonic_ns(self) -> int:
        """Return the nanoseconds since the world began."""
        return (self._schedule.now - self._began_at) // timedelta(microseconds=1) * 1000

    def wall(self) -> datetime:
        """Return what the wall clock shows."""
        return self._schedule.now + self.wall_is_off_by


class RiskdClock:
    """The clock of one process, which follows the dates in the broker's answers."""

    def __init__(self, schedule: Schedule, machine: Machine, not_before: datetime | None) -> None:
        self._schedule = schedule
        self._clock = BrokerClock(not_before=not_before, monotonic_ns=machine.monotonic_ns, wall=machine.wall)
        self.now = self._clock.now

    def heard(self, said_at: datetime) -> None:
        """Hear the date of an answer, which is cut to whole seconds."""
        self._clock.observe(said_at.replace(microsecond=0))

    def reaches(self, at: datetime) -> datetime | None:
        """Return when this clock will show a time, as far as can be told now."""
        delay_s = self._clock.delay_until(at)
        return None if isinf(delay_s) else self._schedule.now + timedelta(seconds=delay_s)

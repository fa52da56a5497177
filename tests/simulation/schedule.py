"""Virtual time: what is to happen, in order. Nothing waits and nothing sleeps."""

from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop, heappush

Action = Callable[[], None]


def ms(count: float) -> timedelta:
    """Return so many milliseconds."""
    return timedelta(milliseconds=count)


class Schedule:
    """The one queue of things to come; things of one moment happen in the order in which they were arranged."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._waiting: list[tuple[datetime, int, Action]] = []
        self._arranged = 0

    def at(self, when: datetime, action: Action) -> None:
        """Arrange for something at a time, now if that has passed."""
        self._arranged += 1
        heappush(self._waiting, (max(when, self.now), self._arranged, action))

    def after(self, delay: timedelta, action: Action) -> None:
        """Arrange for something after a delay."""
        self.at(self.now + delay, action)

    def run(self, until: datetime) -> None:
        """Let everything happen that comes before a time."""
        while self._waiting and self._waiting[0][0] < until:
            self.now, _, action = heappop(self._waiting)
            action()
        self.now = until

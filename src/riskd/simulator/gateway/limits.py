"""The broker's rate limits: a sliding window for bars and one for everything else."""

from collections import deque

import msgspec


class Window(msgspec.Struct, frozen=True):
    """At most `requests` within `seconds`."""

    requests: int
    seconds: float


BARS = Window(50, 30)
GENERAL = Window(200, 60)


class RateLimit:
    """One sliding window.

    A request leaves the window when it is old enough in real time or in the gateway's: a clock
    that stands still must not block for ever, a fast one must not block too much.
    """

    def __init__(self, window: Window) -> None:
        """Start with an empty window."""
        self._window = window
        self._seen: deque[tuple[float, float]] = deque()

    def admit(self, *, real: float, simulated: float) -> float | None:
        """Return None and count the request, or how many seconds to wait.

        Units: both clocks in seconds, from any origin.
        """
        span = self._window.seconds
        while self._seen and (real - self._seen[0][0] >= span or simulated - self._seen[0][1] >= span):
            self._seen.popleft()
        if len(self._seen) >= self._window.requests:
            return span - (real - self._seen[0][0])
        self._seen.append((real, simulated))
        return None

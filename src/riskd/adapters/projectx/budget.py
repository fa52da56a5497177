"""The gateway's rate limit, spent so that enforcement always has some left.

The gateway counts every request of a login but those for bars, 200 in 60 seconds. Whether its window slides or is fixed
is not published; staying within the number in every sliding window is right for both.
"""

from collections import deque
from enum import Enum
from typing import Final

LIMIT: Final = 200
RESERVED_FOR_ENFORCEMENT: Final = 60
SHARE_OF_POLLS: Final = LIMIT // 4

# A second more than the gateway's minute: requests do not travel equally fast.
WINDOW_S: Final = 61.0


class Purpose(Enum):
    """What a request is for, and how many of its kind may be sent in a window.

    Bars have a limit of their own, 50 in 30 seconds. Whoever asks for them keeps a pace far below it, so they are not
    counted.
    """

    ENFORCEMENT = LIMIT
    READ = LIMIT - RESERVED_FOR_ENFORCEMENT
    POLL = SHARE_OF_POLLS
    BARS = 0


# Which requests a share counts: a poll is a read as well, and everything is in the gateway's limit.
_COUNTED: Final = {
    Purpose.ENFORCEMENT: frozenset({Purpose.ENFORCEMENT, Purpose.READ, Purpose.POLL}),
    Purpose.READ: frozenset({Purpose.READ, Purpose.POLL}),
    Purpose.POLL: frozenset({Purpose.POLL}),
    Purpose.BARS: frozenset(),
}


class Budget:
    """Counts the requests of the last minute by their purpose.

    Units: ``now`` is the event loop's time in seconds.
    """

    def __init__(self) -> None:
        self._sent: deque[tuple[float, Purpose]] = deque()
        self._count = dict.fromkeys(Purpose, 0)
        self._paused_until = 0.0

    def take(self, purpose: Purpose, now: float) -> bool:
        """Count one request, unless its purpose has none left."""
        self._forget(now)
        # Enforcement may use every place there is, so counting them is enough; it must not wait for more.
        room = len(self._sent) < LIMIT if purpose is Purpose.ENFORCEMENT else self.wait(purpose, now) <= 0
        if not room or purpose is Purpose.BARS:
            return room
        self._sent.append((now, purpose))
        self._count[purpose] += 1
        return True

    def wait(self, purpose: Purpose, now: float) -> float:
        """Return the seconds until a request of this purpose may be sent, zero when it may be now."""
        self._forget(now)
        paused = 0.0 if purpose is Purpose.ENFORCEMENT else max(self._paused_until - now, 0.0)
        return max([paused, *(self._until_below(share, now) for share in Purpose if purpose in _COUNTED[share])])

    def pause(self, until: float) -> None:
        """Stop everything but enforcement until then: the gateway said that it was too much."""
        self._paused_until = max(self._paused_until, until)

    def _until_below(self, share: Purpose, now: float) -> float:
        counted = _COUNTED[share]
        if sum(self._count[purpose] for purpose in counted) < share.value:
            return 0.0
        return next(at for at, purpose in self._sent if purpose in counted) + WINDOW_S - now

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] <= now - WINDOW_S:
            _, purpose = self._sent.popleft()
            self._count[purpose] -= 1

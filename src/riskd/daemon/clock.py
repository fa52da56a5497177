"""riskd's time: it follows the broker's clock and never runs backwards.

Time is a straight line over the machine's monotonic clock. An observation of the broker's clock may bend the line, or
lift it, but never turns it back, so a wall clock that is set has no effect, and a lock does not end early by it.

The broker's stamps (the HTTP Date of its answers) are cut to whole seconds and arrive late, so each of them only says
that the broker's clock has *reached* that time. The greatest of the recent ones is therefore the best that is known,
and riskd keeps close to it. A difference of up to a second is worked off smoothly. A greater one is believed only when
several observations agree on it: forwards it is a step (the machine had slept), backwards time runs slower until the
broker has caught up.

Before the broker has been heard the machine's wall clock is the first guess; with a history it is not even asked, and
time goes on from the last entry of the journal: a lockout must not end because somebody set the wall clock and started
riskd anew.
"""

import math
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000
_MILLION: Final = 1_000_000

AGREEING: Final = 3
"""How many observations make a great difference believable; they must not come in one burst."""
_AGREE_WITHIN_US: Final = 2 * _SECOND
_AGREE_OVER_US: Final = 2 * _SECOND
_REMEMBERED: Final = 32
_ENOUGH: Final = 8
"""With so many observations their greatest lies close below the broker's time, with fewer up to a second below."""
_CLOSE_US: Final = _SECOND // 4

_STEADY: Final = 1_000_000
_FASTER: Final = 1_050_000
_SLOWER: Final = 950_000
_MUCH_SLOWER: Final = 500_000
"""Rates in millionths. Time never stands still while it is ahead, because retries wait by it as well."""

Monotonic = Callable[[], int]
Wall = Callable[[], datetime]


def _wall() -> datetime:
    return datetime.now(UTC)


class _Line(NamedTuple):
    """Time over the monotonic clock, in microseconds: at ``rate`` until ``until``, at ``then`` from there."""

    mono: int
    at: int
    then: int = _STEADY
    rate: int = _STEADY
    until: int = 0

    def time(self, mono: int) -> int:
        """Return the time at a monotonic instant."""
        bend = max(self.until, self.mono)
        if mono <= bend:
            return self.at + (mono - self.mono) * self.rate // _MILLION
        return self.at + (bend - self.mono) * self.rate // _MILLION + (mono - bend) * self.then // _MILLION

    def wait(self, at: int, mono: int) -> float:
        """Return the seconds of the monotonic clock from an instant until that time."""
        bend = max(self.until, mono)
        left, before_bend = at - self.time(mono), self.time(bend) - self.time(mono)
        if left <= 0:
            return 0.0
        if left <= before_bend:
            return left / self.rate
        return (bend - mono) / _MILLION + (left - before_bend) / self.then if self.then else math.inf


class _Observation(NamedTuple):
    mono: int
    offset: int
    """The broker's stamp minus the monotonic clock, a lower bound of the true difference."""


class BrokerClock:
    """Aware UTC time that follows the broker; implements ``ports.Clock``.

    Shape: ``known`` tells whether the broker's clock has been heard. May be read from any thread, is told from one.
    """

    def __init__(
        self,
        *,
        not_before: datetime | None = None,
        monotonic_ns: Monotonic = time.monotonic_ns,
        wall: Wall = _wall,
    ) -> None:
        """Start at the last time that riskd is sure of, at the wall clock's where there is none."""
        self._monotonic_ns = monotonic_ns
        self._follow(_Line(self._mono(), _micros(not_before or wall())))
        self._seen: deque[_Observation] = deque(maxlen=_REMEMBERED)
        self._told = not_before is not None
        self._simulated = False
        self.known = False

    def now(self) -> datetime:
        """Return the time now, aware UTC."""
        self._told = True
        return self.peek()

    def peek(self) -> datetime:
        """Return the time now where nothing hangs on it, as in a log line; a first guess may still be put back."""
        mono = self._monotonic_ns() // 1000
        steady_from, offset = self._steady
        micros = mono + offset if mono >= steady_from else self._line.time(mono)
        # A double holds today's microseconds to a quarter of one, so this is exact; it takes a third of the time.
        return datetime.fromtimestamp(micros / _MILLION, UTC)

    def delay_until(self, at: datetime) -> float:
        """Return the real seconds from now until that time, zero when it has passed, infinity when time stands still.

        Shape: a line that is bent meanwhile makes it come earlier or later, so ask again on waking.
        """
        return self._line.wait(_micros(at), self._mono())

    def observe(self, broker_now: datetime) -> None:
        """Learn that the broker's clock has reached this time."""
        if self._simulated:
            return
        mono = self._mono()
        self._seen.append(_Observation(mono, _micros(broker_now) - mono))
        if self.known:
            self._discipline(mono)
        else:
            self._first(mono)

    def simulate(self, now: datetime, speed: float) -> None:
        """Follow a simulated clock from now on; one that was turned back is waited for."""
        mono = self._mono()
        target, rate = _micros(now), round(speed * _MILLION)
        ahead = self._line.time(mono) - target
        self._simulated = self.known = True
        if ahead > 0 and self._told:
            catching_up = ahead * _MILLION // rate if rate else 0
            self._follow(_Line(mono, target + ahead, then=rate, rate=0, until=mono + catching_up))
        else:
            self._follow(_Line(mono, target, then=rate))

    def _mono(self) -> int:
        return self._monotonic_ns() // 1000

    def _follow(self, line: _Line) -> None:
        self._line = line
        # Time is read for every event, and nearly always from a line that is steady: then one addition does.
        bend = max(line.until, line.mono)
        self._steady = (bend, line.time(bend) - bend) if line.then == _STEADY else (sys.maxsize, 0)

    def _first(self, mono: int) -> None:
        """Take the broker's word over a guess: forwards at once, backwards only if nobody has been told the guess."""
        self.known = True
        offset = self._seen[-1].offset
        ahead = self._line.time(mono) - mono - offset
        if ahead < 0 or (ahead > _SECOND and not self._told):
            self._follow(_Line(mono, mono + offset))
        elif ahead > _SECOND:
            self._slow_down(mono, ahead)

    def _discipline(self, mono: int) -> None:
        offset = self._line.time(mono) - mono
        agreed = self._agreed()
        if agreed is not None and agreed > offset + _SECOND:
            self._follow(_Line(mono, mono + agreed))
            self._forget_before(agreed)
        elif agreed is not None and agreed < offset - 2 * _SECOND:
            self._slow_down(mono, offset - agreed)
            self._forget_before(agreed)
        else:
            self._steer(mono, offset)

    def _steer(self, mono: int, offset: int) -> None:
        """Work off a difference of up to a second."""
        believable = [o.offset for o in self._seen if -2 * _SECOND <= o.offset - offset <= _SECOND]
        best = max(believable, default=offset)
        band = _CLOSE_US if len(believable) >= _ENOUGH else _SECOND
        if best > offset:
            self._bend(mono, rate=_FASTER, by=best - offset)
        elif offset - best > band:
            self._bend(mono, rate=_SLOWER, by=offset - best)

    def _slow_down(self, mono: int, ahead: int) -> None:
        self._bend(mono, rate=_MUCH_SLOWER, by=ahead)

    def _bend(self, mono: int, *, rate: int, by: int) -> None:
        """Run at another rate until the difference is worked off."""
        length = by * _MILLION // abs(rate - _STEADY)
        self._follow(_Line(mono, self._line.time(mono), rate=rate, until=mono + length))

    def _agreed(self) -> int | None:
        """Return what the last observations agree on, None while they do not."""
        if len(self._seen) < AGREEING:
            return None
        last = [self._seen[-n] for n in range(AGREEING, 0, -1)]
        offsets = [observation.offset for observation in last]
        if last[-1].mono - last[0].mono < _AGREE_OVER_US or max(offsets) - min(offsets) > _AGREE_WITHIN_US:
            return None
        return max(offsets)

    def _forget_before(self, agreed: int) -> None:
        """Drop what was observed of a clock that has been overruled."""
        kept = [observation for observation in self._seen if abs(observation.offset - agreed) <= _AGREE_WITHIN_US]
        self._seen = deque(kept, maxlen=_REMEMBERED)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)

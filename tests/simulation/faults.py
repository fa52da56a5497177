"""What can go wrong, and when: storms of a few faults at a time, with calm between them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """One thing that can go wrong; each can be left out by itself."""

    LATE_EVENTS = "late_events"
    LOST_EVENTS = "lost_events"
    DUPLICATED_EVENTS = "duplicated_events"
    REORDERED_EVENTS = "reordered_events"
    USER_HUB_DOWN = "user_hub_down"
    MARKET_HUB_DOWN = "market_hub_down"
    REST_DOWN = "rest_down"
    FROZEN_PRICES = "frozen_prices"
    GARBAGE_PRICES = "garbage_prices"
    REFUSED = "refused"
    RATE_LIMITED = "rate_limited"
    NOT_SENT = "not_sent"
    SERVER_ERRORS = "server_errors"
    SLOW_ANSWERS = "slow_answers"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    SLOW_FILLS = "slow_fills"
    PARTIAL_FILLS = "partial_fills"
    LAGGING_POSITIONS = "lagging_positions"
    VOIDED_TRADES = "voided_trades"
    HALTS = "halts"
    CRASHES = "crashes"
    DAMAGED_STATE = "damaged_state"
    WALL_CLOCK = "wall_clock"


ALL = frozenset(Fault)


class Storm:
    """A stretch of time in which some faults blow."""

    def __init__(self, begins_at: datetime, ends_at: datetime, faults: frozenset[Fault]) -> None:
        self.begins_at = begins_at
        self.ends_at = ends_at
        self.faults = faults


class Weather:
    """Says whether a fault strikes now.

    Every fault draws from a stream of its own, so that leaving one out does not move the others.
    """

    def __init__(self, seed: str, enabled: frozenset[Fault]) -> None:
        self._enabled = enabled
        self._streams = {fault: Random(f"{seed}:{fault}") for fault in Fault}
        self._rng = Random(f"{seed}:storms")
        self.blowing: frozenset[Fault] = frozenset()

    def storms(self, begins_at: datetime, ends_at: datetime) -> list[Storm]:
        """Draw the storms within a stretch of time: none to three, one after the other."""
        count = self._rng.choice((0, 1, 1, 2, 3))
        room = (ends_at - begins_at) / max(count, 1)
        return [self._storm(begins_at + number * room, room.total_seconds()) for number in range(count)]

    def _storm(self, begins_at: datetime, room_s: float) -> Storm:
        start = begins_at + timedelta(seconds=self._rng.uniform(0, room_s * 0.6))
        length = timedelta(seconds=self._rng.uniform(min(15, room_s * 0.3), room_s * 0.4))
        drawn = self._rng.sample(sorted(Fault), self._rng.choice((1, 1, 2, 3, 5, 8)))
        return Storm(start, start + length, frozenset(drawn) & self._enabled)

    def begin(self, faults: Iterable[Fault]) -> None:
        """Let these faults blow."""
        self.blowing = self.blowing | frozenset(faults)

    def end(self) -> None:
        """Let it be calm."""
        self.blowing = frozenset()

    def strikes(self, fault: Fault, chance: float = 1.0) -> bool:
        """Tell whether a fault that blows strikes this time."""
        return fault in self.blowing and self._streams[fault].random() < chance

    def draw(self, fault: Fault) -> Random:
        """Return the stream that a fault's sizes come from."""
        return self._streams[fault]

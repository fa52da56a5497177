"""The single-threaded priority queue that every event passes through.

Publishing drains the queue in the same call, so that from a frame on the socket to the bytes of a close there is one
call stack. What is published while an event is being handled waits for its turn: first the class, then the order of
arrival.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Final

import msgspec

from riskd.domain.calendar import day_end, trading_day
from riskd.domain.events import (
    AnyEvent,
    ClockTicked,
    CommandEnded,
    ConnectionChanged,
    DaemonStarted,
    Envelope,
    FeedSilent,
    Fill,
    InstrumentReported,
    LockoutReleased,
    QuoteReported,
    RulesApplied,
    RulesProposed,
    SnapshotReported,
)

CAPACITY: Final = 10_000
RESERVED: Final = 1_000
"""Places that only outcomes, timers and admin requests may take."""
BEHIND: Final = timedelta(seconds=1)
"""How far riskd's clock may be behind the broker's, whose stamps it follows are cut to whole seconds."""


class Priority(IntEnum):
    """The classes of events, most urgent first."""

    CONNECTION = 0
    ACCOUNT = 1
    CONTROL = 2
    TIMER = 3
    QUOTE = 4


_PRIORITIES: Final[dict[type, Priority]] = {
    ConnectionChanged: Priority.CONNECTION,
    DaemonStarted: Priority.CONNECTION,
    InstrumentReported: Priority.CONNECTION,
    RulesApplied: Priority.CONTROL,
    RulesProposed: Priority.CONTROL,
    LockoutReleased: Priority.CONTROL,
    ClockTicked: Priority.TIMER,
    FeedSilent: Priority.TIMER,
    QuoteReported: Priority.QUOTE,
}
_UNREFUSABLE: Final = (
    CommandEnded,
    ClockTicked,
    RulesApplied,
    RulesProposed,
    LockoutReleased,
    ConnectionChanged,
    DaemonStarted,
)


class _Waiting(msgspec.Struct):
    event: AnyEvent
    broker_at: datetime | None
    facts_before: int


class EventBus:
    """Order events, give each its envelope, and hand them one by one to the core's shell.

    Shape: ``handle`` sees envelopes with rising ``seq`` and never falling ``at``.
    """

    def __init__(
        self,
        handle: Callable[[Envelope], None],
        *,
        now: Callable[[], datetime],
        on_overflow: Callable[[AnyEvent], None],
        last_seq: int = 0,
        last_at: datetime | None = None,
    ) -> None:
        """Deliver to ``handle``; ``last_seq`` and ``last_at`` continue an earlier run."""
        self._handle = handle
        self._now = now
        self._on_overflow = on_overflow
        self._queues: tuple[deque[_Waiting], ...] = tuple(deque() for _ in Priority)
        self._quotes: dict[str, _Waiting] = {}
        self._size = 0
        self._facts = 0
        self._draining = False
        self.last_seq = last_seq
        self._last_at = last_at
        self._day_ends_at = datetime.min.replace(tzinfo=UTC)

    def publish(self, event: AnyEvent, *, broker_at: datetime | None = None) -> None:
        """Queue an event and, unless one is being handled already, handle all that wait."""
        if self._size or self._draining:
            self.enqueue(event, broker_at=broker_at)
            self.drain()
            return
        # Nothing waits and nothing is being handled, as nearly always: it would leave the queue as it came.
        self._draining = True
        try:
            self._handle(self._enveloped(event, broker_at))
        finally:
            self._draining = False
        self.drain()

    def enqueue(self, event: AnyEvent, *, broker_at: datetime | None = None) -> None:
        """Queue an event without handling it, so that a burst is ordered before any of it is handled.

        Errors: none; an event beyond the bound is handed to ``on_overflow``, never dropped in silence.
        """
        if isinstance(event, QuoteReported) and self._conflated(event):
            return
        limit = CAPACITY if isinstance(event, _UNREFUSABLE) else CAPACITY - RESERVED
        if self._size >= limit:
            self._on_overflow(event)
            return
        priority = _PRIORITIES.get(type(event), Priority.ACCOUNT)
        if priority is Priority.ACCOUNT:
            self._facts += 1
        waiting = _Waiting(event, broker_at, self._facts)
        self._queues[priority].append(waiting)
        self._size += 1
        if isinstance(event, QuoteReported):
            self._quotes[event.contract] = waiting

    def _conflated(self, quote: QuoteReported) -> bool:
        waiting = self._quotes.get(quote.contract)
        # Merging across a queued account fact would let a price overtake the fill that it must be judged with.
        if waiting is None or waiting.facts_before != self._facts or not isinstance(waiting.event, QuoteReported):
            return False
        waiting.event = conflate(waiting.event, quote)
        return True

    def drain(self) -> None:
        """Handle everything that waits; a call from inside a handler returns at once."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._size:
                self._handle(self._next())
        finally:
            self._draining = False

    def _next(self) -> Envelope:
        queue = next(queue for queue in self._queues if queue)
        waiting = queue.popleft()
        self._size -= 1
        event = waiting.event
        if isinstance(event, QuoteReported) and self._quotes.get(event.contract) is waiting:
            del self._quotes[event.contract]
        return self._enveloped(event, waiting.broker_at)

    def _enveloped(self, event: AnyEvent, broker_at: datetime | None) -> Envelope:
        at = self._time_of(event)
        if self._last_at is not None and at < self._last_at:
            at = self._last_at
        self._last_at = at
        self.last_seq += 1
        if broker_at is not None and broker_at > at:
            broker_at = at
        return Envelope(seq=self.last_seq, at=at, event=event, broker_at=broker_at)

    def _time_of(self, event: AnyEvent) -> datetime:
        """Return riskd's time, or the broker's stamp where the event shows that its new TradingDay has begun.

        Shape: riskd's clock may trail by a moment, and a trade of the new day must not be booked to the old one, nor
        its first price become the one at which positions were carried in. Nowhere else is time moved: waits go by it.
        """
        now = self._now()
        if now >= self._day_ends_at:
            self._day_ends_at = day_end(trading_day(now))
        if now + BEHIND < self._day_ends_at:
            return now
        stamp = _stamp(event)
        return now if stamp is None or stamp < self._day_ends_at else min(stamp, now + BEHIND)


def _stamp(event: AnyEvent) -> datetime | None:
    """Return the broker's time of the newest trade or price in an event."""
    match event:
        case Fill(at=stamp) | QuoteReported(at=stamp):
            return stamp
        case SnapshotReported(fills=fills) if fills:
            return max([fill.at for fill in fills])
        case _:
            return None


def conflate(first: QuoteReported, second: QuoteReported) -> QuoteReported:
    """Return one quote for two: the last values, with the low and high of each field that both stand for."""
    last = _extremes(first.last, first.low_last, first.high_last, second.last)
    bid = _extremes(first.bid, first.low_bid, first.high_bid, second.bid)
    ask = _extremes(first.ask, first.low_ask, first.high_ask, second.ask)
    return QuoteReported(
        contract=second.contract,
        at=second.at,
        last=second.last if second.last is not None else first.last,
        bid=second.bid if second.bid is not None else first.bid,
        ask=second.ask if second.ask is not None else first.ask,
        low_last=last[0],
        high_last=last[1],
        low_bid=bid[0],
        high_bid=bid[1],
        low_ask=ask[0],
        high_ask=ask[1],
    )


def _extremes(
    old: Decimal | None, low: Decimal | None, high: Decimal | None, new: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    prices = [price for price in (old, low, high, new) if price is not None]
    return (min(prices), max(prices)) if prices else (None, None)

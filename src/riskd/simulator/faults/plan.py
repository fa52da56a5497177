"""Which faults strike when: a seeded plan, without sockets and without a clock of its own.

Each rule draws from a random stream of its own, so that one rule's luck does not change another's.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TypeAlias, TypeVar

import msgspec

from riskd.simulator.exchange.books import CloseTerms
from riskd.simulator.exchange.events import QuoteEvent
from riskd.simulator.faults.handling import NORMAL, Handling
from riskd.simulator.faults.rules import (
    CallRule,
    DuplicatedEvent,
    EventRule,
    FaultFile,
    FaultRule,
    FrozenPrices,
    GarbagePrice,
    HttpError,
    HubDown,
    LateEvent,
    Latency,
    LostEvent,
    NoAnswer,
    PartialFill,
    PositionsLag,
    Rejected,
    ReorderedEvent,
    RestDown,
    Rule,
    SlowClose,
    Span,
    TimedRule,
)

_R = TypeVar("_R", bound=Rule)
_CLOSES = ("/closeContract", "/partialCloseContract")


class Strike(msgspec.Struct, frozen=True):
    """A fault that comes by itself, and for how long it lasts."""

    rule: TimedRule
    lasts: timedelta


Occasion: TypeAlias = tuple[datetime, int]


class FaultPlan:
    """Faults and their luck from a moment on."""

    def __init__(self, file: FaultFile, begin: datetime) -> None:
        """Plan the faults of a file, from a moment on."""
        self._begin = begin
        self._rules: tuple[FaultRule, ...] = file.faults
        self._luck = [Random(f"{file.seed}:{index}") for index in range(len(file.faults))]
        self._struck = [0] * len(file.faults)
        self._frozen: dict[str, datetime] = {}
        self._next: dict[int, datetime] = {}
        for index, rule in enumerate(file.faults):
            if isinstance(rule, TimedRule):
                start = begin + timedelta(seconds=rule.from_s)
                self._next[index] = start + _seconds(self._luck[index], rule.every_s)

    def handling(self, path: str, at: datetime) -> Handling:
        """Return what becomes of a REST call."""
        handling = NORMAL
        for rule, luck in self._striking(CallRule, at, path):
            handling = _handled(handling, rule, luck)
            if handling.outcome != "accepted":
                return handling
        if path.endswith(_CLOSES):
            terms = self._close_terms(at)
            handling = msgspec.structs.replace(handling, close_terms=terms)
        return handling

    def deliveries(self, target: str, at: datetime) -> tuple[int, ...]:
        """Return after how many milliseconds an event arrives, once for each arrival."""
        delays: tuple[int, ...] = (0,)
        for rule, luck in self._striking(EventRule, at, target):
            match rule:
                case LostEvent():
                    return ()
                case LateEvent() | ReorderedEvent():
                    delays = (delays[0] + _even(luck, rule.ms), *delays[1:])
                case DuplicatedEvent():
                    delays = (*delays, delays[0] + _even(luck, rule.ms))
                case _:
                    pass
        return delays

    def seen_quote(self, event: QuoteEvent, at: datetime) -> QuoteEvent | None:
        """Return the quote that the hub shows: the true one, nonsense, or none at all."""
        if at < max((self._frozen.get(key, at) for key in (event.contract_id, "*")), default=at):
            return None
        for rule, luck in self._striking(GarbagePrice, at, None):
            if _matches(rule.contracts, event.contract_id):
                return _garbage(event, luck)
        return event

    def freeze(self, contracts: tuple[str, ...], until: datetime) -> None:
        """Show no prices of these contracts until a moment."""
        for contract_id in contracts:
            self._frozen[contract_id] = until

    @property
    def next_at(self) -> datetime | None:
        """Return when the next fault comes by itself."""
        return min(self._next.values(), default=None)

    def due(self, at: datetime) -> list[Strike]:
        """Return the faults that have come by themselves, oldest first."""
        struck: list[tuple[datetime, Strike]] = []
        for index, upcoming in tuple(self._next.items()):
            rule, luck, when = self._rules[index], self._luck[index], upcoming
            while isinstance(rule, TimedRule) and when <= at:
                if self._strikes(index, when):
                    struck.append((when, Strike(rule, _lasts(rule, luck))))
                when += _seconds(luck, rule.every_s)
                self._next[index] = when
        return [strike for _, strike in sorted(struck, key=lambda each: each[0])]

    def _close_terms(self, at: datetime) -> CloseTerms | None:
        terms: CloseTerms | None = None
        for slow, luck in self._striking(SlowClose, at, None):
            terms = CloseTerms(delay_ms=_even(luck, slow.ms))
        for part, _ in self._striking(PartialFill, at, None):
            terms = CloseTerms(delay_ms=terms.delay_ms if terms else 0, part=part.part)
        return terms

    def _striking(self, kind: type[_R], at: datetime, what: str | None) -> Iterator[tuple[_R, Random]]:
        """Yield the rules of a kind that concern something and strike now."""
        for index, rule in enumerate(self._rules):
            if isinstance(rule, kind) and _concerns(rule, what) and self._strikes(index, at):
                yield rule, self._luck[index]

    def _strikes(self, index: int, at: datetime) -> bool:
        rule = self._rules[index]
        passed = (at - self._begin).total_seconds()
        if passed < rule.from_s or (rule.until_s is not None and passed >= rule.until_s):
            return False
        if rule.times is not None and self._struck[index] >= rule.times:
            return False
        if self._luck[index].random() >= rule.probability:
            return False
        self._struck[index] += 1
        return True


def _concerns(rule: Rule, what: str | None) -> bool:
    match rule:
        case CallRule():
            return what is not None and _matches(rule.calls, what, ends=True)
        case EventRule():
            return what is not None and _matches(rule.events, what)
        case _:
            return True


def _matches(patterns: tuple[str, ...], what: str, *, ends: bool = False) -> bool:
    if "*" in patterns or what in patterns:
        return True
    return ends and any(what.casefold().endswith(each.casefold()) for each in patterns)


def _handled(  # noqa: PLR0911 - one return per kind of fault
    so_far: Handling, rule: CallRule, luck: Random
) -> Handling:
    match rule:
        case Latency(answer=True):
            return msgspec.structs.replace(so_far, after_ms=so_far.after_ms + _even(luck, rule.ms))
        case Latency():
            return msgspec.structs.replace(so_far, before_ms=so_far.before_ms + _even(luck, rule.ms))
        case HttpError():
            return msgspec.structs.replace(so_far, outcome="status", status=rule.status, retry_after=rule.retry_after)
        case NoAnswer(how="silent"):
            outcome = "silent_applied" if rule.applied else "silent"
            return msgspec.structs.replace(so_far, outcome=outcome)
        case NoAnswer():
            outcome = "dropped_applied" if rule.applied else "dropped"
            return msgspec.structs.replace(so_far, outcome=outcome)
        case Rejected():
            return msgspec.structs.replace(so_far, outcome="rejected", code=rule.code, message=rule.message)
        case _:
            return so_far


def _garbage(event: QuoteEvent, luck: Random) -> QuoteEvent:
    price = event.last or event.bid or event.ask or Decimal(1)
    wrong = luck.choice((Decimal(0), -price, price * 10, price / 10, price + Decimal("0.0000001"), Decimal("1e9")))
    kind = luck.randrange(3)
    if kind == 0:
        return msgspec.structs.replace(event, last=wrong)
    if kind == 1:
        return msgspec.structs.replace(event, bid=wrong, ask=wrong)
    return msgspec.structs.replace(event, bid=event.ask or price, ask=event.bid or price)


def _lasts(rule: TimedRule, luck: Random) -> timedelta:
    if isinstance(rule, FrozenPrices | PositionsLag | HubDown | RestDown):
        return _seconds(luck, rule.for_s)
    return timedelta(0)


def _seconds(luck: Random, span: Span) -> timedelta:
    return timedelta(seconds=max(luck.uniform(*span), 0.001))


def _even(luck: Random, span: Span) -> int:
    return round(luck.uniform(*span))

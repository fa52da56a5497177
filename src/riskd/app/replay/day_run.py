"""One recorded TradingDay through the core: its fills, the prices between them, and every timer in its place.

The rules run in shadow: what they would have done is written down, and the recorded fills go on as they were. A day is
reckoned on its own, from flat, so that a fill that is missing from one day does not spoil the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import merge
from typing import Final

from riskd.app.replay.book import Day
from riskd.domain.account import AccountState
from riskd.domain.calendar import day_end, day_start
from riskd.domain.events import (
    AccountArmed,
    AnyEvent,
    ClockTicked,
    DaemonStarted,
    Envelope,
    Fill,
    QuoteReported,
    RulesApplied,
    SnapshotReported,
)
from riskd.domain.violations import ActionType, EnforcementAction, RuleViolation
from riskd.engine.core import Core
from riskd.rules.contract import Compile

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldAct:
    """The first thing a rule would have done on a day. Units: ``day_if_stopped`` is N in USD at that moment."""

    rule: str
    at: datetime
    action: ActionType
    reason: str
    day_if_stopped: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """How a day went.

    Units: USD; ``fees`` None where nothing says what the fills cost. ``low_water`` and ``high_water`` are the least and
    the most that was realized, net, at any time of the day, which begins at zero. ``open_at_end`` signed contracts.
    """

    day: Day
    gross: Decimal
    fees: Decimal | None
    net: Decimal
    low_water: Decimal
    high_water: Decimal
    max_contracts: int
    open_at_end: dict[str, int]
    actions: tuple[WouldAct, ...]


@dataclass(slots=True)
class _Marks:
    """What is kept of a day while it runs."""

    low: Decimal = ZERO
    high: Decimal = ZERO
    max_contracts: int = 0
    actions: dict[str, WouldAct] = field(default_factory=dict)


class DayRun:
    """A core with a virtual clock, for one account and one day."""

    def __init__(self, day: Day, compile_rules: Compile, spec: str | None) -> None:
        """Arm the account as the day begins; without ``spec`` it is only reckoned."""
        self._day = day
        self._core = Core(compile_rules)
        self._now = day_start(day.trading_day)
        self._seq = 0
        self._marks = _Marks()
        self._begin(spec)

    def play(self, quotes: Sequence[QuoteReported]) -> DayResult:
        """Let the day happen; a price of the same moment as a fill comes before it."""
        events: Iterable[QuoteReported | Fill] = merge(quotes, self._day.fills, key=lambda event: event.at)
        for event in events:
            self._advance(event.at)
            self._publish(event)
            if isinstance(event, Fill):
                self._mark()
        self._advance(day_end(self._day.trading_day), up_to_and_including=False)
        return self._result()

    def _begin(self, spec: str | None) -> None:
        account = self._day.account
        self._publish(DaemonStarted())
        if spec is not None:
            self._publish(RulesApplied(account=account, spec=spec))
        self._publish(SnapshotReported(account=account, asked_seq=self._seq, positions=(), orders=(), fills=()))
        self._publish(AccountArmed(account=account))

    def _advance(self, to: datetime, *, up_to_and_including: bool = True) -> None:
        while (due := self._core.next_deadline()) is not None and (due < to or (up_to_and_including and due == to)):
            self._now = max(self._now, due)
            self._publish(ClockTicked())
        self._now = max(self._now, to)

    def _publish(self, event: AnyEvent) -> None:
        self._seq += 1
        broker_at = event.at if isinstance(event, Fill) else None
        step = self._core.step(Envelope(seq=self._seq, at=self._now, event=event, broker_at=broker_at))
        for violation in step.violations:
            self._note(violation)

    @property
    def _state(self) -> AccountState:
        return self._core.state_manager.accounts[self._day.account]

    def _mark(self) -> None:
        state, marks = self._state, self._marks
        realized = state.realized - state.fees
        marks.low, marks.high = min(marks.low, realized), max(marks.high, realized)
        held = self._core.state_manager.get_position_count(self._day.account)
        marks.max_contracts = max(marks.max_contracts, held)

    def _note(self, violation: RuleViolation) -> None:
        if violation.rule_id in self._marks.actions:
            return
        rulebook = self._core.rulebooks[self._day.account]
        entry = next(entry for entry in rulebook.entries if entry.rule_id == violation.rule_id)
        view = self._core.state_manager.view(self._day.account, self._now)
        self._marks.actions[violation.rule_id] = WouldAct(
            rule=violation.rule_id,
            at=self._now,
            action=_done(entry.rule.get_enforcement_action(violation), self._state),
            reason=violation.message,
            day_if_stopped=view.net_pnl,
        )

    def _result(self) -> DayResult:
        state, marks, view = self._state, self._marks, self._core.state_manager.view(self._day.account, self._now)
        held = {view.instruments[c].symbol: p.quantity for c, p in sorted(state.positions.items())}
        return DayResult(
            day=self._day,
            gross=state.realized,
            fees=state.fees if self._day.has_fees else None,
            net=state.realized - state.fees,
            low_water=marks.low,
            high_water=marks.high,
            max_contracts=marks.max_contracts,
            open_at_end=held,
            actions=tuple(marks.actions.values()),
        )


def _done(action: EnforcementAction, state: AccountState) -> ActionType:
    """Return what a lockout comes to: with nothing held there is nothing to flatten."""
    if action.lock and not state.positions:
        return ActionType.SET_LOCKOUT
    return action.action_type

"""One recorded TradingDay through the core: its fills, the prices between them, and every timer in its place.

The rules run in shadow: what they would have done is written down, and the recorded fills go on as they were. A day is
reckoned on its own, from flat, so that a fill that is missing from one day does not spoil the next.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import merge
from typing import Final

from riskd.app.replay.book import Day
from riskd.app.replay.virtual_day import VirtualDay
from riskd.domain.account import AccountState
from riskd.domain.calendar import day_end
from riskd.domain.events import Fill, QuoteReported
from riskd.domain.violations import ActionType, EnforcementAction, RuleViolation
from riskd.engine.step import Step
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
    the most that was realized, net, at any time of the day, which begins at zero. ``open_at_end`` signed contracts by
    symbol; ``net_marked`` is the net with what they are worth at their last price.
    """

    day: Day
    gross: Decimal
    fees: Decimal | None
    net: Decimal
    net_marked: Decimal
    low_water: Decimal
    high_water: Decimal
    max_contracts: int
    open_at_end: Mapping[str, int]
    actions: tuple[WouldAct, ...]


@dataclass(slots=True)
class _Marks:
    """What is kept of a day while it runs."""

    low: Decimal = ZERO
    high: Decimal = ZERO
    max_contracts: int = 0
    actions: dict[str, WouldAct] = field(default_factory=dict)


class DayRun:
    """A recorded day, looked at by rules that act on nothing."""

    def __init__(self, day: Day, compile_rules: Compile, spec: str | None) -> None:
        """Arm the account as the day begins; without ``spec`` it is only reckoned."""
        self._recorded = day
        self._marks = _Marks()
        self._day = VirtualDay(day, compile_rules, self._stepped)
        self._day.begin(spec)

    def play(self, quotes: Sequence[QuoteReported]) -> DayResult:
        """Let the day happen."""
        for event in in_time(self._recorded, quotes):
            self._advance(event.at)
            self._day.publish(event)
            if isinstance(event, Fill):
                self._mark()
        self._advance(day_end(self._recorded.trading_day))
        return self._result()

    def _advance(self, to: datetime) -> None:
        while (due := self._day.due(to)) is not None:
            self._day.tick(due)
        self._day.go_to(to)

    def _stepped(self, step: Step) -> None:
        for violation in step.violations:
            self._note(violation)

    def _mark(self) -> None:
        state, marks = self._day.state, self._marks
        realized = state.realized - state.fees
        marks.low, marks.high = min(marks.low, realized), max(marks.high, realized)
        held = self._day.core.state_manager.get_position_count(self._day.account)
        marks.max_contracts = max(marks.max_contracts, held)

    def _note(self, violation: RuleViolation) -> None:
        if violation.rule_id not in self._marks.actions:
            self._marks.actions[violation.rule_id] = would_act(self._day, violation)

    def _result(self) -> DayResult:
        state, marks = self._day.state, self._marks
        return DayResult(
            day=self._recorded,
            gross=state.realized,
            fees=state.fees if self._recorded.has_fees else None,
            net=state.realized - state.fees,
            net_marked=self._day.view.net_pnl,
            low_water=marks.low,
            high_water=marks.high,
            max_contracts=marks.max_contracts,
            open_at_end=self._day.held,
            actions=tuple(marks.actions.values()),
        )


def in_time(day: Day, quotes: Sequence[QuoteReported]) -> Iterable[QuoteReported | Fill]:
    """Return what a day consists of in its order; a price of the same moment as a fill comes before it."""
    return merge(quotes, day.fills, key=lambda event: event.at)


def would_act(day: VirtualDay, violation: RuleViolation) -> WouldAct:
    """Return what a rule of this day does about its violation, now."""
    entry = next(entry for entry in day.rulebook.entries if entry.rule_id == violation.rule_id)
    return WouldAct(
        rule=violation.rule_id,
        at=day.now,
        action=_done(entry.rule.get_enforcement_action(violation), day.state),
        reason=violation.message,
        day_if_stopped=day.view.net_pnl,
    )


def _done(action: EnforcementAction, state: AccountState) -> ActionType:
    """Return what a lockout comes to: with nothing held there is nothing to flatten."""
    if action.lock and not state.positions:
        return ActionType.SET_LOCKOUT
    return action.action_type

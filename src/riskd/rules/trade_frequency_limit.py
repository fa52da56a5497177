"""TradeFrequencyLimit: so many trades in a day or in any stretch of time."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from riskd.domain.account import Execution
from riskd.domain.account_view import AccountView
from riskd.domain.calendar import CHICAGO, next_reset
from riskd.domain.events import AnyEvent
from riskd.domain.violations import EnforcementAction, Reduction, RuleViolation
from riskd.rules.actions import close_or_cancel
from riskd.rules.contract import Category
from riskd.rules.derived import FromExecutions
from riskd.rules.durations import Duration, parse_duration, show_duration
from riskd.rules.params import ConfiguredRule, RuleParams, with_examples
from riskd.rules.tightness import FIXED, LOWER, SHORTER, Tightness
from riskd.rules.trades import Count, Counted, Window, allowances, frees_at, grouped, told_apart

DAILY: Final = "daily"
DEFAULT_MERGE: Final = timedelta(seconds=2)
LONGEST: Final = timedelta(hours=24)


def _window(value: object) -> object:
    if value == DAILY or isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("window", '"daily", or a duration with a unit such as "15min" or "1h"')
    try:
        length = parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("window", '{why}, or "daily"', {"why": str(error)}) from None
    if not timedelta(0) < length <= LONGEST:
        raise PydanticCustomError("window", 'a window is longer than zero and a day at most; write "daily" for the day')
    return length


def _window_grows(old: object, new: object) -> bool:
    match old, new:
        case (timedelta() as before, timedelta() as later):
            return later >= before
        case _:
            return old == new


class TradeFrequencyLimitParams(RuleParams):
    """How many trades are allowed, in which time, and what counts as one.

    Shape: `window` is "daily" (the TradingDay) or a rolling duration. `count` "entries" counts opening orders, those of
    one contract and side within `merge_within` as one; "round_trips" positions opened from flat; "orders" every entry
    and exit order; "fills" executions.
    """

    model_config = with_examples({"max_trades": 8}, {"max_trades": 3, "window": "15min"})

    max_trades: Annotated[int, Field(ge=1, le=10_000), LOWER]
    window: Annotated[
        Literal["daily"] | timedelta,
        BeforeValidator(_window),
        WithJsonSchema(
            {"type": "string", "description": '"daily", or a duration with its unit such as "15min" or "1h"'}
        ),
        Tightness("a longer window is tighter", _window_grows),
    ] = "daily"
    count: Annotated[Count, FIXED] = "entries"
    merge_within: Annotated[Duration, SHORTER] = DEFAULT_MERGE


class _Limits(msgspec.Struct, frozen=True):
    most: int
    window: Window
    count: Count
    merge_within: timedelta


class TradeFrequencyLimitRule(ConfiguredRule):
    """Close what a trade beyond the count opened; while the count is used up, let no entry rest.

    Breached while contracts are held that a trade beyond the count opened, or an entry rests that would be one.
    """

    name: ClassVar[str] = "TradeFrequencyLimit"
    category: ClassVar[Category] = Category.FREQUENCY
    Params: ClassVar[type[RuleParams]] = TradeFrequencyLimitParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = TradeFrequencyLimitParams.model_validate(params)
        self._limits = _Limits(
            most=checked.max_trades,
            window=Window(checked.window if isinstance(checked.window, timedelta) else None),
            count=checked.count,
            merge_within=checked.merge_within,
        )
        self._day = date.min
        self._told_apart = FromExecutions(partial(self._count, day=self._day))

    def remember(self, memory: Mapping[str, str], event: AnyEvent | None, state: AccountView) -> Mapping[str, str]:
        """Remember, by contract, the signed quantity that may stay where a trade beyond the count opened more.

        It is kept because the question is asked again of an account whose closes are under way, which no longer shows
        what was held.
        """
        excess = self._counted(state).excess
        if not excess:
            return {}
        held = {contract: position.quantity for contract, position in state.positions.items()}
        kept = allowances(state.account.executions, excess, held)
        return {contract: str(quantity) for contract, quantity in kept.items()}

    def _counted(self, state: AccountView) -> Counted:
        if state.account.trading_day != self._day:
            self._day = state.account.trading_day
            self._told_apart = FromExecutions(partial(self._count, day=self._day))
        return self._told_apart.of(state.account.executions)

    def _count(self, executions: tuple[Execution, ...], day: date) -> Counted:
        limits = self._limits
        seen = limits.window.seen_from(executions, day)
        return told_apart(grouped(seen, limits.count, limits.merge_within), limits.most, limits.window)

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation by what is held, else by what rests."""
        return next(iter(self.violations(event, state)), None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return the violation by what is held and the one by what rests."""
        cuts = tuple(self._cuts(state))
        if not cuts and not state.account.orders:
            return ()
        counted = self._counted(state)
        found = [self._held_violation(state, counted, cuts)] if cuts else []
        cancels = self._resting(state, counted)
        return (*found, self._resting_violation(state, counted, cancels)) if cancels else tuple(found)

    def _cuts(self, state: AccountView) -> Iterator[Reduction]:
        for contract, kept in sorted(self.memory(state).items()):
            held, left = state.quantities.get(contract, 0), int(kept)
            if abs(held) > abs(left) or held * left < 0:
                yield Reduction(contract, held=held, left=left if held * left > 0 else 0)

    def _resting(self, state: AccountView, counted: Counted) -> tuple[str, ...]:
        if not self._used_up(state, counted):
            return ()
        orders = [order for contract in state.in_play for order in state.entry_orders(contract)]
        known = frozenset[str]().union(*(trade.order_ids for trade in counted.counted))
        return tuple(order.order_id for order in orders if order.order_id not in known)

    def _used_up(self, state: AccountView, counted: Counted) -> bool:
        """Tell whether the trade that would have to be over for another one still counts."""
        most, trades = self._limits.most, counted.counted
        return len(trades) >= most and self._limits.window.holds(trades[-most].started_at, state.at)

    def _used(self, state: AccountView, counted: Counted) -> int:
        window = self._limits.window
        if window.length is None:
            return len(counted.counted)
        return sum(1 for _ in takewhile(lambda t: window.holds(t.started_at, state.at), reversed(counted.counted)))

    def _held_violation(self, state: AccountView, counted: Counted, cuts: tuple[Reduction, ...]) -> RuleViolation:
        limits = self._limits
        beyond = [trade for trade in counted.excess if limits.window.holds(trade.started_at, state.at)]
        number = limits.most + max(len(beyond), 1)
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            current_value=number,
            limit_value=limits.most,
            exceeded_by=number - limits.most,
            message=f"{number} trades {self._when()}, limit {limits.most}; {self._free_again(state, counted)}",
            headline=f"TradeFrequencyLimit violated: {number} > {limits.most}",
            reductions=cuts,
        )

    def _resting_violation(self, state: AccountView, counted: Counted, cancels: tuple[str, ...]) -> RuleViolation:
        number, most = self._used(state, counted) + 1, self._limits.most
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key="resting",
            current_value=number,
            limit_value=most,
            exceeded_by=number - most,
            message=f"the limit of {most} trades {self._when()} is used up; {self._free_again(state, counted)}",
            headline=f"TradeFrequencyLimit violated: {number} > {most} if the entry filled",
            cancels=cancels,
        )

    def _when(self) -> str:
        length = self._limits.window.length
        return "today" if length is None else f"in {show_duration(length)}"

    def _free_again(self, state: AccountView, counted: Counted) -> str:
        at = frees_at(counted.counted, self._limits.most, self._limits.window, state.at) or next_reset(state.at)
        return f"free again at {at.astimezone(CHICAGO):%H:%M:%S} Chicago time"

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the close of what the excess opened, or the cancel where nothing of it is held."""
        return close_or_cancel(violation)

    def next_deadline(self, state: AccountView) -> datetime | None:
        """Return when the window frees a place while an entry waits for one."""
        if not state.account.orders:
            return None
        return frees_at(self._counted(state).counted, self._limits.most, self._limits.window, state.at)

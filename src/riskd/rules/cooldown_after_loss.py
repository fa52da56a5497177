"""CooldownAfterLoss: a pause after a losing position, longer after a larger loss."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Self

import msgspec
from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from riskd.domain.account import Execution
from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent
from riskd.domain.money import exact, show
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import cool_down
from riskd.rules.contract import Category
from riskd.rules.derived import FromExecutions
from riskd.rules.durations import PositiveDuration, show_duration
from riskd.rules.params import NOT_EMPTY, ConfiguredRule, LossLimit, RuleParams, list_to_tuple, with_examples
from riskd.rules.tightness import HIGHER, LONGER, Tightness, or_none

LONGEST: Final = timedelta(hours=24)


def _bounded(value: timedelta) -> timedelta:
    if value > LONGEST:
        raise PydanticCustomError("duration", "a cooldown lasts a day at most; use a daily limit for more")
    return value


CooldownDuration = Annotated[PositiveDuration, AfterValidator(_bounded)]


class Tier(RuleParams):
    """A loss (USD, negative) and how long to pause after it."""

    threshold: LossLimit
    duration: CooldownDuration


def _tiers_tighter(old: object, new: object) -> bool:
    """Tell whether every loss pauses at least as long as before."""
    match old, new:
        case (tuple() as before, tuple() as later):
            return all(any(t.threshold >= o.threshold and t.duration >= o.duration for t in later) for o in before)
        case _:
            return old is None


class CooldownAfterLossParams(RuleParams):
    """After which loss of a position to pause, and for how long.

    Shape: either `loss_threshold` with `cooldown_duration`, or `tiers` of both, of which the worst that matches counts.
    Units: USD net of fees; thresholds below zero.
    """

    model_config = with_examples(
        {"loss_threshold": "-100.00", "cooldown_duration": "15min"},
        {
            "tiers": [
                {"threshold": "-100.00", "duration": "5min"},
                {"threshold": "-200.00", "duration": "15min"},
                {"threshold": "-300.00", "duration": "30min"},
            ]
        },
    )

    loss_threshold: Annotated[LossLimit | None, or_none(HIGHER)] = None
    cooldown_duration: Annotated[CooldownDuration | None, or_none(LONGER)] = None
    tiers: Annotated[
        Annotated[tuple[Tier, ...], NOT_EMPTY] | None,
        BeforeValidator(list_to_tuple),
        Tightness("pauses that begin no later and last no shorter are tighter", _tiers_tighter),
    ] = None

    def as_strict_as(self, other: Self) -> bool:
        """Compare how long each loss pauses, whether tiers say so or a single threshold."""
        losses = (tier.threshold for tier in (*self.all_tiers, *other.all_tiers))
        return all(self.pause_after(loss) >= other.pause_after(loss) for loss in losses)

    @property
    def all_tiers(self) -> tuple[Tier, ...]:
        """Return the tiers; a single threshold is one."""
        if self.loss_threshold is None or self.cooldown_duration is None:
            return self.tiers or ()
        return (Tier(threshold=self.loss_threshold, duration=self.cooldown_duration),)

    def pause_after(self, loss: Decimal) -> timedelta:
        """Return how long to pause after a loss (USD, negative)."""
        return max((tier.duration for tier in self.all_tiers if loss <= tier.threshold), default=timedelta(0))

    @model_validator(mode="after")
    def _one_way(self) -> "CooldownAfterLossParams":
        pair = (self.loss_threshold is not None, self.cooldown_duration is not None)
        if any(pair) and self.tiers is not None:
            raise PydanticCustomError("tiers", "has both tiers and a single threshold; keep one of them")
        if not all(pair) and self.tiers is None:
            raise PydanticCustomError("tiers", "needs loss_threshold and cooldown_duration, or tiers")
        if self.tiers is not None:
            _ordered(self.tiers)
        return self


def _ordered(tiers: tuple[Tier, ...]) -> None:
    mildest_first = sorted(tiers, key=lambda tier: -tier.threshold)
    for milder, worse in pairwise(mildest_first):
        if milder.threshold == worse.threshold:
            raise PydanticCustomError("tiers", "has two tiers with one threshold")
        if milder.duration > worse.duration:
            raise PydanticCustomError("tiers", "pauses longer after a smaller loss than after a larger one")


class _Tier(msgspec.Struct, frozen=True):
    threshold: Decimal
    duration: timedelta


class Pause(msgspec.Struct, frozen=True):
    """A cooldown that a loss began."""

    execution: Execution
    threshold: Decimal
    until: datetime
    duration: timedelta


class CooldownAfterLossRule(ConfiguredRule):
    """Take no new risk for a while after a position lost too much.

    Breached from the fill at which a position's realized loss since it opened from flat reached a threshold, once per
    position and tier, until the pause is over.
    """

    name: ClassVar[str] = "CooldownAfterLoss"
    category: ClassVar[Category] = Category.FREQUENCY
    Params: ClassVar[type[RuleParams]] = CooldownAfterLossParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = CooldownAfterLossParams.model_validate(params)
        tiers = [_Tier(tier.threshold, tier.duration) for tier in checked.tiers or ()]
        if checked.loss_threshold is not None and checked.cooldown_duration is not None:
            tiers.append(_Tier(checked.loss_threshold, checked.cooldown_duration))
        self._worst_first = tuple(sorted(tiers, key=lambda tier: tier.threshold))
        self._pauses = FromExecutions(lambda executions: tuple(self._begun(executions)))

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation that lasts longest."""
        return max(self.violations(event, state), key=lambda v: v.until or state.at, default=None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return one violation for each pause that is running, keyed by position and tier."""
        return tuple([self._violation(state, pause) for pause in self._running(state)])

    def _running(self, state: AccountView) -> list[Pause]:
        return [pause for pause in self._pauses.of(state.account.executions) if pause.until > state.at]

    def _begun(self, executions: tuple[Execution, ...]) -> Iterator[Pause]:
        begun: set[tuple[str, int, Decimal]] = set()
        for execution in executions:
            if not execution.closed:
                continue
            tier = next((t for t in self._worst_first if exact(execution.realized) <= t.threshold), None)
            if tier is None:
                continue
            key = (execution.contract, execution.position_seq, tier.threshold)
            if key not in begun:
                begun.add(key)
                yield Pause(execution, tier.threshold, execution.at + tier.duration, tier.duration)

    def _violation(self, state: AccountView, pause: Pause) -> RuleViolation:
        lost, root = pause.execution.realized, state.root(pause.execution.contract)
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key=f"{pause.execution.contract}/{pause.execution.position_seq}/{pause.threshold:f}",
            current_value=lost,
            limit_value=pause.threshold,
            exceeded_by=pause.threshold - lost,
            message=f"{root} lost {show(lost)} USD, past {show(pause.threshold)} USD: "
            f"no new risk for {show_duration(pause.duration)}",
            headline=f"CooldownAfterLoss violated: {show(lost)} <= {show(pause.threshold)}",
            until=pause.until,
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the cooldown."""
        return cool_down(violation)

    def next_deadline(self, state: AccountView) -> datetime | None:
        """Return when the next pause is over."""
        return min((pause.until for pause in self._running(state)), default=None)

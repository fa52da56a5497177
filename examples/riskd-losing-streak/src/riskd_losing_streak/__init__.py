"""LosingStreak: stop for the day after so many losing positions in a row."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from riskd.domain.account_view import AccountView
from riskd.domain.calendar import day_start, next_reset
from riskd.domain.events import AnyEvent
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import flatten_and_lock
from riskd.rules.contract import Category
from riskd.rules.params import Amount, ConfiguredRule, RuleParams, with_examples
from riskd.rules.tightness import LOWER


class LosingStreakParams(RuleParams):
    """How many losing positions in a row are enough.

    Shape: a position that lost less than `ignore_below` neither counts nor ends the streak; one that won ends it.
    Units: `ignore_below` USD, positive.
    """

    model_config = with_examples({"most": 3, "ignore_below": "10.00"})

    most: Annotated[int, Field(ge=1, le=100), LOWER]
    ignore_below: Annotated[Amount, LOWER] = Decimal(0)


class LosingStreakRule(ConfiguredRule):
    """Flatten the account and lock it until the next 17:00 Chicago time.

    Breached while the day's last positions, so many of them, were all closed at a loss.
    """

    name: ClassVar[str] = "LosingStreak"
    category: ClassVar[Category] = Category.LOCKOUT
    Params: ClassVar[type[RuleParams]] = LosingStreakParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = LosingStreakParams.model_validate(params)
        self._most, self._ignore_below = checked.most, checked.ignore_below

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation while the streak is as long as is allowed, or longer."""
        streak = self._streak(state)
        if streak < self._most:
            return None
        return RuleViolation(
            rule_name=self.name,
            current_value=streak,
            limit_value=self._most,
            exceeded_by=streak - self._most,
            message=f"{streak} losing positions in a row, limit {self._most}",
            headline=f"LosingStreak violated: {streak} >= {self._most}",
            lock=True,
            until=next_reset(state.at),
        )

    def _streak(self, state: AccountView) -> int:
        streak, begin = 0, day_start(state.account.trading_day)
        for execution in state.account.executions:
            if not execution.flat or execution.at < begin:
                continue
            if execution.realized > 0:
                streak = 0
            elif execution.realized < 0 and -execution.realized >= self._ignore_below:
                streak += 1
        return streak

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the flatten with its lockout."""
        return flatten_and_lock(violation)

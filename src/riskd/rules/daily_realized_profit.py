"""DailyRealizedProfit: when the day is good enough to stop."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Final

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.calendar import next_reset
from riskd.domain.events import AnyEvent
from riskd.domain.money import show
from riskd.domain.violations import EnforcementAction, RuleViolation, RuleWarning
from riskd.rules.actions import flatten_and_lock
from riskd.rules.contract import Category
from riskd.rules.daily_pnl import Basis, CompiledReserve, Reserve, compiled_reserve, day_pnl
from riskd.rules.params import ConfiguredRule, ProfitLimit, RuleParams, with_examples
from riskd.rules.tightness import only_to
from riskd.rules.warning_levels import near_of, nearly_used

ZERO: Final = Decimal(0)


class DailyRealizedProfitParams(RuleParams):
    """How much is enough for a day, and by which figure.

    Shape: `basis` "combined" judges realized and open P&L together, "realized" what is closed, "worst" the larger of
    the two. `reserve` acts that much before the limit is reached, so that slippage does not eat the target.
    Units: USD; `limit` above zero.
    """

    model_config = with_examples({"limit": "1500.00"})

    limit: ProfitLimit
    basis: Annotated[Basis, only_to("worst")] = "combined"
    reserve: Reserve = ZERO


class _Limits(msgspec.Struct, frozen=True):
    limit: Decimal
    basis: Basis
    reserve: CompiledReserve


class DailyRealizedProfitRule(ConfiguredRule):
    """Flatten the account and lock it until the next 17:00 Chicago time.

    Breached at the limit and above it, counting the reserve.
    """

    name: ClassVar[str] = "DailyRealizedProfit"
    category: ClassVar[Category] = Category.LOCKOUT
    Params: ClassVar[type[RuleParams]] = DailyRealizedProfitParams

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = DailyRealizedProfitParams.model_validate(params)
        self._limits = _Limits(limit=checked.limit, basis=checked.basis, reserve=compiled_reserve(checked.reserve))
        self._near = near_of(abs(checked.limit))

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation while the day's P&L is at its limit or above."""
        pnl, limit = self._pnl(state), self._limits.limit
        if pnl < self._threshold(state):
            return None
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            current_value=pnl,
            limit_value=limit,
            exceeded_by=pnl - limit,
            message=self._message(pnl),
            headline=f"DailyRealizedProfit violated: {show(pnl)} >= {show(limit)}",
            lock=True,
            until=next_reset(state.at),
        )

    def _pnl(self, state: AccountView) -> Decimal:
        return day_pnl(state, self._limits.basis, worst=max)

    def _threshold(self, state: AccountView) -> Decimal:
        reserve = self._limits.reserve
        return self._limits.limit - reserve.amount(state) if reserve.any else self._limits.limit

    def _message(self, pnl: Decimal) -> str:
        limit = self._limits.limit
        where = "past" if pnl > limit else "at" if pnl == limit else "within the reserve of"
        return f"daily profit {show(pnl)} USD is {where} limit {show(limit)} USD"

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the flatten with its lockout."""
        return flatten_and_lock(violation)

    def headroom(self, state: AccountView) -> Decimal | None:
        """Return how much more (USD) may be won before this rule acts; zero or less once it has."""
        return self._threshold(state) - self._pnl(state)

    def warnings(self, state: AccountView) -> Iterable[RuleWarning]:
        """Return a warning when most of the limit is used."""
        return nearly_used("daily profit target", (self._threshold(state) - self._pnl(state)), self._near)

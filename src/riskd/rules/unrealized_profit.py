"""UnrealizedProfit: when an open profit is to be taken."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Final

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent
from riskd.domain.money import show
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import close_whole
from riskd.rules.contract import Category
from riskd.rules.daily_pnl import CompiledReserve, Reserve, compiled_reserve
from riskd.rules.open_pnl import OpenPnl, Scope, close_of, open_pnl
from riskd.rules.params import ConfiguredRule, ProfitLimit, RuleParams, with_examples
from riskd.rules.tightness import FIXED

ZERO: Final = Decimal(0)


class UnrealizedProfitParams(RuleParams):
    """How much open profit is taken, and of what.

    Shape: `scope` "position" judges each contract, "group" a product family together (NQ with MNQ), "account"
    everything. `reserve` acts that much before the limit is reached.
    Units: USD; `limit` above zero.
    """

    model_config = with_examples({"limit": "600.00"})

    limit: ProfitLimit
    scope: Annotated[Scope, FIXED] = "position"
    reserve: Reserve = ZERO


class _Limits(msgspec.Struct, frozen=True):
    limit: Decimal
    scope: Scope
    reserve: CompiledReserve


class UnrealizedProfitRule(ConfiguredRule):
    """Close what has reached its open profit; trading goes on.

    Breached at the limit and above it, counting the reserve.
    """

    name: ClassVar[str] = "UnrealizedProfit"
    category: ClassVar[Category] = Category.PER_POSITION
    Params: ClassVar[type[RuleParams]] = UnrealizedProfitParams

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = UnrealizedProfitParams.model_validate(params)
        self._limits = _Limits(limit=checked.limit, scope=checked.scope, reserve=compiled_reserve(checked.reserve))

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the first violation, by contract or family."""
        return next(iter(self.violations(event, state)), None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return one violation for each contract, family or account whose open profit has reached the limit."""
        units = open_pnl(state, self._limits.scope)
        return tuple([self._violation(state, u) for u in units if u.amount >= self._threshold(state, u)])

    def _threshold(self, state: AccountView, unit: OpenPnl) -> Decimal:
        reserve = self._limits.reserve
        return self._limits.limit - reserve.for_held(state, unit.held) if reserve.any else self._limits.limit

    def _violation(self, state: AccountView, unit: OpenPnl) -> RuleViolation:
        limit = self._limits.limit
        where = "past" if unit.amount > limit else "at" if unit.amount == limit else "within the reserve of"
        violation = RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key=unit.key,
            current_value=unit.amount,
            limit_value=limit,
            exceeded_by=unit.amount - limit,
            message=f"open profit {show(unit.amount)} USD of {unit.title(state)} is {where} limit {show(limit)} USD",
            headline=f"UnrealizedProfit violated: {show(unit.amount)} >= {show(limit)}",
        )
        return close_of(unit, violation)

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the close."""
        return close_whole(violation)

    def headroom(self, state: AccountView) -> Decimal | None:
        """Return how much more (USD) the unit that is nearest to its limit may win; with nothing held, the limit."""
        units = open_pnl(state, self._limits.scope)
        return min((self._threshold(state, unit) - unit.amount for unit in units), default=self._limits.limit)

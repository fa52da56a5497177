"""MaxContracts: a ceiling on everything an account holds, across all instruments."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent
from riskd.domain.orders import OrderType
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import close_or_cancel
from riskd.rules.contract import Category
from riskd.rules.params import ConfiguredRule, RuleParams, with_examples
from riskd.rules.sizing import (
    ONE,
    Trimmed,
    Weight,
    after,
    alike,
    largest_first,
    may_exceed,
    newest_first,
    resting,
    still_working,
    trim,
    weighed,
    weighed_orders,
)
from riskd.rules.tightness import FIXED, LOWER, ON

_MOST: Final = 100_000


def _count(value: object) -> Decimal:
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return Decimal(value)
    if isinstance(value, str) and value.isascii() and value.replace(".", "", 1).isdecimal():
        return Decimal(value)
    raise PydanticCustomError("contracts", 'must be a whole number such as 4 (or "0.5" with unit minis)')


def _sensible(value: Decimal) -> Decimal:
    if not 0 <= value <= _MOST:
        raise PydanticCustomError("contracts", "must be from 0 to {most}", {"most": _MOST})
    return value


ContractCount = Annotated[
    Decimal, BeforeValidator(_count), AfterValidator(_sensible), WithJsonSchema({"type": "integer", "minimum": 0})
]


class MaxContractsParams(RuleParams):
    """How many contracts an account may hold in all, long and short alike.

    Shape: `unit` "minis" counts by the instrument table (10 MNQ are 1 NQ); `order` says which contracts go first,
    the most recently opened ("lifo") or those of the position worth the most ("largest_risk"); with `count_working`
    resting entries that would exceed the limit if they filled are cancelled, newest first.
    """

    model_config = with_examples({"max_contracts": 4}, {"max_contracts": 5, "unit": "minis", "order": "largest_risk"})

    max_contracts: Annotated[ContractCount, LOWER]
    unit: Annotated[Literal["contracts", "minis"], FIXED] = "contracts"
    order: Annotated[Literal["lifo", "largest_risk"], FIXED] = "lifo"
    count_working: Annotated[bool, ON] = True

    @model_validator(mode="after")
    def _whole(self) -> "MaxContractsParams":
        if self.unit == "contracts" and self.max_contracts % 1:
            raise PydanticCustomError("contracts", 'max_contracts must be a whole number unless unit is "minis"')
        return self


class _Limits(msgspec.Struct, frozen=True):
    most: Decimal
    by_minis: bool
    largest_first: bool
    count_working: bool


class MaxContractsRule(ConfiguredRule):
    """Close what exceeds the limit, the most recently opened contracts first.

    Breached while the sum of absolute quantities over all instruments is above the limit. The rest of the order that
    did it is cancelled with the close.
    """

    name: ClassVar[str] = "MaxContracts"
    category: ClassVar[Category] = Category.CONTRACT
    Params: ClassVar[type[RuleParams]] = MaxContractsParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = MaxContractsParams.model_validate(params)
        self._limits = _Limits(
            most=checked.max_contracts,
            by_minis=checked.unit == "minis",
            largest_first=checked.order == "largest_risk",
            count_working=checked.count_working,
        )

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation by what is held, else by what rests."""
        return next(iter(self.violations(event, state)), None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return the violation by what is held and the one by what rests: each is told on its own."""
        weight = self._weights(state)
        total = weighed(state.quantities, weight)
        excess = total - self._limits.most
        if excess <= 0 and not self._may_rest_too_much(state, -excess, weight):
            return ()
        held = largest_first(state) if self._limits.largest_first else newest_first(state)
        cut = trim(state, held, excess, weight)
        found = [self._held_violation(state, total, cut)] if excess > 0 else []
        waiting = self._resting_violation(state, cut) if self._limits.count_working else None
        return (*found, waiting) if waiting else tuple(found)

    def _may_rest_too_much(self, state: AccountView, room: Decimal, weight: Weight) -> bool:
        orders = state.account.orders
        # Most accounts are far from their limit: whatever works would fit beside what is held.
        if not orders or not self._limits.count_working or weighed_orders(orders.values(), weight) <= room:
            return False
        return may_exceed(orders.values(), state.quantities, self._limits.most, weight)

    def _weights(self, state: AccountView) -> Weight:
        return _Minis(state) if self._limits.by_minis else alike

    def _held_violation(self, state: AccountView, total: Decimal, cut: Trimmed) -> RuleViolation:
        current, limit = self._shown(total), self._shown(self._limits.most)
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            current_value=current,
            limit_value=limit,
            exceeded_by=self._shown(total - self._limits.most),
            message=f"MaxContracts limit exceeded: {current} {self._unit} held, limit {limit}",
            headline=f"MaxContracts violated: {current} > {limit}",
            reductions=cut.reductions,
            cancels=still_working(state, cut.order_ids),
        )

    def _resting_violation(self, state: AccountView, cut: Trimmed) -> RuleViolation | None:
        orders = [order for order in state.account.orders.values() if order.type is not OrderType.MARKET]
        if not orders:
            return None
        kept = after(state.quantities, cut.reductions)
        possible = resting(orders, kept, self._limits.most, self._weights(state))
        if not possible.surplus:
            return None
        current, limit = self._shown(possible.total), self._shown(self._limits.most)
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key="resting",
            current_value=current,
            limit_value=limit,
            exceeded_by=self._shown(possible.total - self._limits.most),
            message=f"MaxContracts limit exceeded: {current} {self._unit} if resting orders fill, limit {limit}",
            headline=f"MaxContracts violated: {current} > {limit} with resting orders",
            cancels=possible.surplus,
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the close of the excess, or the cancel where nothing is held beyond the limit."""
        return close_or_cancel(violation)

    @property
    def _unit(self) -> str:
        return "minis" if self._limits.by_minis else "contracts"

    def _shown(self, value: Decimal) -> Decimal | int:
        return int(value) if value == value.to_integral_value() else value.normalize()


class _Minis:
    """The weight of a contract in minis; an unknown product counts as a mini, which never loosens."""

    def __init__(self, state: AccountView) -> None:
        self._instruments = state.instruments

    def __call__(self, contract: str) -> Decimal:
        instrument = self._instruments.get(contract)
        return instrument.minis if instrument else ONE

"""MaxContractsPerInstrument: a ceiling for each product."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Self

import msgspec
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import close_or_cancel
from riskd.rules.contract import Category
from riskd.rules.params import ConfiguredRule, Root, RuleParams, with_examples
from riskd.rules.sizing import alike, newest_first, still_working, trim
from riskd.rules.tightness import LOWER, each, or_none

_MOST: Final = 100_000
Count = Annotated[int, Field(ge=0, le=_MOST)]


class MaxContractsPerInstrumentParams(RuleParams):
    """How many contracts of each product an account may hold; `default` is for products that `limits` does not name.

    Shape: every expiry of a product counts towards its limit. No default means no limit for the others.
    """

    model_config = with_examples({"limits": {"ES": 2, "MNQ": 10}, "default": 1})

    limits: Annotated[dict[Root, Count], Field(default_factory=dict), each(LOWER)]
    default: Annotated[Count | None, or_none(LOWER)] = None

    def as_strict_as(self, other: Self) -> bool:
        """Compare what each product may have: `limits` without a product and `default` hang together."""
        roots = dict.fromkeys((*self.limits, *other.limits))
        named = all(_as_small(self.limit_of(root), other.limit_of(root)) for root in roots)
        return named and _as_small(self.default, other.default)

    def limit_of(self, root: str) -> int | None:
        """Return how many contracts of a product may be held, None for any number."""
        return self.limits.get(root, self.default)

    @model_validator(mode="after")
    def _something(self) -> "MaxContractsPerInstrumentParams":
        if not self.limits and self.default is None:
            raise PydanticCustomError("limits", 'limits nothing; give limits such as {"ES": 2}, or a default')
        return self


def _as_small(most: int | None, other: int | None) -> bool:
    return other is None or (most is not None and most <= other)


class _Limits(msgspec.Struct, frozen=True):
    by_root: dict[str, int]
    default: int | None


class MaxContractsPerInstrumentRule(ConfiguredRule):
    """Close what exceeds a product's limit, the most recently opened contracts first."""

    name: ClassVar[str] = "MaxContractsPerInstrument"
    category: ClassVar[Category] = Category.CONTRACT
    Params: ClassVar[type[RuleParams]] = MaxContractsPerInstrumentParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = MaxContractsPerInstrumentParams.model_validate(params)
        self._limits = _Limits(by_root=checked.limits, default=checked.default)

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation of the first product, by name, that is over its limit."""
        return next(iter(self.violations(event, state)), None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return one violation for each product that is over its limit, keyed by product."""
        held: dict[str, int] = {}
        for contract, quantity in state.quantities.items():
            root = state.root(contract)
            held[root] = held.get(root, 0) + abs(quantity)
        named, default = self._limits.by_root, self._limits.default
        limits = [(root, count, named.get(root, default)) for root, count in held.items()]
        over = [(root, count, most) for root, count, most in limits if most is not None and count > most]
        return tuple([self._violation(state, root, count, most) for root, count, most in sorted(over)])

    def _violation(self, state: AccountView, root: str, count: int, limit: int) -> RuleViolation:
        mine = [lot for lot in newest_first(state) if state.root(lot.contract) == root]
        cut = trim(state, mine, Decimal(count - limit), alike)
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key=root,
            current_value=count,
            limit_value=limit,
            exceeded_by=count - limit,
            message=f"MaxContractsPerInstrument limit exceeded: {count} {root} held, limit {limit}",
            headline=f"MaxContractsPerInstrument violated: {count} {root} > {limit}",
            reductions=cut.reductions,
            cancels=still_working(state, cut.order_ids),
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the close of the excess."""
        return close_or_cancel(violation)

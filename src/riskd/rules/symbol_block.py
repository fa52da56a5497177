"""SymbolBlock: products that an account does not trade."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import close_or_cancel
from riskd.rules.contract import Category
from riskd.rules.params import NOT_EMPTY, ConfiguredRule, Root, RuleParams, list_to_tuple, with_examples
from riskd.rules.sizing import to_zero
from riskd.rules.tightness import MORE


class SymbolBlockParams(RuleParams):
    """Which products are blocked, by root: MNQ blocks every expiry of MNQ and says nothing about NQ."""

    model_config = with_examples({"blocked_symbols": ["CL", "NG"]})

    blocked_symbols: Annotated[tuple[Root, ...], NOT_EMPTY, BeforeValidator(list_to_tuple), MORE]


class SymbolBlockRule(ConfiguredRule):
    """Cancel entries and close positions in blocked products."""

    name: ClassVar[str] = "SymbolBlock"
    category: ClassVar[Category] = Category.SESSION
    Params: ClassVar[type[RuleParams]] = SymbolBlockParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        self._blocked = frozenset(SymbolBlockParams.model_validate(params).blocked_symbols)

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation of the first blocked product, by name, that is held or could be entered."""
        return next(iter(self.violations(event, state)), None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return one violation for each blocked product that is held or could be entered, keyed by product."""
        by_root: dict[str, list[str]] = {}
        for contract in state.in_play:
            root = state.root(contract)
            if root in self._blocked:
                by_root.setdefault(root, []).append(contract)
        if not by_root:
            return ()
        found = (self._violation(state, root, contracts) for root, contracts in sorted(by_root.items()))
        return tuple(violation for violation in found if violation is not None)

    def _violation(self, state: AccountView, root: str, contracts: Iterable[str]) -> RuleViolation | None:
        held = {c: state.quantities[c] for c in contracts if state.quantities.get(c, 0)}
        entering = [order for contract in contracts for order in state.entry_orders(contract)]
        if not held and not entering:
            return None
        count = sum(map(abs, held.values())) + sum(order.remaining for order in entering)
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key=root,
            current_value=count,
            limit_value=0,
            exceeded_by=count,
            message=f"{root} is blocked for this account",
            headline=f"SymbolBlock violated: {root}",
            reductions=tuple(to_zero(contract, quantity) for contract, quantity in held.items()),
            cancels=tuple(order.order_id for order in entering),
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the close of what is held, or the cancels where nothing is."""
        return close_or_cancel(violation)

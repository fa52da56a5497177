"""Open P&L by position, by product family or for the whole account, as the open-P&L limits judge it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, assert_never

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.violations import RuleViolation
from riskd.rules.sizing import to_zero

ZERO: Final = Decimal(0)

Scope = Literal["position", "group", "account"]
"""What is judged together: one contract, a family such as NQ with MNQ, or everything."""
WHOLE_ACCOUNT: Final = "account"


class OpenPnl(msgspec.Struct, frozen=True):
    """The open P&L (USD) of what is judged together.

    Shape: ``key`` names it, a contract, a product family or the account; ``held`` maps contract to signed quantity.
    """

    key: str
    amount: Decimal
    held: Mapping[str, int]

    def title(self, state: AccountView) -> str:
        """Return what people call it."""
        instrument = state.instruments.get(self.key)
        return instrument.symbol if instrument else self.key


def open_pnl(state: AccountView, scope: Scope) -> list[OpenPnl]:
    """Return the open P&L of every unit of a scope in which something is held, ordered by key."""
    held = {contract: quantity for contract, quantity in sorted(state.quantities.items()) if quantity}
    match scope:
        case "position":
            return [OpenPnl(contract, state.unrealized(contract), {contract: q}) for contract, q in held.items()]
        case "account":
            return [OpenPnl(WHOLE_ACCOUNT, state.total_unrealized_pnl, held)] if held else []
        case "group":
            return _by_group(state, held)
        case _:
            assert_never(scope)


def _by_group(state: AccountView, held: Mapping[str, int]) -> list[OpenPnl]:
    groups: dict[str, dict[str, int]] = {}
    for contract, quantity in held.items():
        instrument = state.instruments.get(contract)
        groups.setdefault(instrument.group if instrument else state.root(contract), {})[contract] = quantity
    return [
        OpenPnl(group, sum((state.unrealized(contract) for contract in members), ZERO), members)
        for group, members in sorted(groups.items())
    ]


def close_of(unit: OpenPnl, violation: RuleViolation) -> RuleViolation:
    """Return the violation with the close of everything in the unit."""
    cuts = tuple(to_zero(contract, quantity) for contract, quantity in sorted(unit.held.items()))
    return msgspec.structs.replace(violation, reductions=cuts)

"""Open P&L by position, by product family or for the whole account, as the open-P&L limits judge it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, assert_never

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.violations import RuleViolation
from riskd.rules.sizing import to_zero

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
    quantities = state.quantities
    contracts = [contract for contract in sorted(quantities) if quantities[contract]]
    match scope:
        case "position":
            return [OpenPnl(c, state.unrealized(c), {c: quantities[c]}) for c in contracts]
        case "account":
            return [_unit(state, WHOLE_ACCOUNT, contracts)] if contracts else []
        case "group":
            return _by_group(state, contracts)
        case _:
            assert_never(scope)


def _by_group(state: AccountView, contracts: list[str]) -> list[OpenPnl]:
    groups: dict[str, list[str]] = {}
    for contract in contracts:
        instrument = state.instruments.get(contract)
        groups.setdefault(instrument.group if instrument else state.root(contract), []).append(contract)
    return [_unit(state, group, groups[group]) for group in sorted(groups)]


def _unit(state: AccountView, key: str, contracts: list[str]) -> OpenPnl:
    quantities = state.quantities
    first, *others = contracts
    amount, held = state.unrealized(first), {first: quantities[first]}
    for contract in others:
        amount += state.unrealized(contract)
        held[contract] = quantities[contract]
    return OpenPnl(key, amount, held)


def close_of(unit: OpenPnl, violation: RuleViolation) -> RuleViolation:
    """Return the violation with the close of everything in the unit."""
    cuts = tuple(to_zero(contract, quantity) for contract, quantity in sorted(unit.held.items()))
    return msgspec.structs.replace(violation, reductions=cuts)

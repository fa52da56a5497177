"""Open P&L by position, by product family or for the whole account, as the open-P&L limits judge it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

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
    title: str
    amount: Decimal
    held: Mapping[str, int]


def open_pnl(state: AccountView, scope: Scope) -> list[OpenPnl]:
    """Return the open P&L of every unit of a scope in which something is held, ordered by key."""
    units: dict[str, dict[str, int]] = {}
    for contract, quantity in state.quantities.items():
        if quantity:
            units.setdefault(_key(state, contract, scope), {})[contract] = quantity
    return [
        OpenPnl(key, _title(state, key, scope), sum(map(state.unrealized, held), ZERO), held)
        for key, held in sorted(units.items())
    ]


def _key(state: AccountView, contract: str, scope: Scope) -> str:
    match scope:
        case "position":
            return contract
        case "group":
            instrument = state.instruments.get(contract)
            return instrument.group if instrument else state.root(contract)
        case "account":
            return WHOLE_ACCOUNT


def _title(state: AccountView, key: str, scope: Scope) -> str:
    if scope != "position":
        return key
    instrument = state.instruments.get(key)
    return instrument.symbol if instrument else key


def close_of(unit: OpenPnl, violation: RuleViolation) -> RuleViolation:
    """Return the violation with the close of everything in the unit."""
    cuts = tuple(to_zero(contract, quantity) for contract, quantity in sorted(unit.held.items()))
    return msgspec.structs.replace(violation, reductions=cuts)

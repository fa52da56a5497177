"""What riskd did, told in the scenario's own language."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from riskd.app.scenario.world import Given, SeenViolation
from riskd.domain.calendar import CHICAGO
from riskd.domain.commands import CancelOrder, ClosePosition, LockAccount, StartCooldown
from riskd.domain.instruments import symbol_of_contract
from riskd.domain.money import show


def tell_given(given: Given) -> str:
    """Tell one enforcement command."""
    match given.command:
        case LockAccount(account=account, until=until):
            return f"lock {account} until {_until(until)}"
        case StartCooldown(account=account, until=until):
            return f"cooldown {account} until {_until(until)}"
        case ClosePosition(account=account, contract=contract, held=held, left=left):
            return f"close {account} {symbol_of_contract(contract)} {abs(held - left)} left {left}"
        case CancelOrder(account=account, order_id=order):
            return f"cancel {account} {order}"


def _until(until: datetime | None) -> str:
    if until is None:
        return "admin"
    local = until.astimezone(CHICAGO)
    seconds = f":{local:%S}" if local.second or local.microsecond else ""
    fraction = f"{local:.%f}".rstrip("0") if local.microsecond else ""
    return f"{local:%Y-%m-%d %H:%M}{seconds}{fraction}"


def tell_violation(violation: SeenViolation) -> str:
    """Tell a violation with its figures."""
    return f"violation {violation.rule[0]} current={violation.current} limit={violation.limit}"


def tell_positions(positions: Mapping[str, int]) -> str:
    """Tell what is held: ``flat``, or signed contracts by symbol."""
    held = [f"{symbol_of_contract(contract)}{quantity:+d}" for contract, quantity in positions.items() if quantity]
    return " ".join(held) or "flat"


def tell_money(amount: Decimal | None) -> str:
    """Tell an amount in dollars and cents."""
    return "unknown" if amount is None else show(amount)

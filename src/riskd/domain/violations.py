"""What a rule says: that a limit is broken, and what it wants done about it."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class ActionType(StrEnum):
    """What an enforcement does, in the words of the outputs."""

    CLOSE_POSITION = "close_position"
    FLATTEN_ACCOUNT = "flatten_account"
    CANCEL_ORDER = "cancel_order"
    SET_LOCKOUT = "set_lockout"
    SET_COOLDOWN = "set_cooldown"
    ALERT = "alert"


class Reduction(msgspec.Struct, frozen=True):
    """Bring one contract from ``held`` towards zero, to ``left`` (both signed contracts)."""

    contract: str
    held: int
    left: int

    @property
    def closed(self) -> int:
        """Return the contracts to close, positive."""
        return abs(self.held - self.left)


class RuleViolation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken limit.

    Shape: ``rule_id`` tells two entries of one rule apart; ``key`` tells two breaches of one entry apart (a contract,
    for rules that judge each position). ``reductions`` and ``cancels`` are what would end the breach. ``lock`` asks
    for a lockout until ``until`` (None: until an admin releases it).
    Units: the values are those of the rule, contracts or USD.
    """

    rule_name: str
    current_value: Decimal | int
    limit_value: Decimal | int
    exceeded_by: Decimal | int
    message: str = ""
    account: str = ""
    rule_id: str = ""
    key: str = ""
    lock: bool = False
    until: datetime | None = None
    reductions: tuple[Reduction, ...] = ()
    cancels: tuple[str, ...] = ()
    headline: str = ""


class RuleWarning(msgspec.Struct, frozen=True):
    """Something a rule wants people to hear before it happens; told once per key and TradingDay."""

    key: str
    message: str


class EnforcementAction(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule wants done about a violation.

    Units: ``quantity`` positive contracts to close in all, None where that is not what is asked.
    Shape: ``lockout_until`` ends a lockout (``lock``) or a cooldown. With ``confirm_orders`` the broker is asked for
    its orders before anything is closed.
    """

    action_type: ActionType
    account: str = ""
    rule_id: str = ""
    reason: str = ""
    quantity: int | None = None
    reductions: tuple[Reduction, ...] = ()
    cancels: tuple[str, ...] = ()
    lock: bool = False
    lockout_until: datetime | None = None
    confirm_orders: bool = False

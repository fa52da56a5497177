"""What riskd did, as it is gathered step by step between two looks at it."""

from collections.abc import Mapping
from decimal import Decimal

from riskd.app.scenario.world import Given, Seen, SeenViolation
from riskd.domain.commands import (
    Alert,
    AnyCommand,
    CancelOrder,
    ClosePosition,
    EnforcementEnded,
    LockAccount,
    StartCooldown,
    UnlockAccount,
)
from riskd.domain.violations import RuleViolation

Held = Mapping[str, Mapping[str, int]]
"""Signed contracts by account and contract."""


class Noticed:
    """Gathers until it is taken."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._given: list[Given] = []
        self._unlocked: list[str] = []
        self._alerts: list[str] = []
        self._violations: list[SeenViolation] = []

    def command(self, step: int, command: AnyCommand, held: Held | None) -> None:
        """Note one command; ``held`` is what riskd held before any of it was carried out."""
        match command:
            case LockAccount() | StartCooldown() | ClosePosition() | CancelOrder():
                positions = None if held is None else held.get(command.account, {})
                self._given.append(Given(step, command, positions))
            case UnlockAccount(account):
                self._unlocked.append(account)
            case Alert(text=text) | EnforcementEnded(text=text):
                self._alerts.append(text)
            case _:
                pass

    def violation(self, violation: RuleViolation) -> None:
        """Note a limit found broken."""
        names = (violation.rule_name, violation.rule_id)
        figures = Decimal(violation.current_value), Decimal(violation.limit_value)
        self._violations.append(SeenViolation(violation.account, names, *figures))

    def taken(self) -> Seen:
        """Return everything and begin anew."""
        seen = Seen(tuple(self._given), tuple(self._unlocked), tuple(self._alerts), tuple(self._violations))
        for gathered in (self._given, self._unlocked, self._alerts, self._violations):
            gathered.clear()
        return seen

"""One step of the core: what it gathers on its way from account to account, and what came of it."""

import msgspec

from riskd.domain.commands import AnyCommand
from riskd.domain.market import Quote
from riskd.domain.violations import RuleViolation


class Step(msgspec.Struct, frozen=True):
    """What one envelope led to.

    Shape: ``commands`` in the order to carry them out; ``violations`` only those that are new; ``evaluated`` the
    accounts whose rules were heard; ``changed`` the accounts that are not as they were; ``market`` the rows that the
    journal must hold before this envelope for a replay to see the same prices.
    """

    commands: tuple[AnyCommand, ...] = ()
    violations: tuple[RuleViolation, ...] = ()
    evaluated: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    market: tuple[Quote, ...] = ()


class Work:
    """What a step gathers while it goes from account to account."""

    def __init__(self, market: tuple[Quote, ...]) -> None:
        self.market = market
        self.commands: list[AnyCommand] = []
        self.violations: list[RuleViolation] = []
        self.evaluated: list[str] = []

    def place(self) -> tuple[int, int, int]:
        """Return how much there is now."""
        return len(self.commands), len(self.violations), len(self.evaluated)

    def back_to(self, place: tuple[int, int, int]) -> None:
        """Drop what has come since."""
        commands, violations, evaluated = place
        del self.commands[commands:], self.violations[violations:], self.evaluated[evaluated:]

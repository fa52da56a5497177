"""What a scenario is run against: something that has a broker, a riskd, and a time that the scenario moves.

There are two: the bare core with a broker's ledger beside it (``core_world``), and, in the tests, the daemon on the
simulated gateway. The same scenario must pass on both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from riskd.app.scenario.language import CarriedIn, Fact
from riskd.domain.commands import CancelOrder, ClosePosition, LockAccount, StartCooldown

EnforcementCommand = LockAccount | StartCooldown | ClosePosition | CancelOrder


class CannotHappen(Exception):
    """A fact does not fit what went before, such as an answer to a command that was never given."""

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, found {actual}")
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What stands before the first line.

    Shape: ``rules`` maps each account to the canonical text of its rules; ``fees`` USD per contract and side by root;
    ``balances`` in USD are those that accounts begin with, where the scenario says it.
    """

    begins_at: datetime
    manual: bool
    rules: Mapping[str, str]
    fees: Mapping[str, Decimal]
    balances: Mapping[str, Decimal]
    carried: tuple[CarriedIn, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """One enforcement command.

    Shape: ``step`` is the same for all that one event caused; ``held`` the signed positions by contract at that moment,
    None where they are not known.
    """

    step: int
    command: EnforcementCommand
    held: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class SeenViolation:
    """A limit found broken by the rule with these names; None for figures that cannot be seen from outside."""

    account: str
    rule: tuple[str, ...]
    current: Decimal | None
    limit: Decimal | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What riskd did since it was last looked at."""

    given: tuple[Given, ...]
    unlocked: tuple[str, ...]
    alerts: tuple[str, ...]
    violations: tuple[SeenViolation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an account stands. Units: ``positions`` signed contracts by contract id, money in USD by its name."""

    positions: Mapping[str, int]
    locked: bool
    money: Mapping[str, Decimal]
    pending: tuple[str, ...]


class World(Protocol):
    """A riskd with its broker, driven by a scenario."""

    async def start(self) -> None:
        """Start the broker and riskd, armed and reconciled, at the scenario's first time."""
        ...

    async def advance(self, to: datetime) -> None:
        """Let time go on; everything due up to and including ``to`` fires."""
        ...

    async def happen(self, fact: Fact) -> None:
        """Let a fact happen now, and riskd answer it.

        Errors: CannotHappen when it does not fit what went before.
        """
        ...

    async def seen(self) -> Seen:
        """Return what riskd did since this was last asked."""
        ...

    async def standing(self, account: str) -> Standing:
        """Return how an account stands now."""
        ...

    async def close(self) -> None:
        """Stop everything."""
        ...

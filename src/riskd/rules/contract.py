"""What a rule is: the contract between the engine and every rule, built in or third party.

A breach is a predicate on the account's state: it holds after a missed event, a restart or a tightening as well. Rules
read only; what a rule must remember is a fact in the account's state.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import ClassVar, Protocol

import msgspec

from riskd.domain.account import PnlSettings
from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent, QuoteReported
from riskd.domain.violations import EnforcementAction, RuleViolation, RuleWarning


class Category(IntEnum):
    """The order in which rules are heard when several fire on one event, the strongest first.

    Source: rules.md section 0, "Ranking".
    """

    SESSION = 1
    LOCKOUT = 2
    PER_POSITION = 3
    CONTRACT = 4
    FREQUENCY = 5
    ALERT = 6


class Mode(StrEnum):
    """Whether a rule or an account acts, or only says what it would have done."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class RiskRulePlugin(Protocol):
    """One configured rule of one account.

    Shape: built by the registry from validated parameters, then never changed.
    """

    name: ClassVar[str]
    category: ClassVar[Category]

    def applies_to(self, event: AnyEvent) -> bool:
        """Tell whether this event can change what the rule says; time and configuration always can."""
        ...

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the first violation in this state, which has the event booked already."""
        ...

    def violations(self, event: AnyEvent | None, state: AccountView) -> Iterable[RuleViolation]:
        """Return all violations in this state, each with a key of its own."""
        ...

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return what to do about a violation."""
        ...

    def warnings(self, state: AccountView) -> Iterable[RuleWarning]:
        """Return what people should hear before this rule has to act.

        Shape: asked at the events that the rule hears and at its deadlines.
        """
        ...

    def remember(self, memory: Mapping[str, str], event: AnyEvent | None, state: AccountView) -> Mapping[str, str]:
        """Return what to remember after an event of the account (never a quote): a pure fold, kept with the account.

        Shape: found again in ``state.account.memories`` under the rule's id; persisted, and replayed like any fact.
        """
        ...

    @property
    def watches_equity(self) -> bool:
        """Tell whether the account's highest equity must be kept up to date with every price."""
        ...

    def next_deadline(self, state: AccountView) -> datetime | None:
        """Return when the verdict could change by time alone, None if it cannot."""
        ...

    def headroom(self, state: AccountView) -> Decimal | None:
        """Return how far in USD the account is from this limit, None for a rule that is not about money."""
        ...


class RiskRule:
    """The usual rule: answers everything but ``evaluate`` and ``get_enforcement_action``.

    Shape: ``hears_quotes`` tells whether a price alone can change what the rule says; a rule for which it cannot is
    not asked at each of them.
    """

    hears_quotes: ClassVar[bool] = True

    def applies_to(self, event: AnyEvent) -> bool:
        """Hear every event, quotes if they matter here."""
        return self.hears_quotes or not isinstance(event, QuoteReported)

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the first violation, None where the limit holds."""
        raise NotImplementedError

    def violations(self, event: AnyEvent | None, state: AccountView) -> Iterable[RuleViolation]:
        """Return the one violation there can be."""
        found = self.evaluate(event, state)
        return () if found is None else (found,)

    def warnings(self, state: AccountView) -> Iterable[RuleWarning]:
        """Return nothing."""
        return ()

    def remember(self, memory: Mapping[str, str], event: AnyEvent | None, state: AccountView) -> Mapping[str, str]:
        """Remember nothing new."""
        return memory

    @property
    def watches_equity(self) -> bool:
        """Tell that the highest equity does not matter here."""
        return False

    def next_deadline(self, state: AccountView) -> datetime | None:
        """Return None: time alone changes nothing."""
        return None

    def headroom(self, state: AccountView) -> Decimal | None:
        """Return None: not a limit in money."""
        return None


class RuleEntry(msgspec.Struct, frozen=True):
    """One rule as an account has it; ``rule_id`` is its own id, or the rule's name."""

    rule_id: str
    rule: RiskRulePlugin
    mode: Mode = Mode.ENFORCE


class RulesChange(msgspec.Struct, frozen=True):
    """What it means to go from the rules in force to others.

    Shape: ``spec`` is the canonical text of what may apply at once: every part that is provably tighter, everything
    else as it was. ``at_once`` and ``later`` say each change from old to new; ``waiting`` are the ids of the rules, and
    the names of the settings, that ``later`` is about. Nothing waits where it is empty.
    """

    spec: str
    at_once: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


Compare = Callable[[str], RulesChange]
"""Compare the rules in force with the canonical text of others."""


class Rulebook(msgspec.Struct, frozen=True):
    """All that is configured for one account, ranked.

    Shape: ``faults`` names rules that could not be loaded: the account takes no new risk while there are any. Where
    ``compare`` is None nothing is provably tighter than these rules, and every change waits.
    """

    account: str
    entries: tuple[RuleEntry, ...]
    settings: PnlSettings = PnlSettings()
    mode: Mode = Mode.ENFORCE
    faults: tuple[str, ...] = ()
    compare: Compare | None = None


Compile = Callable[[str, str], Rulebook]
"""Make a Rulebook from an account id and the canonical JSON text of its rules."""

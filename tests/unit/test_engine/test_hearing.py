"""Which rules are asked about an event: all of them, but at a price only those that prices matter to."""

from typing import ClassVar

import pytest

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent, ClockTicked, QuoteReported
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.engine.risk_engine import RiskEngine
from riskd.rules.contract import Category, RiskRule, Rulebook, RuleEntry
from tests.support.rule_builders import NOON, contract, view


class Listening(RiskRule):
    """A rule that notes what it is asked about, and finds nothing."""

    name: ClassVar[str] = "Listening"
    category: ClassVar[Category] = Category.LOCKOUT

    def __init__(self) -> None:
        self.heard: list[AnyEvent | None] = []

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Find nothing."""
        self.heard.append(event)
        return None

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Never be asked."""
        raise NotImplementedError


class Deaf(Listening):
    """A rule to which prices do not matter."""

    hears_quotes = False


class OnlyGold(Listening):
    """A rule that chooses for itself."""

    def applies_to(self, event: AnyEvent) -> bool:
        """Hear of gold."""
        return not isinstance(event, QuoteReported) or event.contract == contract("GC")


TICK = ClockTicked()
GOLD = QuoteReported(contract=contract("GC"), at=NOON)
NASDAQ = QuoteReported(contract=contract("MNQ"), at=NOON)


@pytest.mark.parametrize(
    ("kind", "heard"),
    [(Listening, [TICK, GOLD, NASDAQ]), (Deaf, [TICK]), (OnlyGold, [TICK, GOLD])],
)
def test_a_rule_hears_what_matters_to_it(kind: type[Listening], heard: list[AnyEvent]) -> None:
    """Beside others that hear everything."""
    rule, other, engine, state = kind(), Listening(), RiskEngine(), view()
    account = state.account.account
    engine.use(Rulebook(account, (RuleEntry("it", rule), RuleEntry("other", other))))

    for event in (TICK, GOLD, NASDAQ):
        engine.hear(state, event, 1)

    assert rule.heard == heard
    assert other.heard == [TICK, GOLD, NASDAQ]

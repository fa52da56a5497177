import pytest

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent, ClockTicked
from riskd.domain.violations import RuleViolation
from riskd.rules.contract import RiskRule
from tests.support.rule_builders import view


def test_the_usual_rule_hears_everything_and_says_nothing_of_its_own() -> None:
    """Only a verdict is asked of a rule; the rest has an answer."""
    rule = RiskRule()

    assert rule.applies_to(ClockTicked())
    assert rule.warnings(view()) == ()
    assert rule.remember({"a": "b"}, None, view()) == {"a": "b"}
    assert rule.next_deadline(view()) is None
    assert rule.headroom(view()) is None
    assert rule.watches_equity is False
    with pytest.raises(NotImplementedError):
        rule.evaluate(None, view())


class Fixed(RiskRule):
    """A rule whose verdict is given."""

    def __init__(self, verdict: RuleViolation | None) -> None:
        self._verdict = verdict

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the verdict."""
        return self._verdict


def test_a_rule_with_one_verdict_has_that_one_violation() -> None:
    """What evaluate returns is all there is."""
    broken = RuleViolation(rule_name="Fixed", current_value=1, limit_value=0, exceeded_by=1)

    assert tuple(Fixed(broken).violations(None, view())) == (broken,)
    assert tuple(Fixed(None).violations(None, view())) == ()

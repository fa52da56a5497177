from datetime import datetime

import msgspec
import pytest
from pydantic import ValidationError

from riskd.domain.account_view import AccountView
from riskd.domain.events import ClockTicked, Link, QuoteReported
from riskd.rules.auth_loss_guard import AuthLossGuardRule
from tests.support.rule_builders import account, ct, position, view

SINCE = ct("2025-10-15 11:59:30")


def blind(*links: Link, at: datetime) -> AccountView:
    """Return a look at long 2 MNQ with these connections lost since 11:59:30."""
    state = account(positions=[position("MNQ", 2)])
    return view(msgspec.structs.replace(state, down=dict.fromkeys(links, SINCE)), at=at)


def test_a_lost_connection_is_told_and_nothing_is_closed() -> None:
    """A lost hub is an alert, whatever is held."""
    rule = AuthLossGuardRule(params={"alert_only": True})

    violation = rule.evaluate(None, blind(Link.USER_HUB, at=SINCE))

    assert violation is not None
    assert "(user_hub) is lost since 11:59:30 Chicago time; nothing is closed" in violation.message
    action = rule.get_enforcement_action(violation)
    assert (action.action_type, action.reductions, action.lock) == ("alert", (), False)


def test_each_connection_is_told_on_its_own() -> None:
    """Login and hub lost together are two things to put right."""
    rule = AuthLossGuardRule(params={})

    found = rule.violations(None, blind(Link.USER_HUB, Link.LOGIN, at=SINCE))

    assert [violation.key for violation in found] == ["login", "user_hub"]


def test_a_short_interruption_is_not_told() -> None:
    """With 30 s of patience it is told at 12:00:00, and the core is asked to look then."""
    rule = AuthLossGuardRule(params={"after": "30s"})
    early, due = ct("2025-10-15 11:59:59"), ct("2025-10-15 12:00:00")

    assert rule.evaluate(ClockTicked(), blind(Link.REST, at=early)) is None
    assert rule.next_deadline(blind(Link.REST, at=early)) == due
    assert rule.evaluate(ClockTicked(), blind(Link.REST, at=due)) is not None
    assert rule.next_deadline(blind(Link.REST, at=due)) is None


def test_nothing_is_told_while_the_broker_is_seen() -> None:
    """All connections up."""
    assert AuthLossGuardRule(params={}).evaluate(None, blind(at=SINCE)) is None


def test_it_cannot_be_told_to_flatten() -> None:
    """A position that cannot be seen is never closed on a guess."""
    with pytest.raises(ValidationError):
        AuthLossGuardRule(params={"alert_only": False})


def test_quotes_are_not_heard() -> None:
    """Prices say nothing about connections."""
    rule = AuthLossGuardRule(params={})

    assert not rule.applies_to(QuoteReported(contract="X", at=SINCE))
    assert rule.applies_to(ClockTicked())

import pytest
from pydantic import ValidationError

from riskd.domain.events import ClockTicked, ConnectionChanged, Link
from riskd.rules.auth_loss_guard import AuthLossGuardRule
from tests.support.rule_builders import account, position, view


def test_a_lost_connection_is_told_and_nothing_is_closed() -> None:
    """A lost hub is an alert, whatever is held."""
    rule = AuthLossGuardRule(params={"alert_only": True})
    state = view(account(positions=[position("MNQ", 2)]))

    violation = rule.evaluate(ConnectionChanged(link=Link.USER_HUB, up=False, detail="timeout"), state)

    assert violation is not None
    assert violation.message == "the connection to the broker is lost (user_hub): timeout"
    action = rule.get_enforcement_action(violation)
    assert (action.action_type, action.reductions, action.lock) == ("alert", (), False)


@pytest.mark.parametrize("event", [ConnectionChanged(link=Link.REST, up=True), ClockTicked(), None])
def test_nothing_is_told_while_the_broker_is_seen(event: ConnectionChanged | ClockTicked | None) -> None:
    """A connection that comes back, time and nothing at all are no loss."""
    assert AuthLossGuardRule(params={}).evaluate(event, view()) is None


def test_it_cannot_be_told_to_flatten() -> None:
    """A position that cannot be seen is never closed on a guess."""
    with pytest.raises(ValidationError):
        AuthLossGuardRule(params={"alert_only": False})

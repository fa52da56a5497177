"""An account in shadow is told about and left alone, whatever goes wrong with its rules."""

from riskd.domain.commands import Alert
from riskd.domain.events import AccountArmed, RulesApplied
from riskd.rules.registry import canonical
from tests.support.desk import Desk

UNUSABLE = {"rule": "MaxContracts", "params": {"max_contracts": "many"}}


def shadowed(mode: str) -> Desk:
    """Return a desk with a rule that cannot be made, in this mode, that is long 1 and buys another."""
    desk = Desk()
    desk.publish(RulesApplied(account="A1", spec=canonical({"mode": mode, "rules": [UNUSABLE]})))
    desk.snapshot()
    desk.publish(AccountArmed(account="A1"))
    desk.fill("buy", 1, "MNQ", "21000")
    desk.order("W", "buy", 1, "MNQ")
    return desk


def faults_told(desk: Desk) -> list[Alert]:
    """Return what people were told about rules that failed."""
    return [alert for alert in desk.alerts if alert.kind == "fault"]


def test_a_rule_that_cannot_be_made_closes_an_account_to_new_risk() -> None:
    """Enforced: what was bought after the fault is closed, the entry is cancelled, and people are told once."""
    desk = shadowed("enforce")
    assert (len(desk.closes), desk.cancels, len(faults_told(desk))) == (1, ["W"], 1)


def test_a_rule_that_cannot_be_made_leaves_an_account_in_shadow_alone() -> None:
    """In shadow nothing is sent to the broker; people are told once, and that nothing is done."""
    desk = shadowed("shadow")
    assert desk.broker_commands == []
    assert desk.state.no_new_risk == ()
    (told,) = faults_told(desk)
    assert "[shadow mode: nothing is done]" in told.text


def test_a_fault_from_before_the_shadow_is_let_go() -> None:
    """An account that goes into shadow with its rule still unusable is free of the fault's own stop."""
    desk = shadowed("enforce")
    assert desk.state.no_new_risk
    desk.publish(RulesApplied(account="A1", spec=canonical({"mode": "shadow", "rules": [UNUSABLE]})))
    assert desk.state.no_new_risk == ()

"""The words of notifications."""

from datetime import UTC, datetime

import msgspec
import pytest

from riskd.domain.commands import Alert, Severity
from riskd.domain.violations import ActionType, EnforcementAction, Reduction, RuleViolation
from riskd.notifications.messages import action_text, alert_text, alert_title, enforcement_text

AT = datetime(2026, 1, 5, 23, 0, tzinfo=UTC)
ALERT = Alert(account="101", seq=9, at=AT, kind="error_state", severity=Severity.CRITICAL, text="the broker refuses")
CLOSE = EnforcementAction(action_type=ActionType.CLOSE_POSITION)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (CLOSE, "close_position"),
        (
            EnforcementAction(
                action_type=ActionType.CLOSE_POSITION,
                quantity=3,
                reductions=(
                    Reduction(contract="CON.F.US.MNQ.H26", held=2, left=0),
                    Reduction(contract="CON.F.US.EP.H26", held=-1, left=0),
                ),
            ),
            "close_position 3 (2 MNQ, 1 ES)",
        ),
        (EnforcementAction(action_type=ActionType.CANCEL_ORDER, cancels=("O1",)), "cancel_order, cancel 1 order"),
        (
            EnforcementAction(
                action_type=ActionType.FLATTEN_ACCOUNT, cancels=("O1", "O2"), lock=True, lockout_until=AT
            ),
            "flatten_account, cancel 2 orders, locked until 2026-01-05 17:00:00 CT (2026-01-05 23:00:00 UTC)",
        ),
        (
            EnforcementAction(action_type=ActionType.FLATTEN_ACCOUNT, lock=True),
            "flatten_account, locked until an admin releases it",
        ),
    ],
)
def test_an_action_is_said_in_one_line(action: EnforcementAction, expected: str) -> None:
    """Its name, the contracts, the orders and the end of the lockout, as far as there are any."""
    assert action_text(action) == expected


def test_a_message_that_names_the_rule_leads() -> None:
    """Where the rule has said it in full, its own sentence is the headline."""
    violation = RuleViolation(
        rule_name="MaxContracts",
        current_value=5,
        limit_value=4,
        exceeded_by=1,
        message="MaxContracts limit exceeded: 5 contracts held, limit 4",
    )
    text = enforcement_text(violation, CLOSE, event_id=1, account="101", at=AT)
    assert text.startswith("MaxContracts limit exceeded: 5 contracts held, limit 4\nAccount: 101\n")


def test_a_violation_without_words_is_told_by_its_figures() -> None:
    """A rule that says nothing still gives the trader the numbers."""
    violation = RuleViolation(rule_name="Own", current_value=5, limit_value=4, exceeded_by=1)
    text = enforcement_text(violation, CLOSE, event_id=None, account="", at=None)
    assert text == "Own limit exceeded\nRule: Own\nReason: 5 is past the limit of 4\nAction: close_position"


def test_an_alert_leaves_out_what_it_does_not_have() -> None:
    """No empty lines for a rule, a reason or an action that there is not; winter time is Chicago's own."""
    assert alert_text(ALERT).splitlines() == [
        "the broker refuses",
        "Account: 101",
        "Time: 2026-01-05 17:00:00 CT (2026-01-05 23:00:00 UTC)",
        "Event: 9",
    ]


def test_the_title_says_how_urgent_and_whose() -> None:
    """An alert about no account is about riskd itself."""
    assert alert_title(ALERT) == "riskd critical, account 101"
    assert alert_title(msgspec.structs.replace(ALERT, account="")) == "riskd critical"

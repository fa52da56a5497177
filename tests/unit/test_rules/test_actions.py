import pytest

from riskd.domain.violations import Reduction, RuleViolation
from riskd.rules.actions import alert, close_or_cancel, close_whole, cool_down, flatten_and_lock
from tests.support.rule_builders import NOON

CUT = Reduction("X", held=5, left=2)


def violation(cuts: tuple[Reduction, ...] = (), cancels: tuple[str, ...] = ()) -> RuleViolation:
    """Return a violation that is exceeded by one."""
    return RuleViolation(
        rule_name="R", current_value=5, limit_value=4, exceeded_by=1, until=NOON, reductions=cuts, cancels=cancels
    )


@pytest.mark.parametrize(
    ("cuts", "cancels", "kind", "quantity"),
    [
        ((), (), "close_position", 1),
        ((CUT,), (), "close_position", 3),
        ((CUT,), ("O",), "close_position", 3),
        ((), ("O",), "cancel_order", None),
    ],
)
def test_what_a_violation_alone_leads_to(
    cuts: tuple[Reduction, ...], cancels: tuple[str, ...], kind: str, quantity: int | None
) -> None:
    """Its reductions if it has any, its cancels if it has only those, else the excess."""
    action = close_or_cancel(violation(cuts, cancels))

    assert (action.action_type, action.quantity, action.reductions, action.cancels) == (kind, quantity, cuts, cancels)


def test_a_lock_and_a_cooldown_end_with_the_violation() -> None:
    """Both carry its time; only the lock locks."""
    lock, cooldown = flatten_and_lock(violation()), cool_down(violation())

    assert (lock.action_type, lock.lock, lock.lockout_until) == ("flatten_account", True, NOON)
    assert (cooldown.action_type, cooldown.lock, cooldown.lockout_until) == ("set_cooldown", False, NOON)


def test_a_whole_close_counts_contracts_not_the_excess() -> None:
    """The values of a money rule are no quantity."""
    assert close_whole(violation((CUT,))).quantity == 3
    assert close_whole(violation()).quantity is None
    assert close_whole(violation(), confirm_orders=True).confirm_orders


def test_an_alert_does_nothing() -> None:
    """No lock, no close, no cancel."""
    action = alert(violation((CUT,), ("O",)))

    assert (action.action_type, action.lock, action.reductions, action.cancels) == ("alert", False, (), ())

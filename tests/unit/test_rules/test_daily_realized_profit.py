from decimal import Decimal

import msgspec
import pytest
from pydantic import ValidationError

from riskd.domain.account import Lockout
from riskd.rules.daily_realized_profit import DailyRealizedProfitRule
from tests.support.rule_builders import NOON, account, ct, fill, view, with_pnl

# realized, open, limit, basis, breached
FIGURES = [
    ("1400", "150", "1500.00", "combined", True),
    ("1400", "99.50", "1500.00", "combined", False),
    ("1400", "100.00", "1500.00", "combined", True),
    ("1500", "-1.00", "1500.00", "combined", False),
    ("1500", "-1.00", "1500.00", "realized", True),
    ("1500", "-1.00", "1500.00", "worst", True),
    ("1499.99", "0", "1500.00", "realized", False),
    ("1000", "600", "1500.00", "realized", False),
    ("1000", "600", "1500.00", "worst", True),
]


@pytest.mark.parametrize(("realized", "unrealized", "limit", "basis", "breached"), FIGURES)
def test_figures(realized: str, unrealized: str, limit: str, basis: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """Each basis judges its own figure, and at the limit counts."""
    rule = DailyRealizedProfitRule(params={"limit": limit, "basis": basis})

    assert (rule.evaluate(None, with_pnl(realized, unrealized)) is not None) is breached


def test_the_account_is_flattened_and_locked_to_the_next_reset() -> None:
    """A good day ends like a bad one: flat, and locked to 17:00."""
    rule = DailyRealizedProfitRule(params={"limit": "1500.00"})

    violation = rule.evaluate(None, with_pnl("1400", "150"))

    assert violation is not None
    assert violation.message == "daily profit 1550.00 USD is past limit 1500.00 USD"
    assert violation.exceeded_by == Decimal(50)
    action = rule.get_enforcement_action(violation)
    assert (action.action_type, action.lock, action.lockout_until) == ("flatten_account", True, ct("2025-10-15 17:00"))


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2025-10-15 17:00", "2025-10-16 17:00"),
        ("2026-03-06 18:00", "2026-03-09 17:00"),
        ("2025-10-31 18:00", "2025-11-03 17:00"),
    ],
    ids=["at the reset", "over the spring change", "over the autumn change"],
)
def test_the_lock_ends_at_a_reset_in_chicago_time(at: str, until: str) -> None:
    """Weekends and clock changes are skipped, not counted."""
    rule = DailyRealizedProfitRule(params={"limit": "1500.00"})

    violation = rule.evaluate(None, view(account(realized="1500", at=ct(at)), at=ct(at)))

    assert violation is not None
    assert violation.until == ct(until)


def test_headroom_and_reserve() -> None:
    """A reserve of 25 acts at 1475."""
    rule = DailyRealizedProfitRule(params={"limit": "1500.00", "reserve": "25.00"})

    assert rule.headroom(with_pnl("1400", "50")) == Decimal(25)
    violation = rule.evaluate(None, with_pnl("1400", "75"))
    assert violation is not None
    assert "within the reserve of limit 1500.00" in violation.message


def test_the_breach_stays_while_locked_and_counts_each_trade_once() -> None:
    """A lockout hides nothing, a duplicate adds nothing."""
    rule = DailyRealizedProfitRule(params={"limit": "300.00"})
    closing = fill("MNQ", -1, "21150", trade_id="2")
    state = view().including(fill("MNQ", 1, "21000", trade_id="1")).including(closing)
    lockout = Lockout(cause="X", until=None, since=NOON, seq=1, reason="")
    locked = state.of(msgspec.structs.replace(state.account, lockouts=(lockout,)))

    assert rule.evaluate(None, locked) is not None
    assert rule.headroom(state.including(closing)) == Decimal(0)


def test_a_tightened_limit_is_broken_at_once() -> None:
    """900 is below 1500 and above 800, without any new event."""
    state = view(account(realized="900"))

    assert DailyRealizedProfitRule(params={"limit": "1500.00"}).evaluate(None, state) is None
    assert DailyRealizedProfitRule(params={"limit": "800.00"}).evaluate(None, state) is not None


@pytest.mark.parametrize("limit", ["-1500.00", "0", 1500, 0.5])
def test_a_limit_of_the_wrong_sign_or_kind_is_refused(limit: object) -> None:
    """A profit limit is positive decimal text."""
    with pytest.raises(ValidationError):
        DailyRealizedProfitRule(params={"limit": limit})


def test_people_are_told_when_most_of_it_is_used() -> None:
    """At 80 % of 500 there are 100 left; at the limit it is no warning any more."""
    rule = DailyRealizedProfitRule(params={"limit": "500.00"})

    assert tuple(rule.warnings(view(account(realized="399.99")))) == ()
    assert [w.message for w in rule.warnings(view(account(realized="400.00")))] == [
        "more than 80 % of the daily profit target is used: 100.00 USD left"
    ]
    assert tuple(rule.warnings(view(account(realized="500.00")))) == ()

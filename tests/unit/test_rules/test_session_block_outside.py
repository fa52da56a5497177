from datetime import datetime

import pytest

from riskd.domain.account import AccountState
from riskd.domain.events import ClockTicked, QuoteReported
from riskd.domain.orders import OrderType
from riskd.rules.session_block_outside import SessionBlockOutsideRule
from tests.support.rule_builders import NOON, account, closed_per_root, contract, ct, order, position, view

WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
HOURS = {"allowed_days": WEEK, "allowed_times": [{"start": "08:30", "end": "15:00"}]}


def holding(*roots: str) -> AccountState:
    """Return an account that holds one contract of each product."""
    return account(positions=[position(root, 1) for root in roots])


@pytest.mark.parametrize(
    ("at", "blocked"),
    [
        ("2025-10-15 08:29:59", True),
        ("2025-10-15 08:30:00", False),
        ("2025-10-15 14:59:59", False),
        ("2025-10-15 15:00:00", True),
        ("2025-10-15 17:00:00", True),
        ("2025-10-18 12:00:00", True),
        ("2026-03-09 08:30:00", False),
        ("2026-03-09 15:00:00", True),
        ("2025-11-03 08:29:59", True),
        ("2025-11-03 08:30:00", False),
    ],
)
def test_the_wall_clock_decides(at: str, blocked: bool) -> None:  # noqa: FBT001 - a column
    """Half-open hours in Chicago time, on both sides of the clock changes, whatever happens at 17:00."""
    rule = SessionBlockOutsideRule(params=HOURS)

    assert (rule.evaluate(None, view(holding("MNQ"), at=ct(at))) is not None) is blocked


def test_a_flat_account_breaks_nothing() -> None:
    """Outside the hours there is nothing wrong with holding nothing."""
    rule = SessionBlockOutsideRule(params=HOURS)

    assert rule.evaluate(ClockTicked(), view(at=ct("2025-10-15 20:00"))) is None


def test_everything_outside_is_closed_and_entries_are_cancelled() -> None:
    """All positions go to zero, entries are cancelled, the stop is left to the close."""
    rule = SessionBlockOutsideRule(params=HOURS)
    orders = [order("E", "GC", 1), order("S", "MNQ", -2, kind=OrderType.STOP)]
    held = account(positions=[position("MNQ", 2), position("ES", -1)], orders=orders)

    violation = rule.evaluate(None, view(held, at=ct("2025-10-15 16:00")))

    assert violation is not None
    assert closed_per_root(violation) == {"MNQ": 2, "ES": 1}
    assert violation.cancels == ("E",)
    assert violation.message == (
        "ES, MNQ at Wed 16:00:00 Chicago time is outside allowed session 08:30-15:00 Monday-Friday (America/Chicago)"
    )


def test_an_entry_alone_is_cancelled() -> None:
    """With nothing held the action is the cancel."""
    rule = SessionBlockOutsideRule(params=HOURS)

    violation = rule.evaluate(None, view(account(orders=[order("E", "GC", 1)]), at=ct("2025-10-15 16:00")))

    assert violation is not None
    action = rule.get_enforcement_action(violation)
    assert (action.action_type, action.quantity, action.cancels) == ("cancel_order", None, ("E",))


def test_an_instrument_may_have_hours_of_its_own() -> None:
    """GC until 12:30 and nothing else before 15:00; MGC is not GC."""
    own = {"GC": {"allowed_days": WEEK, "allowed_times": [{"start": "07:20", "end": "12:30"}]}}
    rule = SessionBlockOutsideRule(params={**HOURS, "instruments": own})

    violation = rule.evaluate(None, view(holding("GC", "MGC", "MNQ"), at=ct("2025-10-15 13:00")))

    assert violation is not None
    assert closed_per_root(violation) == {"GC": 1}
    assert rule.evaluate(None, view(holding("GC"), at=ct("2025-10-15 08:00"))) is None


@pytest.mark.parametrize(
    ("at", "deadline"),
    [
        ("2025-10-15 12:00", "2025-10-15 14:45"),
        ("2025-10-15 14:45", "2025-10-15 14:55"),
        ("2025-10-15 14:55", "2025-10-15 15:00"),
        ("2025-10-15 15:00", "2025-10-16 08:30"),
    ],
)
def test_time_is_asked_for_warnings_ends_and_starts(at: str, deadline: str) -> None:
    """15 and 5 minutes before a forced close, at it, and when the hours start again."""
    rule = SessionBlockOutsideRule(params=HOURS)

    assert rule.next_deadline(view(holding("MNQ"), at=ct(at))) == ct(deadline)


def test_the_nearest_of_several_deadlines_counts() -> None:
    """With hours of its own GC is due first."""
    own = {"GC": {"allowed_days": WEEK, "allowed_times": [{"start": "07:20", "end": "12:30"}], "flat_lead": "10min"}}
    rule = SessionBlockOutsideRule(params={**HOURS, "instruments": own})

    assert rule.next_deadline(view(holding("GC", "MNQ"), at=ct("2025-10-15 12:15"))) == ct("2025-10-15 12:20")


def test_a_flat_account_waits_for_nothing() -> None:
    """Time changes nothing while nothing is held or working."""
    assert SessionBlockOutsideRule(params=HOURS).next_deadline(view()) is None


def test_quotes_are_not_heard() -> None:
    """Prices do not move the clock."""
    rule = SessionBlockOutsideRule(params=HOURS)

    assert not rule.applies_to(QuoteReported(contract=contract("MNQ"), at=NOON))
    assert rule.applies_to(ClockTicked())


def test_a_session_elsewhere_goes_by_its_own_clock() -> None:
    """08:00-16:30 in London is 02:00-10:30 in Chicago, or an hour off while only one has changed its clocks."""
    rule = SessionBlockOutsideRule(
        params={
            "allowed_days": WEEK,
            "allowed_times": [{"start": "08:00", "end": "16:30"}],
            "timezone": "Europe/London",
        }
    )

    def blocked(at: datetime) -> bool:
        return rule.evaluate(None, view(holding("MNQ"), at=at)) is not None

    assert not blocked(ct("2025-10-15 10:29:59"))
    assert blocked(ct("2025-10-15 10:30"))
    assert not blocked(ct("2025-10-29 11:29:59"))
    assert blocked(ct("2025-10-29 11:30"))


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2025-10-15 14:44:59", None),
        ("2025-10-15 14:45:00", "MNQ will be closed at 15:00 Chicago time, in 15min"),
        ("2025-10-15 14:50:00", "MNQ will be closed at 15:00 Chicago time, in 10min"),
        ("2025-10-15 14:55:00", "MNQ will be closed at 15:00 Chicago time, in 5min"),
        ("2025-10-15 15:00:00", None),
    ],
)
def test_a_forced_close_is_announced(at: str, told: str | None) -> None:
    """From 15 and from 5 minutes before, with a key for each; what is too late is no warning."""
    rule = SessionBlockOutsideRule(params=HOURS)

    assert [warning.message for warning in rule.warnings(view(holding("MNQ"), at=ct(at)))] == ([told] if told else [])


def test_each_announcement_has_its_own_key() -> None:
    """15 and 5 minutes are told once each, and neither when nothing is held."""
    rule = SessionBlockOutsideRule(params=HOURS)
    times = ("2025-10-15 14:45", "2025-10-15 14:54", "2025-10-15 14:55", "2025-10-16 14:45")

    keys = [w.key for at in times for w in rule.warnings(view(holding("MNQ"), at=ct(at)))]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert tuple(rule.warnings(view(at=ct("2025-10-15 14:45")))) == ()


def test_hours_of_its_own_are_announced_on_their_own() -> None:
    """GC's end is near, MNQ's is not; what is already outside is no warning."""
    own = {"GC": {"allowed_days": WEEK, "allowed_times": [{"start": "07:20", "end": "12:30"}]}}
    rule = SessionBlockOutsideRule(params={**HOURS, "instruments": own})

    near = rule.warnings(view(holding("GC", "MNQ"), at=ct("2025-10-15 12:20")))
    assert [warning.message for warning in near] == ["GC will be closed at 12:30 Chicago time, in 10min"]
    late = rule.warnings(view(holding("GC", "MNQ"), at=ct("2025-10-15 14:50")))
    assert [warning.message for warning in late] == ["MNQ will be closed at 15:00 Chicago time, in 10min"]


def test_each_product_must_be_flat_before_its_own_early_close() -> None:
    """On Thanksgiving equities stop at noon and gold at half past one, whatever the hours say."""
    rule = SessionBlockOutsideRule(params=HOURS)
    both = holding("MNQ", "MGC")

    assert rule.evaluate(None, view(both, at=ct("2026-11-26 11:54:59"))) is None
    assert rule.next_deadline(view(both, at=ct("2026-11-26 11:50"))) == ct("2026-11-26 11:55")
    violation = rule.evaluate(None, view(both, at=ct("2026-11-26 11:55")))
    assert violation is not None
    assert closed_per_root(violation) == {"MNQ": 1}
    both_out = rule.evaluate(None, view(both, at=ct("2026-11-26 13:25")))
    assert both_out is not None
    assert closed_per_root(both_out) == {"MNQ": 1, "MGC": 1}


def test_an_early_close_is_announced_like_any_other() -> None:
    """A quarter of an hour before, by the product's own close."""
    rule = SessionBlockOutsideRule(params=HOURS)

    told = [warning.message for warning in rule.warnings(view(holding("MNQ"), at=ct("2026-11-26 11:40")))]

    assert told == ["MNQ will be closed at 11:55 Chicago time, in 15min"]

from datetime import datetime
from decimal import Decimal

import msgspec
import pytest
from pydantic import ValidationError

from riskd.domain.account import Lockout
from riskd.domain.account_view import AccountView
from riskd.domain.events import QuoteReported
from riskd.domain.violations import RuleViolation
from riskd.rules.daily_realized_loss import DailyRealizedLossRule
from tests.support.rule_builders import NOON, account, contract, ct, fill, position, view, with_pnl


def test_daily_loss_not_violated() -> None:
    """Realized -500, open -100, limit -1000: nothing."""
    rule = DailyRealizedLossRule(params={"limit": Decimal("-1000.00")})

    assert rule.evaluate(None, with_pnl("-500.00", "-100.00")) is None


def test_daily_loss_violated_by_combined() -> None:
    """Realized -900 and open -150 are -1050 together, past -1000."""
    rule = DailyRealizedLossRule(params={"limit": Decimal("-1000.00")})

    violation = rule.evaluate(None, with_pnl("-900.00", "-150.00"))

    assert violation is not None
    assert violation.current_value == Decimal("-1050.00")
    assert violation.limit_value == Decimal("-1000.00")
    assert violation.exceeded_by == Decimal("50.00")
    assert violation.message == "daily loss -1050.00 USD is past limit -1000.00 USD"


def test_daily_loss_enforcement_flatten_and_lockout() -> None:
    """A violation flattens the account and locks it."""
    rule = DailyRealizedLossRule(params={"limit": Decimal("-1000.00")})
    violation = RuleViolation(
        rule_name="DailyRealizedLoss",
        current_value=Decimal("-1050.00"),
        limit_value=Decimal("-1000.00"),
        exceeded_by=Decimal("50.00"),
        lock=True,
        until=ct("2025-10-15 17:00"),
    )

    action = rule.get_enforcement_action(violation)

    assert action.action_type == "flatten_account"
    assert action.lock
    assert action.lockout_until == ct("2025-10-15 17:00")


# realized, open, limit, basis, breached
FIGURES = [
    ("-800", "-150", "-1000.00", "combined", False),
    ("-800", "-250", "-1000.00", "combined", True),
    ("-850", "-100", "-1000.00", "combined", False),
    ("-850", "-200", "-1000.00", "combined", True),
    ("-900", "500", "-850.00", "combined", False),
    ("-900", "500", "-850.00", "worst", True),
    ("-900", "500", "-850.00", "realized", True),
    ("-300", "-600", "-850.00", "realized", False),
    ("-300", "-600", "-850.00", "worst", True),
    ("-300", "0", "-500.00", "combined", False),
    ("-550", "0", "-500.00", "combined", True),
    ("-400", "-99.50", "-500.00", "combined", False),
    ("-400", "-100.00", "-500.00", "combined", True),
    ("-400", "-100.50", "-500.00", "combined", True),
]


@pytest.mark.parametrize(("realized", "unrealized", "limit", "basis", "breached"), FIGURES)
def test_figures(realized: str, unrealized: str, limit: str, basis: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """Each basis judges its own figure, and at the limit counts."""
    rule = DailyRealizedLossRule(params={"limit": limit, "basis": basis})

    assert (rule.evaluate(None, with_pnl(realized, unrealized)) is not None) is breached


def test_headroom_is_what_may_still_be_lost() -> None:
    """R -800 and U -150 under a limit of -1000 leave 50."""
    rule = DailyRealizedLossRule(params={"limit": "-1000.00"})

    assert rule.headroom(with_pnl("-800", "-150")) == Decimal(50)
    assert rule.headroom(with_pnl("-800", "-250")) == Decimal(-50)


def _long_two(price: str, *, fees: str = "0") -> AccountView:
    bought = fill("MNQ", 2, "18000.00", fees=fees)
    return view(marks={"MNQ": price}).including(bought)


@pytest.mark.parametrize(
    ("price", "fees", "net", "breached"),
    [
        ("17875.25", "0", "-499.00", False),
        ("17875.00", "0", "-500.00", True),
        ("17874.75", "0", "-501.00", True),
        ("17875.25", "1.22", "-500.22", True),
    ],
)
def test_one_tick_either_side(price: str, fees: str, net: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """Long 2 MNQ at 18,000 against -500: the tick at 17,875.00 breaches, or the one before it with the entry fees."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00"})
    state = _long_two(price, fees=fees)

    assert state.net_pnl == Decimal(net)
    assert (rule.evaluate(None, state) is not None) is breached


def test_an_opening_fill_costs_its_fee_and_nothing_else() -> None:
    """An opening fill with a fee of 0.61 changes the realized figure by exactly that."""
    state = view().including(fill("MNQ", 1, fees="0.61"))

    assert state.realized_pnl_today == Decimal("-0.61")


@pytest.mark.parametrize(
    ("price", "breached"), [("17885.25", False), ("17885.00", True)], ids=["a tick before", "the reserve reached"]
)
def test_a_reserve_in_usd_acts_earlier(price: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """With 40 USD of reserve a limit of -500 acts at -460."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00", "reserve": "40.00"})
    violation = rule.evaluate(None, _long_two(price))

    assert (violation is not None) is breached
    if violation:
        assert violation.message == "daily loss -460.00 USD is within the reserve of limit -500.00 USD"
        assert violation.limit_value == Decimal("-500.00")


def test_a_reserve_in_ticks_counts_contracts_and_exit_fees() -> None:
    """2 MNQ with 4 ticks each and 0.61 to close each: 4.00 + 1.22 of reserve."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00", "reserve": {"ticks": 4}})
    state = _long_two("17900.00")
    account_state = msgspec.structs.replace(state.account, commission_rates={"MNQ": Decimal("0.61")})

    assert rule.headroom(state.of(account_state)) == Decimal(100) - Decimal("5.22")


def test_flat_accounts_need_no_reserve_in_ticks() -> None:
    """Nothing held slips nothing."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00", "reserve": {"ticks": 4}})

    assert rule.headroom(view(account(realized="-499.99"))) == Decimal("0.01")


def test_the_second_losing_trade_breaches() -> None:
    """Losses of 300 and 250 against -500: the second one breaches."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00"})
    first = view().including(fill("MNQ", 1, "21000", trade_id="1")).including(fill("MNQ", -1, "20850", trade_id="2"))
    second = first.including(fill("MNQ", 1, "21000", trade_id="3")).including(fill("MNQ", -1, "20875", trade_id="4"))

    assert rule.evaluate(None, first) is None
    violation = rule.evaluate(None, second)
    assert violation is not None
    assert violation.current_value == Decimal(-550)


def test_a_flip_realizes_its_closing_part() -> None:
    """Long 2 from 21,000, five sold 130 points lower: -520 realized, and short 3 open at no loss."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00"})
    state = view(marks={"MNQ": "20870"}).including(fill("MNQ", 2, "21000", trade_id="1"))
    state = state.including(fill("MNQ", -5, "20870", trade_id="2"))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert violation.current_value == Decimal(-520)


def test_a_trade_told_twice_is_lost_once() -> None:
    """A duplicate of the closing fill does not double the loss."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00"})
    closing = fill("MNQ", -1, "20850", trade_id="2")
    state = view().including(fill("MNQ", 1, "21000", trade_id="1")).including(closing).including(closing)

    assert rule.headroom(state) == Decimal(200)


def test_the_breach_stays_while_locked() -> None:
    """A lockout in force does not hide that the limit is still broken."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00"})
    lockout = Lockout(cause="DailyRealizedLoss", until=ct("2025-10-15 17:00"), since=NOON, seq=1, reason="")
    locked = msgspec.structs.replace(account(realized="-550"), lockouts=(lockout,))

    assert rule.evaluate(None, view(locked)) is not None


def test_a_tightened_limit_is_broken_at_once() -> None:
    """-300 is within -500 and past -250, without any new event."""
    state = view(account(positions=[position("MNQ", 1)], realized="-300"))

    assert DailyRealizedLossRule(params={"limit": "-500.00"}).evaluate(None, state) is None
    assert DailyRealizedLossRule(params={"limit": "-250.00"}).evaluate(None, state) is not None


def test_a_quote_is_heard() -> None:
    """Prices move the combined figure, so quotes are heard."""
    quote = QuoteReported(contract=contract("MNQ"), at=NOON, last=Decimal(20000))

    assert DailyRealizedLossRule(params={"limit": "-500.00"}).applies_to(quote)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2025-10-15 16:59:59", "2025-10-15 22:00"),
        ("2025-10-15 17:00:00", "2025-10-16 22:00"),
        ("2025-10-17 12:00:00", "2025-10-17 22:00"),
        ("2025-10-17 17:00:00", "2025-10-20 22:00"),
        ("2026-03-06 18:00:00", "2026-03-09 22:00"),
        ("2025-10-31 18:00:00", "2025-11-03 23:00"),
    ],
    ids=["just before", "at the reset", "Friday", "the weekend", "over the spring change", "over the autumn change"],
)
def test_the_lock_lasts_to_the_next_reset(at: str, until: str) -> None:
    """Locked until the next 17:00 Chicago time, Monday to Friday, which is 22:00 UTC in summer and 23:00 in winter."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00"})

    violation = rule.evaluate(None, view(account(realized="-600", at=ct(at)), at=ct(at)))

    assert violation is not None
    assert violation.lock
    assert violation.until == datetime.fromisoformat(f"{until}+00:00")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "Field required"),
        ({"limit": "500.00"}, 'written negative: "-500.00", not "500.00"'),
        ({"limit": "0"}, "zero would never let"),
        ({"limit": -500}, 'in quotes: "-500.00"'),
        ({"limit": -500.25}, "binary fraction"),
        ({"limit": "-NaN"}, "must be an amount"),
        ({"limit": "minus 500"}, "is not an amount"),
        ({"limit": "-500.00", "basis": "open"}, "'combined', 'realized' or 'worst'"),
        ({"limit": "-500.00", "reserve": "-1.00"}, "cannot be negative"),
        ({"limit": "-500.00", "reserve": {"tick": 4}}, "ticks"),
        ({"limit": "-500.00", "lockout": True}, "Extra inputs"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object], said: str) -> None:
    """A wrong sign, a bare number and a misspelt key are errors, never a disarmed limit."""
    with pytest.raises(ValidationError, match=said):
        DailyRealizedLossRule(params=params)


def test_people_are_told_when_most_of_it_is_used() -> None:
    """At 80 % of 500 there are 100 left; at the limit it is no warning any more."""
    rule = DailyRealizedLossRule(params={"limit": "-500.00"})

    assert tuple(rule.warnings(view(account(realized="-399.99")))) == ()
    assert [w.message for w in rule.warnings(view(account(realized="-400.00")))] == [
        "more than 80 % of the daily loss limit is used: 100.00 USD left"
    ]
    assert tuple(rule.warnings(view(account(realized="-500.00")))) == ()

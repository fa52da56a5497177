from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from riskd.domain.account import AccountState
from riskd.domain.account_view import AccountView
from riskd.domain.events import Fill, QuoteReported
from riskd.domain.orders import OrderType
from riskd.rules.params import tightness_of
from riskd.rules.trade_frequency_limit import TradeFrequencyLimitParams, TradeFrequencyLimitRule
from tests.support.rule_builders import (
    NOON,
    account,
    closed_per_root,
    contract,
    ct,
    fill,
    order,
    position,
    remembering,
    traded,
    view,
)

THREE_A_MINUTE = {"max_trades": 3, "window": "1min"}


def after(second: int) -> datetime:
    """Return the instant so many seconds after noon."""
    return NOON + timedelta(seconds=second)


def buy(second: int, *, root: str = "MNQ", quantity: int = 1) -> Fill:
    """Return one entry so many seconds after noon, of an order of its own."""
    return fill(root, quantity, at=after(second), order_id=f"O{root}{second}")


def seen(rule: TradeFrequencyLimitRule, *fills: Fill, at: datetime, state: AccountState | None = None) -> AccountView:
    """Return the look at an account after these fills, with what the rule remembers of it."""
    return remembering(rule, traded(*fills, at=at, state=state))


def test_the_fourth_trade_in_a_minute_is_closed() -> None:
    """Trades at 0, 10, 20 and 30 s: what the fourth opened goes, the other three stay."""
    rule = TradeFrequencyLimitRule(params=THREE_A_MINUTE)
    state = seen(rule, buy(0), buy(10), buy(20), buy(30, quantity=2), at=after(30))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert (violation.current_value, violation.limit_value) == (4, 3)
    assert [(cut.held, cut.left) for cut in violation.reductions] == [(5, 3)]
    assert violation.message == "4 trades in 1min, limit 3; free again at 12:01:00 Chicago time"
    assert rule.get_enforcement_action(violation).quantity == 2


def test_a_trade_exactly_one_window_old_is_outside() -> None:
    """At 0, 10, 20 and 60 s: none is too many, nor is one at 60 s after the fourth was closed."""
    rule = TradeFrequencyLimitRule(params=THREE_A_MINUTE)
    sold = fill("MNQ", -1, at=after(31))

    assert rule.evaluate(None, seen(rule, buy(0), buy(10), buy(20), buy(60), at=after(60))) is None
    closed = (buy(0), buy(10), buy(20), buy(30), sold, buy(60))
    assert rule.evaluate(None, seen(rule, *closed, at=after(60))) is None


def test_one_in_a_quarter_of_an_hour() -> None:
    """10:00 and 10:05: the second is closed; at 10:15 there is a place again."""
    rule = TradeFrequencyLimitRule(params={"max_trades": 1, "window": "15min"})
    first, second, third = (
        fill("MNQ", 1, at=ct(f"2025-10-15 10:{minute}"), order_id=minute) for minute in ("00", "05", "15")
    )
    gone = fill("MNQ", -1, at=ct("2025-10-15 10:06"))

    assert rule.evaluate(None, seen(rule, first, second, at=ct("2025-10-15 10:05"))) is not None
    assert rule.evaluate(None, seen(rule, first, second, gone, third, at=ct("2025-10-15 10:15"))) is None


def test_what_is_closed_is_no_longer_too_much() -> None:
    """Once the excess is gone the breach is over, whichever lots the broker matched."""
    rule = TradeFrequencyLimitRule(params=THREE_A_MINUTE)
    sold = fill("MNQ", -1, at=after(31))

    state = seen(rule, buy(0), buy(10), buy(20), buy(30), sold, at=after(31))

    assert rule.evaluate(None, state) is None


def test_an_account_whose_close_is_under_way_is_not_closed_twice() -> None:
    """The excess of one is being closed: with three left on the way, nothing more is wanted."""
    rule = TradeFrequencyLimitRule(params=THREE_A_MINUTE)
    state = seen(rule, buy(0), buy(10), buy(20), buy(30), at=after(30))
    on_the_way = state.of(
        AccountState(
            account="A1",
            trading_day=state.account.trading_day,
            day_ends_at=state.account.day_ends_at,
            positions={contract("MNQ"): position("MNQ", 3)},
            executions=state.account.executions,
            memories=state.account.memories,
        )
    )

    assert rule.evaluate(None, on_the_way) is None


def test_the_rest_of_a_counted_order_is_no_new_trade() -> None:
    """The third order fills in two parts around the limit; both are its own."""
    rule = TradeFrequencyLimitRule(params=THREE_A_MINUTE)
    parts = [fill("MNQ", 1, at=after(second), order_id="LAST") for second in (20, 40)]
    working = account(orders=[order("LAST", "MNQ", 3, filled=2)], at=after(40))

    assert rule.violations(None, seen(rule, buy(0), buy(10), *parts, at=after(40), state=working)) == ()


def test_while_the_count_is_used_up_no_entry_rests() -> None:
    """A fourth entry waits: it is cancelled, exits are not, and the core looks again when a place is free."""
    rule = TradeFrequencyLimitRule(params=THREE_A_MINUTE)
    working = account(orders=[order("E", "ES", 1), order("S", "MNQ", -3, kind=OrderType.STOP)], at=after(30))
    state = seen(rule, buy(0), buy(10), buy(20), at=after(30), state=working)

    (violation,) = rule.violations(None, state)
    action = rule.get_enforcement_action(violation)

    assert (violation.key, action.action_type, action.cancels) == ("resting", "cancel_order", ("E",))
    assert rule.next_deadline(state) == after(60)
    later = seen(rule, buy(0), buy(10), buy(20), at=after(60), state=working)
    assert rule.violations(None, later) == ()


@pytest.mark.parametrize(
    ("day_before", "at"),
    [
        ("2025-10-15 16:59:59", "2025-10-15 17:00"),
        ("2026-03-06 15:00", "2026-03-08 17:00"),
        ("2025-10-31 15:00", "2025-11-02 17:00"),
    ],
    ids=["the reset", "over the spring change", "over the autumn change"],
)
def test_a_daily_count_ends_with_the_day(day_before: str, at: str) -> None:
    """From 17:00 on the count is new."""
    rule = TradeFrequencyLimitRule(params={"max_trades": 1})
    old = fill("MNQ", 1, at=ct(day_before), order_id="A")
    rolled = AccountState(
        account="A1",
        trading_day=account(at=ct(at)).trading_day,
        day_ends_at=account(at=ct(at)).day_ends_at,
        positions={contract("MNQ"): position("MNQ", 1)},
        executions=traded(old, at=ct(day_before)).account.executions,
        last_fill_seq=1,
    )
    opening = ct(at)
    first = fill("MNQ", 1, at=opening, trade_id="N1", order_id="N1")
    second = fill("MNQ", 1, at=opening + timedelta(seconds=5), trade_id="N2", order_id="N2")

    assert rule.evaluate(None, remembering(rule, view(rolled, at=ct(at)).including(first))) is None
    both = view(rolled, at=second.at).including(first).including(second)
    violation = rule.evaluate(None, remembering(rule, both))
    assert violation is not None
    assert closed_per_root(violation) == {"MNQ": 1}


def test_a_flip_beyond_the_count_is_closed_whole() -> None:
    """Long 1 with one trade allowed: selling 3 closes the long, and the short of 2 goes."""
    rule = TradeFrequencyLimitRule(params={"max_trades": 1})
    flip = fill("MNQ", -3, at=after(30), order_id="F")

    violation = rule.evaluate(None, seen(rule, buy(0), flip, at=after(30)))

    assert violation is not None
    assert [(cut.held, cut.left) for cut in violation.reductions] == [(-2, 0)]


def test_tightening_is_judged_at_once() -> None:
    """Three trades are fine with three, and one too many with two."""
    fills = (buy(0), buy(10), buy(20))
    two = TradeFrequencyLimitRule(params={"max_trades": 2, "window": "1min"})

    violation = two.evaluate(None, seen(two, *fills, at=after(20)))

    assert violation is not None
    assert closed_per_root(violation) == {"MNQ": 1}


def test_a_snapshot_alone_is_no_trade() -> None:
    """What is found at the start was traded nobody knows when, and prices are no trades."""
    rule = TradeFrequencyLimitRule(params={"max_trades": 1})
    state = view(account(positions=[position("MNQ", 5)]))

    assert rule.evaluate(None, remembering(rule, state)) is None
    assert not rule.applies_to(QuoteReported(contract=contract("MNQ"), at=NOON))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "Field required"),
        ({"max_trades": 0}, "greater than or equal to 1"),
        ({"max_trades": 3, "window": "day"}, 'or "daily"'),
        ({"max_trades": 3, "window": 900}, "a duration with a unit"),
        ({"max_trades": 3, "window": "2 days"}, "a day at most"),
        ({"max_trades": 3, "window": "0s"}, "longer than zero"),
        ({"max_trades": 3, "count": "trades"}, "'entries'"),
        ({"max_trades": 3, "merge_within": 2}, "text with a unit"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object], said: str) -> None:
    """Windows carry a unit or are the day."""
    with pytest.raises(ValidationError, match=said):
        TradeFrequencyLimitRule(params=params)


@pytest.mark.parametrize(
    ("old", "new", "tighter"),
    [
        ("15min", "1h", True),
        ("1h", "15min", False),
        ("daily", "daily", True),
        ("daily", "1h", False),
        ("1h", "daily", False),
    ],
)
def test_a_longer_window_is_tighter(old: str, new: str, tighter: bool) -> None:  # noqa: FBT001 - a column
    """The day and a rolling window cannot be compared."""
    before, later = (TradeFrequencyLimitParams.model_validate({"max_trades": 1, "window": w}) for w in (old, new))

    assert tightness_of(TradeFrequencyLimitParams.model_fields["window"]).holds(before.window, later.window) is tighter


def test_without_an_order_nothing_waits_for_a_place() -> None:
    """Time frees a place, but nobody wants it."""
    rule = TradeFrequencyLimitRule(params=THREE_A_MINUTE)

    assert rule.next_deadline(seen(rule, buy(0), buy(10), buy(20), at=after(30))) is None

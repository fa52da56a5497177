from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import pytest
from pydantic import ValidationError

from riskd.domain.account import AccountState
from riskd.domain.account_view import AccountView
from riskd.domain.events import QuoteReported
from riskd.domain.orders import OrderType, WorkingOrder
from riskd.rules.no_stop_loss_grace import NoStopLossGraceRule
from tests.support.rule_builders import NOON, account, closed_per_root, contract, ct, order, position, remembering, view

PARAMS = {"grace_period": "10s"}


def seconds(count: str) -> datetime:
    """Return the instant so many seconds after noon."""
    return NOON + timedelta(milliseconds=int(count.replace(".", "")) * (100 if "." in count else 1000))


def long_one(*orders: WorkingOrder, seq: int = 1, quantity: int = 1) -> AccountState:
    """Return an account that is long MNQ, with these orders."""
    return account(positions=[position("MNQ", quantity, seq=seq)], orders=orders)


STOP = order("S", "MNQ", -1, kind=OrderType.STOP)


def lived(rule: NoStopLossGraceRule, *moments: tuple[str, AccountState]) -> AccountView:
    """Return the look at an account after it was seen in each of these states, at so many seconds."""
    memories: Mapping[str, Mapping[str, str]] = {}
    seen = view()
    for at, state in moments:
        seen = remembering(rule, view(msgspec.structs.replace(state, memories=memories), at=seconds(at)))
        memories = seen.account.memories
    return seen


@pytest.mark.parametrize(("at", "closed"), [("9.9", False), ("10", True), ("11", True)])
def test_the_grace_is_half_open(at: str, closed: bool) -> None:  # noqa: FBT001 - a column
    """Opened at 0 s without a stop: closed at 10 s, not before."""
    rule = NoStopLossGraceRule(params=PARAMS)

    violation = rule.evaluate(None, lived(rule, ("0", long_one()), (at, long_one())))

    assert (violation is not None) is closed


def test_a_stop_in_time_is_enough() -> None:
    """Opened at 0 s, stop at 9.9 s: nothing, ever."""
    rule = NoStopLossGraceRule(params=PARAMS)

    state = lived(rule, ("0", long_one()), ("9.9", long_one(STOP)), ("60", long_one(STOP)))

    assert rule.evaluate(None, state) is None
    assert rule.next_deadline(state) is None


def test_a_cancelled_stop_starts_the_clock_again() -> None:
    """Stop at 9.9 s, cancelled at 30 s: closed at 40 s."""
    rule = NoStopLossGraceRule(params=PARAMS)
    story = [("0", long_one()), ("9.9", long_one(STOP)), ("30", long_one())]

    assert rule.evaluate(None, lived(rule, *story, ("39.9", long_one()))) is None
    assert rule.next_deadline(lived(rule, *story)) == seconds("40")
    assert rule.evaluate(None, lived(rule, *story, ("40", long_one()))) is not None


def test_adding_without_a_stop_does_not_buy_time() -> None:
    """Partial fills and additions leave a running clock alone."""
    rule = NoStopLossGraceRule(params=PARAMS)

    state = lived(rule, ("0", long_one()), ("8", long_one(quantity=2)), ("10", long_one(quantity=3)))

    violation = rule.evaluate(None, state)
    assert violation is not None
    assert closed_per_root(violation) == {"MNQ": 3}


def test_growing_beyond_the_stop_starts_the_clock() -> None:
    """Covered at 0 s, grown to 2 at 20 s with a stop for 1: closed at 30 s."""
    rule = NoStopLossGraceRule(params=PARAMS)
    story = [("0", long_one(STOP)), ("20", long_one(STOP, quantity=2))]

    assert rule.evaluate(None, lived(rule, *story, ("29.9", long_one(STOP, quantity=2)))) is None
    assert rule.evaluate(None, lived(rule, *story, ("30", long_one(STOP, quantity=2)))) is not None


def test_a_flip_opens_another_position() -> None:
    """The short that a flip opened at 9 s has its own ten seconds."""
    rule = NoStopLossGraceRule(params=PARAMS)
    short = account(positions=[position("MNQ", -1, seq=7)])

    assert rule.evaluate(None, lived(rule, ("0", long_one()), ("9", short), ("18.9", short))) is None
    assert rule.evaluate(None, lived(rule, ("0", long_one()), ("9", short), ("19", short))) is not None


def test_a_bare_snapshot_gives_the_whole_grace() -> None:
    """How long a position that is found has gone without a stop, nobody knows."""
    rule = NoStopLossGraceRule(params=PARAMS)

    assert rule.evaluate(None, lived(rule, ("60", long_one()))) is None
    assert rule.next_deadline(lived(rule, ("60", long_one()))) == seconds("70")


def test_a_flat_account_is_forgotten() -> None:
    """A position that is gone leaves no clock behind."""
    rule = NoStopLossGraceRule(params=PARAMS)

    state = lived(rule, ("0", long_one()), ("5", account()), ("9", long_one(seq=9)), ("15", long_one(seq=9)))

    assert rule.evaluate(None, state) is None


@pytest.mark.parametrize("start", ["2025-10-15 16:59:55", "2026-03-08 01:59:55", "2025-11-02 01:59:55"])
def test_neither_the_reset_nor_a_clock_change_stops_the_clock(start: str) -> None:
    """Ten seconds are ten seconds."""
    rule = NoStopLossGraceRule(params=PARAMS)
    opened = remembering(rule, view(long_one(), at=ct(start)))

    later = view(opened.account, at=ct(start) + timedelta(seconds=10))

    assert rule.evaluate(None, remembering(rule, later)) is not None


def test_the_broker_is_asked_before_anything_is_closed() -> None:
    """The close waits for the broker's own list of orders; the message names what is missing."""
    rule = NoStopLossGraceRule(params=PARAMS)
    violation = rule.evaluate(None, lived(rule, ("0", long_one()), ("10", long_one())))

    assert violation is not None
    assert violation.message == "MNQ +1 has had no sufficient stop for 10s"
    action = rule.get_enforcement_action(violation)
    assert (action.action_type, action.confirm_orders, action.quantity) == ("close_position", True, 1)
    assert not rule.applies_to(QuoteReported(contract=contract("MNQ"), at=NOON))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"grace_period": "0s"}, "longer than zero"),
        ({"grace_period": 30}, "text with a unit"),
        ({"accept": []}, "must not be empty"),
        ({"accept": ["limit"]}, "'stop', 'stop_limit' or 'trailing_stop'"),
        ({"max_stop_risk": "-200.00"}, "above zero"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object], said: str) -> None:
    """A grace of nothing, a target taken for a stop, a negative distance."""
    with pytest.raises(ValidationError, match=said):
        NoStopLossGraceRule(params=params)

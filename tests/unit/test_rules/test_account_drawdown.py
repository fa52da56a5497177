from decimal import Decimal

import msgspec
import pytest
from pydantic import ValidationError

from riskd.domain.account import AccountState, Lockout
from riskd.domain.account_view import AccountView
from riskd.domain.events import QuoteReported, SnapshotReported
from riskd.rules.account_drawdown import AccountDrawdownParams, AccountDrawdownRule
from riskd.rules.params import tightness_of
from tests.support.desk import Desk
from tests.support.rule_builders import NOON, account, contract, ct, position, view

EOD = {"kind": "eod_trailing", "start_balance": "50000.00", "drawdown": "2000.00", "lock_at": "50000.00"}
INTRADAY = {**EOD, "kind": "intraday_trailing", "lock_at": "50100.00"}
STATIC = {"kind": "static", "start_balance": "50000.00", "drawdown": "2000.00"}


def balance(amount: str, *, close: str | None = None, peak: str | None = None) -> AccountState:
    """Return an account with this balance, highest closed balance and highest equity."""
    return msgspec.structs.replace(
        account(),
        base=Decimal(amount),
        highest_close=Decimal(close) if close is not None else None,
        highest_equity=Decimal(peak) if peak is not None else None,
    )


@pytest.mark.parametrize(
    ("params", "high", "floor"),
    [
        (STATIC, None, "48000"),
        (STATIC, "60000", "48000"),
        (EOD, None, "48000"),
        (EOD, "49000", "48000"),
        (EOD, "51000", "49000"),
        (EOD, "51500", "49500"),
        (EOD, "53000", "50000"),
        (INTRADAY, None, "48000"),
        (INTRADAY, "51300", "49300"),
        (INTRADAY, "52100", "50100"),
        (INTRADAY, "60000", "50100"),
    ],
)
def test_the_floor_follows_its_high_water_mark_up_to_the_lock(
    params: dict[str, object], high: str | None, floor: str
) -> None:
    """The drawdown below the start or the highest mark, whichever is higher, never above lock_at."""
    rule = AccountDrawdownRule(params=params)

    assert rule.floor(view(balance("50000", close=high, peak=high))) == Decimal(floor)


@pytest.mark.parametrize(
    ("equity", "breached"), [("48200.01", False), ("48200.00", True), ("48199.99", True), ("60000", False)]
)
def test_the_floor_itself_is_the_end(equity: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """Over a floor of 48,200 an equity of 48,200.01 lives and 48,200.00 does not."""
    rule = AccountDrawdownRule(params=EOD)

    assert (rule.evaluate(None, view(balance(equity, close="50200"))) is not None) is breached


def losing(points: str) -> AccountView:
    """Return a look at a balance of 50,000 with 1 MNQ that many points down."""
    held = msgspec.structs.replace(account(positions=[position("MNQ", 1)]), base=Decimal(50000))
    return view(held, marks={"MNQ": str(Decimal(21000) - Decimal(points))})


def test_open_losses_count() -> None:
    """1,000 MNQ points are 2,000 USD of open loss: over at 20,000.00, not a tick before."""
    rule = AccountDrawdownRule(params=STATIC)

    assert rule.evaluate(None, losing("999.75")) is None
    violation = rule.evaluate(None, losing("1000"))
    assert violation is not None
    assert violation.message == "equity 48000.00 USD is at or below the floor 48000.00 USD"


def test_the_account_is_flattened_and_locked_until_an_admin_says_otherwise() -> None:
    """No time ends this lock."""
    rule = AccountDrawdownRule(params=STATIC)
    violation = rule.evaluate(None, view(balance("47000")))

    assert violation is not None
    action = rule.get_enforcement_action(violation)
    assert (action.action_type, action.lock, action.lockout_until) == ("flatten_account", True, None)


def test_a_buffer_acts_before_the_firm_does() -> None:
    """100 above the floor is enough, and headroom ends there."""
    rule = AccountDrawdownRule(params={**STATIC, "buffer": "100.00"})

    assert rule.evaluate(None, view(balance("48100.01"))) is None
    violation = rule.evaluate(None, view(balance("48100.00")))
    assert violation is not None
    assert "within 100.00 USD of the floor" in violation.message
    assert rule.headroom(view(balance("49000"))) == Decimal(900)


def test_without_a_balance_nothing_is_guessed() -> None:
    """An account that has not reported its balance is neither over nor safe."""
    rule = AccountDrawdownRule(params=STATIC)

    assert rule.evaluate(None, view()) is None
    assert rule.headroom(view()) is None
    assert tuple(rule.warnings(view())) == ()


def test_people_are_told_when_most_of_it_is_used() -> None:
    """At 80 % of 2,000 there are 400 left."""
    rule = AccountDrawdownRule(params=STATIC)

    assert tuple(rule.warnings(view(balance("48400.01")))) == ()
    (warning,) = rule.warnings(view(balance("48400.00")))
    assert warning.message == "more than 80 % of the drawdown is used: 400.00 USD left"


@pytest.mark.parametrize("at", ["2025-10-15 17:00", "2026-03-09 12:00", "2025-11-03 12:00"])
def test_no_reset_ends_it(at: str) -> None:
    """A new day, a clock change and a lockout in force change nothing."""
    rule = AccountDrawdownRule(params=STATIC)
    lockout = Lockout(cause="X", until=None, since=NOON, seq=1, reason="")
    state = msgspec.structs.replace(balance("47000"), lockouts=(lockout,))

    assert rule.evaluate(None, view(state, at=ct(at))) is not None


def test_only_the_intraday_floor_watches_equity() -> None:
    """The others need no high-water mark with every price, but all hear quotes."""
    assert AccountDrawdownRule(params=INTRADAY).watches_equity
    assert not AccountDrawdownRule(params=EOD).watches_equity
    assert AccountDrawdownRule(params=EOD).applies_to(QuoteReported(contract=contract("MNQ"), at=NOON))


def test_a_gain_that_was_closed_over_a_larger_open_loss_is_no_new_high() -> None:
    """Closed at +50 with an open loss of 100 carried over 17:00: the highest equity was 50,000, not 50,050."""
    desk = Desk({"AccountDrawdown": INTRADAY})
    seq = desk.event_bus.last_seq
    desk.publish(SnapshotReported("A1", asked_seq=seq, positions=(), orders=(), fills=(), balance=Decimal(50000)))
    desk.fill("buy", 2, "MNQ", "21000")
    desk.quote("MNQ", "20950")
    desk.fill("sell", 1, "MNQ", "21025")

    desk.wait("2026-03-10 17:00:01")

    assert desk.state.base == Decimal(50050)
    assert desk.state.highest_equity == Decimal(50000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "trailing"}, "eod_trailing"),
        ({"drawdown": "-2000.00"}, "above zero"),
        ({"drawdown": "60000.00"}, "missing digit"),
        ({"lock_at": "47000.00"}, "below the floor"),
        ({"buffer": "-1"}, "cannot be negative"),
        ({"start_balance": 50000}, "in quotes"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(change: dict[str, object], said: str) -> None:
    """Distances are positive, and the floor must be possible."""
    with pytest.raises(ValidationError, match=said):
        AccountDrawdownRule(params={**EOD, **change})


@pytest.mark.parametrize(
    ("old", "new", "tighter"),
    [(None, None, True), (Decimal(1), None, True), (None, Decimal(1), False), (Decimal(1), Decimal(2), True)],
)
def test_a_floor_that_may_rise_further_is_tighter(old: object, new: object, tighter: bool) -> None:  # noqa: FBT001 - a column
    """No lock_at at all is the tightest."""
    assert tightness_of(AccountDrawdownParams.model_fields["lock_at"]).holds(old, new) is tighter

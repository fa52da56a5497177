from decimal import Decimal

import msgspec
import pytest
from pydantic import ValidationError

from riskd.domain.account import AccountState, Lockout
from riskd.domain.account_view import AccountView
from riskd.domain.events import QuoteReported
from riskd.rules.unrealized_loss import UnrealizedLossRule
from tests.support.rule_builders import NOON, account, closed_per_root, contract, ct, fill, position, view


def long_two(mark: str, *, at: str = "2025-10-15 12:00") -> AccountView:
    """Return a look at long 2 MNQ from 21,000."""
    return view(account(positions=[position("MNQ", 2)], at=ct(at)), marks={"MNQ": mark}, at=ct(at))


@pytest.mark.parametrize(
    ("mark", "breached"), [("20950.25", False), ("20950.00", True), ("20949.75", True), ("21050.00", False)]
)
def test_one_tick_either_side(mark: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """Long 2 MNQ from 21,000 with a limit of -200: breached at 20,950.00 and below."""
    rule = UnrealizedLossRule(params={"limit": "-200.00"})

    assert (rule.evaluate(None, long_two(mark)) is not None) is breached


def test_only_the_position_that_reached_it_is_closed() -> None:
    """ES has lost 250, MNQ nothing: ES goes, MNQ stays, and nothing is locked."""
    rule = UnrealizedLossRule(params={"limit": "-200.00"})
    state = view(account(positions=[position("MNQ", 2), position("ES", 1)]), marks={"MNQ": "21000", "ES": "5795"})

    (violation,) = rule.violations(None, state)
    action = rule.get_enforcement_action(violation)

    assert closed_per_root(violation) == {"ES": 1}
    assert violation.message == "open loss -250.00 USD of ESZ5 is past limit -200.00 USD"
    assert (action.action_type, action.quantity, action.lock) == ("close_position", 1, False)


@pytest.mark.parametrize(
    ("scope", "closed"),
    [("position", []), ("group", [{"NQ": 1, "MNQ": 2}]), ("account", [{"NQ": 1, "MNQ": 2, "GC": 1}])],
)
def test_what_is_judged_together_is_closed_together(scope: str, closed: list[dict[str, int]]) -> None:
    """NQ -300 and MNQ -60 are past -350 as a family; with gold's loss the account is, too."""
    rule = UnrealizedLossRule(params={"limit": "-350.00", "scope": scope})
    held = [position("NQ", 1), position("MNQ", 2), position("GC", -1)]
    state = view(account(positions=held), marks={"NQ": "20985", "MNQ": "20985", "GC": "2400.1"})

    assert [closed_per_root(violation) for violation in rule.violations(None, state)] == closed


def test_a_gain_elsewhere_saves_the_account_but_not_the_position() -> None:
    """-250 and +300 are fine together, and not one by one."""
    held = account(positions=[position("ES", 1), position("GC", 1)])
    state = view(held, marks={"ES": "5795", "GC": "2403"})

    assert UnrealizedLossRule(params={"limit": "-200.00", "scope": "account"}).evaluate(None, state) is None
    assert UnrealizedLossRule(params={"limit": "-200.00"}).evaluate(None, state) is not None


def test_headroom_is_that_of_the_nearest_position() -> None:
    """-100 of -200 is used up by one, nothing by the other; flat, all is left."""
    rule = UnrealizedLossRule(params={"limit": "-200.00"})
    state = view(account(positions=[position("MNQ", 2), position("ES", 1)]), marks={"MNQ": "20975", "ES": "5800"})

    assert rule.headroom(state) == Decimal(100)
    assert rule.headroom(view()) == Decimal(200)


def test_a_reserve_acts_earlier() -> None:
    """4 ticks for each of 2 MNQ are 4.00 of reserve: -196 is enough."""
    rule = UnrealizedLossRule(params={"limit": "-200.00", "reserve": {"ticks": 4}})

    assert rule.evaluate(None, long_two("20951.25")) is None
    violation = rule.evaluate(None, long_two("20951.00"))
    assert violation is not None
    assert "within the reserve" in violation.message


def test_a_carried_position_is_judged_as_it_is() -> None:
    """What was lost before 17:00 is still open after it."""
    rule = UnrealizedLossRule(params={"limit": "-200.00"})

    assert rule.evaluate(None, long_two("20950", at="2025-10-15 16:59")) is not None
    assert rule.evaluate(None, long_two("20950", at="2025-10-15 17:00")) is not None
    assert rule.evaluate(None, long_two("20950", at="2026-03-08 18:00")) is not None
    assert rule.evaluate(None, long_two("20950", at="2025-11-02 18:00")) is not None


def test_a_flip_starts_a_new_loss() -> None:
    """The old position's loss is realized; the new one has none yet."""
    rule = UnrealizedLossRule(params={"limit": "-200.00"})

    assert rule.evaluate(None, long_two("20951").including(fill("MNQ", -5, "20951", trade_id="T9"))) is None


def test_a_lock_hides_nothing() -> None:
    """A position under a lockout is judged as any other."""
    rule = UnrealizedLossRule(params={"limit": "-200.00"})
    state = long_two("20950")
    lockout = Lockout(cause="X", until=None, since=NOON, seq=1, reason="")
    locked: AccountState = msgspec.structs.replace(state.account, lockouts=(lockout,))

    assert rule.evaluate(None, state.of(locked)) is not None


def test_quotes_are_heard_and_a_missing_price_breaks_nothing() -> None:
    """Unknown is not zero, and no reason to act."""
    rule = UnrealizedLossRule(params={"limit": "-200.00"})

    assert rule.applies_to(QuoteReported(contract=contract("MNQ"), at=NOON))
    assert rule.evaluate(None, view(account(positions=[position("MNQ", 2)]))) is None


@pytest.mark.parametrize("params", [{"limit": "200"}, {"limit": "-200", "scope": "symbol"}, {"limit": -200}, {}])
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object]) -> None:
    """Signs, scopes and numbers."""
    with pytest.raises(ValidationError):
        UnrealizedLossRule(params=params)

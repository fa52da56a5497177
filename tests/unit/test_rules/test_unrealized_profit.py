from decimal import Decimal

import pytest
from pydantic import ValidationError

from riskd.domain.account_view import AccountView
from riskd.rules.unrealized_profit import UnrealizedProfitRule
from tests.support.rule_builders import account, closed_per_root, ct, fill, position, view


def short_two(mark: str, *, at: str = "2025-10-15 12:00") -> AccountView:
    """Return a look at short 2 MNQ from 21,000."""
    return view(account(positions=[position("MNQ", -2)], at=ct(at)), marks={"MNQ": mark}, at=ct(at))


@pytest.mark.parametrize(("mark", "breached"), [("20950.25", False), ("20950.00", True), ("20949.75", True)])
def test_one_tick_either_side(mark: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """Short 2 MNQ from 21,000 with a limit of 200: taken at 20,950.00 and below."""
    rule = UnrealizedProfitRule(params={"limit": "200.00"})

    assert (rule.evaluate(None, short_two(mark)) is not None) is breached


@pytest.mark.parametrize("at", ["2025-10-15 17:00", "2026-03-08 18:00", "2025-11-02 18:00"])
def test_the_time_changes_nothing(at: str) -> None:
    """A carried profit is open profit."""
    assert UnrealizedProfitRule(params={"limit": "200.00"}).evaluate(None, short_two("20950", at=at)) is not None


def test_the_winner_is_closed_and_the_loser_stays() -> None:
    """Each position by itself."""
    rule = UnrealizedProfitRule(params={"limit": "200.00"})
    state = view(account(positions=[position("MNQ", 2), position("ES", 1)]), marks={"MNQ": "20000", "ES": "5804"})

    (violation,) = rule.violations(None, state)

    assert closed_per_root(violation) == {"ES": 1}
    assert violation.message == "open profit 200.00 USD of ESZ5 is at limit 200.00 USD"
    assert rule.get_enforcement_action(violation).action_type == "close_position"


def test_a_family_is_taken_together() -> None:
    """NQ +150 and MNQ +60 are past 200 as a family."""
    held = account(positions=[position("NQ", 1), position("MNQ", 2)])
    state = view(held, marks={"NQ": "21007.50", "MNQ": "21015"})

    assert UnrealizedProfitRule(params={"limit": "200.00"}).evaluate(None, state) is None
    violation = UnrealizedProfitRule(params={"limit": "200.00", "scope": "group"}).evaluate(None, state)
    assert violation is not None
    assert closed_per_root(violation) == {"NQ": 1, "MNQ": 2}


def test_a_flip_starts_a_new_profit() -> None:
    """The old position's profit is realized; the new one has none yet."""
    rule = UnrealizedProfitRule(params={"limit": "200.00"})

    assert rule.evaluate(None, short_two("20951").including(fill("MNQ", 5, "20951", trade_id="T9"))) is None


def test_headroom_and_reserve() -> None:
    """Of 200 with 20 in reserve, 80 are left at +100; flat, all of 200."""
    rule = UnrealizedProfitRule(params={"limit": "200.00", "reserve": "20.00"})

    assert rule.headroom(short_two("20975")) == Decimal(80)
    assert rule.headroom(view()) == Decimal(200)
    assert rule.evaluate(None, short_two("20955")) is not None


@pytest.mark.parametrize("params", [{"limit": "-200"}, {"limit": "0"}, {"limit": "200", "scope": "x"}, {}])
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object]) -> None:
    """Signs and scopes."""
    with pytest.raises(ValidationError):
        UnrealizedProfitRule(params=params)

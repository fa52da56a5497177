import pytest
from pydantic import ValidationError

from riskd.domain.events import QuoteReported
from riskd.domain.orders import OrderStatus, OrderType
from riskd.rules.symbol_block import SymbolBlockRule
from tests.support.rule_builders import NOON, account, closed_per_root, contract, ct, fill, order, position, view


def test_a_blocked_product_is_closed_and_its_entries_cancelled() -> None:
    """CL goes with its entry; MNQ and the stop of CL are left alone."""
    rule = SymbolBlockRule(params={"blocked_symbols": ["CL", "NG"]})
    orders = [order("E", "CL", -1), order("S", "CL", 2, kind=OrderType.STOP), order("M", "MNQ", 1)]
    state = view(account(positions=[position("CL", -2), position("MNQ", 1)], orders=orders))

    (violation,) = rule.violations(None, state)
    action = rule.get_enforcement_action(violation)

    assert (violation.key, closed_per_root(violation), violation.cancels) == ("CL", {"CL": 2}, ("E",))
    assert violation.message == "CL is blocked for this account"
    assert (action.action_type, action.quantity) == ("close_position", 2)


def test_a_working_order_is_enough() -> None:
    """Nothing held yet: the entry is cancelled."""
    rule = SymbolBlockRule(params={"blocked_symbols": ["CL"]})

    violation = rule.evaluate(None, view(account(orders=[order("E", "CL", 3)])))

    assert violation is not None
    assert rule.get_enforcement_action(violation).action_type == "cancel_order"


@pytest.mark.parametrize(
    ("blocked", "held", "breached"), [("MNQ", "NQ", False), ("NQ", "MNQ", False), ("NQ", "NQ", True)]
)
def test_products_are_matched_by_root(blocked: str, held: str, breached: bool) -> None:  # noqa: FBT001 - a column
    """The broker calls NQ by another name; MNQ is not NQ."""
    rule = SymbolBlockRule(params={"blocked_symbols": [blocked]})

    assert (rule.evaluate(None, view(account(positions=[position(held, 1)]))) is not None) is breached


@pytest.mark.parametrize("at", ["2025-10-15 17:00", "2026-03-08 17:00", "2025-11-02 17:00"])
def test_a_block_has_no_hours(at: str) -> None:
    """Always blocked, and a flip within the product changes nothing."""
    rule = SymbolBlockRule(params={"blocked_symbols": ["CL"]})
    state = view(account(positions=[position("CL", 1)], at=ct(at)), at=ct(at)).including(fill("CL", -3, at=ct(at)))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert [(cut.held, cut.left) for cut in violation.reductions] == [(-2, 0)]


def test_nothing_in_the_product_is_no_breach() -> None:
    """A block on what is not traded is silent, and prices do not wake it."""
    rule = SymbolBlockRule(params={"blocked_symbols": ["CL"]})

    assert rule.evaluate(None, view(account(positions=[position("MNQ", 1)]))) is None
    assert not rule.applies_to(QuoteReported(contract=contract("CL"), at=NOON))


@pytest.mark.parametrize("symbols", [[], ["CLZ5"], ["crude oil"], "CL", None])
def test_what_blocks_nothing_is_refused(symbols: object) -> None:
    """An empty list, a single expiry and a word that is no product."""
    with pytest.raises(ValidationError):
        SymbolBlockRule(params={"blocked_symbols": symbols})


def test_an_exit_that_is_left_behind_is_no_breach() -> None:
    """A suspended child of a bracket can open nothing by itself."""
    rule = SymbolBlockRule(params={"blocked_symbols": ["CL"]})
    child = order("C", "CL", 1, status=OrderStatus.SUSPENDED, parent="P")

    assert rule.evaluate(None, view(account(orders=[child]))) is None

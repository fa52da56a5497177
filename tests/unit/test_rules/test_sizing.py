from decimal import Decimal

import pytest

from riskd.domain.orders import OrderType, WorkingOrder
from riskd.rules.sizing import after, newest_first, reachable, reduced, resting, trim
from tests.support.rule_builders import account, contract, order, position, view

ONE = Decimal(1)


def alike(_: str) -> Decimal:
    """Count every contract as one."""
    return ONE


def test_lots_of_one_account_are_ordered_newest_first() -> None:
    """By the envelope that opened them, whatever the instrument."""
    state = view(account(positions=[position("MNQ", 1, 2, seq=3), position("ES", 1, seq=4)]))

    assert [(lot.contract, lot.count) for lot in newest_first(state)] == [
        (contract("MNQ"), 2),
        (contract("ES"), 1),
        (contract("MNQ"), 1),
    ]


@pytest.mark.parametrize(("held", "cut", "left"), [(5, 2, 3), (-5, 2, -3), (2, 2, 0)])
def test_a_reduction_goes_towards_zero(held: int, cut: int, left: int) -> None:
    """Long and short both shrink."""
    assert (reduced("X", held, cut).left, reduced("X", held, cut).closed) == (left, cut)


def test_a_trim_takes_no_more_than_there_is() -> None:
    """An excess beyond all lots closes all lots."""
    state = view(account(positions=[position("MNQ", 2)]))

    cut = trim(state, newest_first(state), Decimal(9), alike)

    assert after(state.quantities, cut.reductions) == {contract("MNQ"): 0}


@pytest.mark.parametrize(
    ("held", "orders", "reach"),
    [
        (0, [order("1", "MNQ", 3)], 3),
        (2, [order("1", "MNQ", 3)], 5),
        (2, [order("1", "MNQ", -3)], 2),
        (2, [order("1", "MNQ", -7)], 5),
        (-2, [order("1", "MNQ", -1), order("2", "MNQ", 1)], 3),
        (2, [], 2),
    ],
)
def test_how_far_orders_reach(held: int, orders: list[WorkingOrder], reach: int) -> None:
    """The largest position on either side, with the position that is there."""
    assert reachable(held, orders) == reach


def test_only_as_many_as_needed_are_surplus() -> None:
    """Newest first, until what is left fits; market orders are no part of it."""
    working = [
        order("old", "MNQ", 1, seq=1),
        order("mid", "ES", 1, seq=2),
        order("new", "GC", 1, seq=3),
        order("market", "CL", 5, kind=OrderType.MARKET, seq=4),
    ]

    found = resting(working, {}, Decimal(2), alike)

    assert (found.total, found.surplus) == (Decimal(3), ("new",))

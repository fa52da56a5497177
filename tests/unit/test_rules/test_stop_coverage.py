from decimal import Decimal

import msgspec
import pytest

from riskd.domain.orders import OrderStatus, OrderType, WorkingOrder
from riskd.rules.stop_coverage import Protection, stop_risk
from tests.support.rule_builders import account, contract, order, position, view

STOPS = frozenset({OrderType.STOP, OrderType.TRAILING_STOP})
MNQ = contract("MNQ")


def stop(
    order_id: str,
    quantity: int,
    price: str | None = "20950",
    *,
    kind: OrderType = OrderType.STOP,
    status: OrderStatus = OrderStatus.WORKING,
    root: str = "MNQ",
) -> WorkingOrder:
    """Return a stop order; a negative quantity sells."""
    placed = order(order_id, root, quantity, kind=kind, status=status)
    return msgspec.structs.replace(placed, stop_price=None if price is None else Decimal(price))


@pytest.mark.parametrize(
    ("orders", "covered"),
    [
        ([], False),
        ([stop("1", -2)], True),
        ([stop("1", -1)], False),
        ([stop("1", -1), stop("2", -1)], True),
        ([stop("1", -3)], True),
        ([stop("1", 2)], False),
        ([stop("1", -2, kind=OrderType.TRAILING_STOP, price=None)], True),
        ([stop("1", -2, kind=OrderType.STOP_LIMIT)], False),
        ([stop("1", -2, kind=OrderType.LIMIT)], False),
        ([stop("1", -2, status=OrderStatus.SUSPENDED)], False),
        ([stop("1", -2, status=OrderStatus.PENDING)], False),
        ([stop("1", -2, root="NQ")], False),
        ([msgspec.structs.replace(stop("1", -3), filled=2)], False),
    ],
    ids=[
        "none",
        "all",
        "half",
        "two halves",
        "more than all",
        "wrong side",
        "trailing",
        "stop limit is not accepted",
        "limit",
        "held back by its bracket",
        "not working yet",
        "another contract",
        "mostly filled",
    ],
)
def test_what_covers_long_two(orders: list[WorkingOrder], covered: bool) -> None:  # noqa: FBT001 - a column
    """Accepted stops that work, on the other side of the same contract, for all that is held."""
    state = view(account(positions=[position("MNQ", 2)], orders=orders))

    assert Protection(STOPS, None).covers(state, MNQ, 2) is covered


def test_a_pair_of_stops_that_cancel_each_other_counts_once() -> None:
    """Two stops of 1 of which only one can fill cover 1."""
    pair = [msgspec.structs.replace(stop("1", -1), linked="2"), msgspec.structs.replace(stop("2", -1), linked="1")]
    state = view(account(positions=[position("MNQ", 2)], orders=pair))

    assert not Protection(STOPS, None).covers(state, MNQ, 2)


@pytest.mark.parametrize(
    ("quantity", "stops", "risk"),
    [
        (2, [("1", -2, "20950")], "200"),
        (2, [("1", -1, "20950"), ("2", -1, "20900")], "300"),
        (2, [("1", -2, "21010")], "-40"),
        (2, [("1", -2, "20900"), ("2", -1, "20990")], "220"),
        (-2, [("1", 2, "21050")], "200"),
        (2, [("1", -1, "20950")], None),
        (2, [("1", -2, None)], None),
    ],
)
def test_what_the_stops_would_lose(quantity: int, stops: list[tuple[str, int, str | None]], risk: str | None) -> None:
    """From the entry to the stops, the nearest first; a stop in profit loses nothing; an unknown price is unknown."""
    placed = [stop(*one) for one in stops]
    state = view(account(positions=[position("MNQ", quantity)], orders=placed))

    assert stop_risk(state, MNQ, quantity, placed) == (Decimal(risk) if risk is not None else None)


@pytest.mark.parametrize(("price", "covered"), [("20950.00", True), ("20949.75", False), (None, False)])
def test_a_stop_that_is_too_far_does_not_protect(price: str | None, covered: bool) -> None:  # noqa: FBT001 - a column
    """With 200 USD at most, 50 points for 2 MNQ are the end, and an unknown price does not count."""
    state = view(account(positions=[position("MNQ", 2)], orders=[stop("1", -2, price)]))

    assert Protection(STOPS, Decimal(200)).covers(state, MNQ, 2) is covered


def test_what_is_not_held_has_no_risk_to_know() -> None:
    """A position that only the broker reports has no price to reckon from."""
    assert stop_risk(view(), MNQ, 2, []) is None

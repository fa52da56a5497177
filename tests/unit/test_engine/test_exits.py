"""What becomes of exits while riskd cuts, blocks or cools down: what protects a held position stays, at its size."""

from datetime import timedelta
from decimal import Decimal

import pytest

from riskd.domain.commands import ResizeOrder
from riskd.domain.events import OrderReported, Outcome
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder, split_orders
from tests.support.desk import Desk, contract

COOLDOWN = {"CooldownAfterLoss": {"loss_threshold": "-100.00", "cooldown_duration": "15min"}}
TWO = {"MaxContracts": {"max_contracts": 2, "count_working": False}}
FOUR = {"MaxContracts": {"max_contracts": 4, "count_working": False}}
STOP, LIMIT = OrderType.STOP, OrderType.LIMIT


def resized(desk: Desk) -> list[tuple[str, int]]:
    """Return the orders that were cut, with the size each was cut to."""
    return [(c.order_id, c.size) for c in desk.commands if isinstance(c, ResizeOrder)]


def resting(
    name: str, side: Side, size: int, kind: OrderType, *, linked: str | None = None, filled: int = 0
) -> WorkingOrder:
    """Return a working order whose age is its name's."""
    return WorkingOrder(
        order_id=name,
        contract=contract("ES"),
        side=side,
        type=kind,
        status=OrderStatus.WORKING,
        size=size,
        filled=filled,
        linked=linked,
        seq=int(name[1:]),
    )


def sell(name: str, size: int, kind: OrderType = LIMIT, *, linked: str | None = None, filled: int = 0) -> WorkingOrder:
    """Return a working sale."""
    return resting(name, Side.SELL, size, kind, linked=linked, filled=filled)


def buy(name: str, size: int, kind: OrderType = LIMIT, *, linked: str | None = None) -> WorkingOrder:
    """Return a working purchase."""
    return resting(name, Side.BUY, size, kind, linked=linked)


@pytest.mark.parametrize(
    ("position", "orders", "parts"),
    [
        (2, [sell("S1", 5, STOP)], {"S1": (2, 3)}),
        (2, [sell("S1", 5, STOP, filled=1)], {"S1": (2, 2)}),
        (2, [sell("T1", 2), sell("S2", 2, STOP)], {"T1": (0, 2), "S2": (2, 0)}),
        (3, [sell("T1", 2), sell("S2", 2, STOP)], {"T1": (1, 1), "S2": (2, 0)}),
        (2, [sell("S1", 1, STOP), sell("S2", 2, STOP)], {"S1": (1, 0), "S2": (1, 1)}),
        (2, [sell("T1", 2, linked="S2"), sell("S2", 2, STOP)], {"T1": (2, 0), "S2": (2, 0)}),
        (2, [sell("T1", 4, linked="S2"), sell("S2", 3, STOP, linked="T1")], {"T1": (2, 2), "S2": (2, 1)}),
        (
            3,
            [sell("S1", 2, STOP), sell("T2", 2, linked="S1"), sell("T3", 2)],
            {"S1": (2, 0), "T2": (2, 0), "T3": (1, 1)},
        ),
        (-2, [buy("T1", 2), buy("S2", 3, STOP)], {"T1": (0, 2), "S2": (2, 1)}),
        (
            -2,
            [buy("T1", 2, linked="S2"), buy("S2", 2, STOP), sell("E3", 1)],
            {"T1": (2, 0), "S2": (2, 0), "E3": (0, 1)},
        ),
        (0, [sell("S1", 1, STOP)], {"S1": (0, 1)}),
    ],
    ids=[
        "a stop that is too large",
        "what has filled does not count",
        "a stop before an older target",
        "a target for the room that the stop leaves",
        "the older of two stops",
        "a pair that names each other one way",
        "a pair that is too large",
        "a pair and one more",
        "short",
        "short, with a pair and an entry",
        "nothing held",
    ],
)
def test_an_order_is_an_exit_as_far_as_it_fits(
    position: int, orders: list[WorkingOrder], parts: dict[str, tuple[int, int]]
) -> None:
    """Each order is divided into what closes and what could open, stops taking their room first."""
    found = split_orders(orders, position)

    assert {part.order.order_id: (part.exit, part.entry) for part in found} == parts


def test_a_cooldown_cuts_the_stop_of_what_is_held_to_its_size() -> None:
    """Scaled out from 5 to 2 at a loss, the stop for 5 is cut to 2 rather than cancelled."""
    desk = Desk(COOLDOWN)
    desk.fill("buy", 5, "MNQ", "21000")
    desk.order("S", "sell", 5, "MNQ", kind=STOP)
    desk.wait(timedelta(seconds=1))
    desk.fill("sell", 3, "MNQ", "20950")

    assert desk.holds("MNQ") == 2
    assert (desk.cancels, resized(desk)) == ([], [("S", 2)])


def test_a_cooldown_cuts_the_stop_of_a_short_position() -> None:
    """Bought back from 5 to 2 at a loss, the buy stop for 5 protects the 2 that are left."""
    desk = Desk(COOLDOWN)
    desk.fill("sell", 5, "MNQ", "21000")
    desk.order("S", "buy", 5, "MNQ", kind=STOP)
    desk.wait(timedelta(seconds=1))
    desk.fill("buy", 3, "MNQ", "21050")

    assert desk.holds("MNQ") == -2
    assert (desk.cancels, resized(desk)) == ([], [("S", 2)])


def test_of_a_stop_and_an_unlinked_target_the_stop_stays() -> None:
    """Both could fill, so one is too many in a cooldown: it is the target, though it is older."""
    desk = Desk(COOLDOWN)
    desk.fill("buy", 2, "MNQ", "21000")
    desk.order("T", "sell", 2, "MNQ")
    desk.order("S", "sell", 2, "MNQ", kind=STOP)
    desk.fill("buy", 1, "ES", "5800")
    desk.wait(timedelta(seconds=1))
    desk.fill("sell", 1, "ES", "5790")

    assert (desk.cancels, resized(desk)) == (["T"], [])


def test_a_cooldown_leaves_an_oco_pair_alone() -> None:
    """Only one leg of a pair can fill, so stop and target of the whole position are both exits."""
    desk = Desk(COOLDOWN)
    desk.fill("buy", 2, "MNQ", "21000")
    desk.order("T", "sell", 2, "MNQ", linked="S")
    desk.order("S", "sell", 2, "MNQ", kind=STOP)
    desk.fill("buy", 1, "ES", "5800")
    desk.wait(timedelta(seconds=1))
    desk.fill("sell", 1, "ES", "5790")

    assert desk.state.no_new_risk
    assert (desk.cancels, resized(desk)) == ([], [])


def test_a_trim_keeps_the_stop_and_not_the_older_target() -> None:
    """Cut back to 4, the position keeps its stop for 4 and loses the target that could open a short."""
    desk = Desk(FOUR)
    desk.fill("buy", 4, "ES", "5800")
    desk.order("T", "sell", 4, "ES")
    desk.order("S", "sell", 4, "ES", kind=STOP)
    desk.fill("buy", 1, "ES", "5800")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800", order_id="OURS")

    assert desk.holds("ES") == 4
    assert (desk.cancels, resized(desk)) == (["T"], [])


@pytest.mark.parametrize(("entry", "exit_side", "price"), [("buy", "sell", "5900"), ("sell", "buy", "5700")])
def test_a_trim_cuts_both_legs_of_a_pair_even_with_the_stop_in_profit(entry: str, exit_side: str, price: str) -> None:
    """A stop trailed beyond the entry price protects a profit and is cut with its target like any other."""
    desk = Desk(FOUR)
    desk.fill(entry, 4, "ES", "5800")
    desk.quote("ES", price)
    desk.order("T", exit_side, 5, "ES", linked="S")
    desk.order("S", exit_side, 5, "ES", kind=OrderType.TRAILING_STOP, linked="T")
    desk.fill(entry, 1, "ES", price)
    desk.outcome(Outcome.ACCEPTED)
    desk.fill(exit_side, 1, "ES", price, order_id="OURS")

    assert abs(desk.holds("ES")) == 4
    assert (desk.cancels, resized(desk)) == ([], [("T", 4), ("S", 4)])


def test_a_sleeping_bracket_child_does_not_cost_the_position_its_stop() -> None:
    """The child of an entry that is unfilled closes nothing yet and takes no room from the stop of what is held."""
    desk = Desk(TWO)
    desk.order("P", "buy", 2, "ES")
    child = WorkingOrder(
        order_id="C",
        contract=contract("ES"),
        side=Side.SELL,
        type=STOP,
        status=OrderStatus.SUSPENDED,
        size=2,
        parent="P",
        stop_price=Decimal(5790),
    )
    desk.publish(OrderReported(account="A1", order=child))
    desk.order("S", "sell", 2, "ES", kind=STOP)
    desk.fill("buy", 3, "ES", "5800")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800", order_id="OURS")

    assert desk.holds("ES") == 2
    assert (desk.cancels, resized(desk)) == ([], [])


def test_a_rule_against_resting_orders_cuts_a_stop_to_the_position() -> None:
    """With 1 ES and 1 MNQ at a limit of 2, a stop for 3 ES could open 2 short: it is cut to 1, not cancelled."""
    desk = Desk({"MaxContracts": {"max_contracts": 2}})
    desk.fill("buy", 1, "ES", "5800")
    desk.fill("buy", 1, "MNQ", "21000")
    desk.order("S", "sell", 3, "ES", kind=STOP)

    assert (desk.cancels, resized(desk)) == ([], [("S", 1)])


def test_a_position_closed_whole_keeps_its_stop_until_it_is_gone() -> None:
    """A blocked product's stop is cut to what is held while the close is on the way, and goes with the position."""
    desk = Desk({"SymbolBlock": {"blocked_symbols": ["MNQ"]}})
    desk.fill("buy", 2, "MNQ", "21000")
    desk.order("S", "sell", 3, "MNQ", kind=STOP)
    assert (desk.cancels, resized(desk)) == ([], [("S", 2)])

    desk.outcome(Outcome.ACCEPTED)
    desk.order("S", "sell", 2, "MNQ", kind=STOP)
    desk.outcome(Outcome.ACCEPTED, command=desk.broker_commands[0])
    desk.fill("sell", 2, "MNQ", "21000", order_id="OURS")
    desk.snapshot()

    assert desk.cancels == ["S"]

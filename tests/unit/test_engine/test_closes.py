"""The life of a close at the broker: what proves it done, and what does not."""

from datetime import timedelta

from riskd.domain.commands import Severity
from riskd.domain.events import CloseRequested, Outcome
from riskd.domain.orders import OrderStatus, OrderType
from tests.support.desk import Desk, contract

MAX1 = {"MaxContracts": {"max_contracts": 1, "count_working": False}}
LOSS500 = {"DailyRealizedLoss": {"limit": "-500.00"}}


def flattening() -> Desk:
    """Return a desk that is locked with 2 MNQ, whose close has been accepted."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    desk.outcome(Outcome.ACCEPTED)
    return desk


def look_twice(desk: Desk) -> None:
    """Let the broker be looked at twice, half a second apart."""
    desk.snapshot()
    desk.wait(timedelta(milliseconds=500))
    desk.snapshot()


def crossing() -> Desk:
    """Return a desk on which the trader's market sell was counted as riskd's close of 1 MNQ, which is accepted."""
    desk = Desk({"UnrealizedLoss": {"limit": "-100.00"}})
    desk.fill("buy", 1, "MNQ", "18000", order_id="E")
    desk.quote("MNQ", "17950")
    desk.outcome(Outcome.ACCEPTED)
    sold(desk, "MINE", 1)
    assert not desk.state.closes
    return desk


def sold(desk: Desk, name: str, size: int, kind: OrderType = OrderType.MARKET) -> None:
    """Report an order to sell, its fill and its end."""
    desk.order(name, "sell", size, "MNQ", kind=kind)
    desk.fill("sell", size, "MNQ", "17950", order_id=name)
    desk.order(name, "sell", size, "MNQ", kind=kind, status=OrderStatus.FILLED, filled=size)


def test_a_close_that_the_broker_made_larger_is_under_way_until_its_order_has_ended() -> None:
    """A position that grew while its close was on the way is closed by the broker's larger order alone."""
    desk = flattening()
    desk.fill("buy", 2, "MNQ", "17875")
    desk.order("C1", "sell", 4, "MNQ", kind=OrderType.MARKET, status=OrderStatus.PENDING)
    desk.fill("sell", 2, "MNQ", "17875", order_id="C1")
    assert len(desk.closes) == 1

    desk.fill("sell", 2, "MNQ", "17875", order_id="C1")
    desk.order("C1", "sell", 4, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=4)

    assert len(desk.closes) == 1
    assert not desk.state.closes


def test_a_close_that_ended_with_a_part_filled_is_asked_for_again_at_once() -> None:
    """The broker filled one contract and cancelled the rest of its order: the rest is closed anew."""
    desk = flattening()
    desk.order("C1", "sell", 2, "MNQ", kind=OrderType.MARKET)
    desk.order("C1", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.CANCELLED, filled=1)
    assert len(desk.closes) == 1, "the fill is not booked yet"
    desk.fill("sell", 1, "MNQ", "17875", order_id="C1")

    assert desk.closes == [(contract("MNQ"), None)] * 2
    assert desk.state.closes[contract("MNQ")].held == 1


def test_an_order_that_the_broker_rejects_after_accepting_the_close_is_doubted_before_it_is_sent_again() -> None:
    """An accepted close whose order seems to be rejected is asked for again after two looks, ever later, and told."""
    desk = flattening()
    for number in range(1, 4):
        name = f"C{number}"
        desk.order(name, "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.REJECTED)
        assert len(desk.closes) == number, "nothing before two looks"
        look_twice(desk)
        desk.wait(timedelta(seconds=1))
        desk.outcome(Outcome.ACCEPTED)

    assert len(desk.closes) == 4
    assert "error_state" in [alert.kind for alert in desk.alerts]


def test_a_rejected_order_of_the_trader_is_not_the_end_of_riskds_close() -> None:
    """The trader's own market order is rejected at the same moment: riskd's close still fills, and is sent once."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    for _ in range(2):
        desk.order("MINE", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.REJECTED)
    desk.outcome(Outcome.ACCEPTED)
    desk.order("MINE", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.REJECTED)
    desk.order("RISKD", "sell", 2, "MNQ", kind=OrderType.MARKET)
    look_twice(desk)
    desk.fill("sell", 2, "MNQ", "17875", order_id="RISKD")
    desk.order("RISKD", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=2)
    look_twice(desk)

    assert len(desk.closes) == 1
    assert not desk.state.closes
    assert desk.holds("MNQ") == 0


def test_an_unanswered_close_is_not_forgotten_when_its_position_ends() -> None:
    """The trader turned the position round before riskd gave up on its answer: the request may still come through."""
    desk = Desk(MAX1)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.order("O1", "sell", 4, "MNQ")
    desk.fill("sell", 4, "MNQ", "18000", order_id="O1")
    desk.outcome(Outcome.UNKNOWN, command=desk.broker_commands[0])
    assert desk.closes == [(contract("MNQ"), 1)]

    desk.snapshot()
    desk.wait(timedelta(milliseconds=500))
    desk.snapshot()

    assert desk.closes == [(contract("MNQ"), 1)] * 2


def test_an_order_still_working_is_looked_at_now_and_then() -> None:
    """A close whose order rests at the broker is never sent again, and does not make riskd ask without a pause."""
    desk = flattening()
    desk.order("C1", "sell", 2, "MNQ", kind=OrderType.MARKET)
    desk.wait(timedelta(seconds=2))
    desk.forget()
    for _ in range(100):
        desk.snapshot()
        desk.wait(timedelta(milliseconds=100))

    assert desk.closes == []
    assert desk.snapshots_asked <= 10


def test_a_close_that_goes_through_zero_is_taken_back() -> None:
    """The trader's stop fills together with riskd's close: what riskd opened the other way is closed again."""
    desk = Desk(MAX1)
    desk.order("STOP", "sell", 2, "MNQ", kind=OrderType.STOP)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.order("C1", "sell", 1, "MNQ", kind=OrderType.MARKET, status=OrderStatus.PENDING)
    desk.outcome(Outcome.ACCEPTED, command=desk.broker_commands[-1])
    desk.fill("sell", 2, "MNQ", "17999", order_id="STOP")
    desk.fill("sell", 1, "MNQ", "17999", order_id="C1")
    desk.order("C1", "sell", 1, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=1)

    assert desk.holds("MNQ") == -1
    assert desk.closes == [(contract("MNQ"), 1), (contract("MNQ"), None)]


def test_an_order_that_ended_before_its_fill_came_is_still_the_traders() -> None:
    """The trader's limit order is reported filled before its trades are: they are not taken for riskd's close."""
    desk = flattening()
    desk.order("O1", "sell", 1, "MNQ")
    desk.order("O1", "sell", 1, "MNQ", status=OrderStatus.FILLED, filled=1)
    desk.fill("sell", 1, "MNQ", "17875", order_id="O1")

    assert desk.state.closes[contract("MNQ")].filled == 0


def test_an_order_that_has_ended_does_not_come_back_after_a_snapshot() -> None:
    """The broker's whole view was read after the order's end; then the report that it had been accepted arrives."""
    desk = Desk({"MaxContracts": {"max_contracts": 4}})
    desk.order("O7", "sell", 1, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=1)
    desk.snapshot()
    desk.order("O7", "sell", 1, "MNQ", kind=OrderType.MARKET)

    assert "O7" not in desk.state.orders


def test_an_order_that_has_ended_does_not_come_back() -> None:
    """A report that was overtaken by the order's end changes nothing, whichever of them riskd has seen first."""
    desk = Desk(MAX1)
    desk.order("O1", "sell", 1, "MNQ", status=OrderStatus.CANCELLED)
    desk.order("O1", "sell", 1, "MNQ", status=OrderStatus.WORKING)

    assert not desk.state.orders


def test_the_traders_own_exit_does_not_answer_for_riskds_close() -> None:
    """The trader closed by hand while riskd's close went unanswered: nothing goes out again before two looks."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    desk.order("HAND", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=2)
    desk.fill("sell", 2, "MNQ", "17875", order_id="HAND")
    desk.outcome(Outcome.UNKNOWN)
    desk.fill("buy", 1, "MNQ", "17875")
    assert len(desk.closes) == 1

    desk.snapshot()
    desk.wait(timedelta(milliseconds=500))
    desk.snapshot()

    assert len(desk.closes) == 2
    assert not desk.state.error_state


def test_after_a_trim_the_traders_own_exits_are_his_own_business() -> None:
    """After a trim the trader turns the position round: the order that he left resting is not cancelled."""
    desk = Desk(MAX1)
    desk.order("REST", "buy", 1, "MNQ")
    desk.fill("buy", 2, "MNQ", "18000")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "MNQ", "18000")
    assert not desk.state.trims
    desk.forget()

    desk.fill("sell", 1, "MNQ", "18000", order_id="TURN")
    desk.fill("sell", 1, "MNQ", "18000", order_id="TURN")

    assert desk.cancels == []


def test_two_exits_that_cross_leave_nothing_behind() -> None:
    """The trader's market sell and riskd's close both fill: the short that comes of it is closed."""
    desk = crossing()
    sold(desk, "RISKD", 1)
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("buy", 1, "MNQ", "17950")

    assert desk.closes == [(contract("MNQ"), None)] * 2
    assert desk.holds("MNQ") == 0


def test_a_late_fill_of_an_order_seen_in_time_is_still_riskds() -> None:
    """The order was made with the close but fills half a minute later, after its end was reported."""
    desk = crossing()
    desk.order("RISKD", "sell", 1, "MNQ", kind=OrderType.MARKET)
    desk.wait(timedelta(seconds=30))
    desk.order("RISKD", "sell", 1, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=1)
    desk.fill("sell", 1, "MNQ", "17950", order_id="RISKD")

    assert len(desk.closes) == 2


def test_two_exits_that_cross_while_the_close_is_outstanding_leave_nothing_behind() -> None:
    """The order of riskd fills while the close is still bound to the trader's, which has filled a part."""
    desk = Desk({"UnrealizedLoss": {"limit": "-100.00"}})
    desk.fill("buy", 2, "MNQ", "18000", order_id="E")
    desk.quote("MNQ", "17950")
    desk.outcome(Outcome.ACCEPTED)
    desk.order("MINE", "sell", 2, "MNQ", kind=OrderType.MARKET)
    desk.fill("sell", 1, "MNQ", "17950", order_id="MINE")
    sold(desk, "RISKD", 2)
    desk.fill("sell", 1, "MNQ", "17950", order_id="MINE")
    desk.order("MINE", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=2)

    assert desk.holds("MNQ") == -2
    assert len(desk.closes) == 2


def test_a_trader_who_turns_round_is_left_alone() -> None:
    """After riskd's close the trader sells short: later, by another kind of order, a larger one or one of several."""
    later = crossing()
    later.wait(timedelta(seconds=10))
    sold(later, "SHORT", 1)
    limit = crossing()
    sold(limit, "SHORT", 1, OrderType.LIMIT)
    larger = crossing()
    sold(larger, "SHORT", 2)
    beyond = crossing()
    beyond.fill("buy", 1, "MNQ", "17950")
    sold(beyond, "RISKD", 1)
    sold(beyond, "SHORT", 1)

    assert [len(desk.closes) for desk in (later, limit, larger, beyond)] == [1, 1, 1, 1]


def test_a_close_without_an_end_is_told_once_until_it_ends() -> None:
    """A market order that stays pending at the broker is told after ten seconds, and no longer an error when filled."""
    desk = flattening()
    desk.order("C1", "sell", 2, "MNQ", kind=OrderType.MARKET)
    for _ in range(30):
        desk.wait(timedelta(seconds=2))
        desk.snapshot()
    assert [alert.severity for alert in desk.alerts if alert.kind == "error_state"] == [Severity.CRITICAL]
    in_error = [desk.state.error_state]

    desk.fill("sell", 2, "MNQ", "17875", order_id="C1")
    desk.order("C1", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=2)
    look_twice(desk)

    assert [*in_error, desk.state.error_state] == [True, False]
    assert len(desk.closes) == 1


def test_a_close_that_nobody_answers_is_told_after_ten_seconds() -> None:
    """Neither an answer nor a snapshot comes: people hear of it by the timer alone."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    sent = desk.at
    desk.wait(timedelta(minutes=5))

    told = [alert for alert in desk.alerts if alert.kind == "error_state"]
    assert [(alert.at - sent, alert.severity) for alert in told] == [(timedelta(seconds=10), Severity.CRITICAL)]


def test_a_close_asked_for_by_hand_is_not_told_as_done_while_it_is_refused() -> None:
    """The broker refuses what an admin asked for: that it is closed is told when it is."""
    desk = Desk(MAX1)
    desk.fill("buy", 1, "MNQ", "18000")
    desk.publish(CloseRequested(account="A1", contract=contract("MNQ"), reason="by hand"))
    for _ in range(2):
        desk.outcome(Outcome.UNAVAILABLE, "not_sent")
        desk.wait(timedelta(seconds=1))
    assert desk.ended == []

    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "MNQ", "18000")

    assert [(t.symbol, t.closed, t.left) for e in desk.ended for t in e.targets] == [("MNQ", 1, 0)]


def test_a_close_that_filled_more_than_was_known_to_be_held_is_looked_into() -> None:
    """Two of the trader's three contracts went unseen, and so did riskd's order: its fill proves nothing yet."""
    desk = Desk(LOSS500)
    desk.fill("sell", 1, "MNQ", "18000")
    desk.quote("MNQ", "18250")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("buy", 2, "MNQ", "18250", order_id="C1")
    assert desk.holds("MNQ") == 1

    assert desk.closes == [(contract("MNQ"), None)], "the order may have more to fill"

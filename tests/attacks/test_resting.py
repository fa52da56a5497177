"""Ways round a limit by orders that rest: entries in disguise, and stops that protect nothing."""

from datetime import timedelta
from decimal import Decimal

from riskd.domain.commands import CancelOrder, ResizeOrder
from riskd.domain.events import OrderReported
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from tests.attacks.catalogue import Answer, attack
from tests.attacks.scenes import plays
from tests.support.desk import Desk, contract

LOSS = "DailyRealizedLoss limit=-500.00"


@attack(Answer.UNDONE)
async def test_resting_orders_before_the_lock() -> None:
    """Place entries far from the market before the limit is reached, to be filled under the lockout.

    → They are cancelled together with the lockout; one that fills all the same is closed.
    """
    day = """
      09:31         A1 fill buy 1 NQ @ 18000.00
      09:32         A1 order dip buy 2 NQ limit @ 17975.00
      09:32         A1 order gold sell 1 MGC stop @ 2300.0
      -> nothing
      09:33         A1 fill sell 1 NQ @ 17975.00
      -> lock A1 until 17:00 ; cancel A1 dip ; cancel A1 gold
      09:33:00.020  A1 order dip filled 2 @ 17975.00
      -> close A1 NQ 2 left 0
    """
    await plays(LOSS, day, head="broker manual")


@attack(Answer.STOPPED)
async def test_resting_orders_beyond_the_size() -> None:
    """Rest more entry orders than the limit allows, each of them small enough.

    → Those that would exceed the limit if all filled are cancelled, the newest first.
    """
    day = """
      09:31  A1 fill buy 2 MNQ @ 18000.00
      09:32  A1 order a buy 2 MNQ limit @ 17900.00
      -> nothing
      09:33  A1 order b buy 1 MNQ limit @ 17800.00
      -> cancel A1 b
    """
    await plays("MaxContracts max_contracts=4", day)


@attack(Answer.STOPPED)
def test_enlarge_an_order_later() -> None:
    """Place a small order that is allowed, and change its size once it rests.

    → A changed order is judged like a new one.
    """
    desk = Desk({"MaxContracts": {"max_contracts": 4}})
    desk.order("A", "buy", 1, "MNQ")
    assert desk.cancels == []

    desk.order("A", "buy", 10, "MNQ")

    assert desk.cancels == ["A"]


@attack(Answer.UNDONE)
def test_move_the_stop_away() -> None:
    """Place a stop that protects, and move it out of reach when the price comes near.

    → With `max_stop_risk` the position is unprotected from that moment: it is closed when the grace period is over.
    """
    desk = Desk({"NoStopLossGrace": {"grace_period": "10s", "max_stop_risk": "250.00"}})
    desk.fill("buy", 2, "MNQ", "18000")
    for price in ("17950", "15000"):
        stop = WorkingOrder(
            order_id="S",
            contract=contract("MNQ"),
            side=Side.SELL,
            type=OrderType.STOP,
            status=OrderStatus.WORKING,
            size=2,
            stop_price=Decimal(price),
        )
        desk.publish(OrderReported(account="A1", order=stop))
        desk.snapshot(orders=[stop])
        desk.wait(timedelta(seconds=9))
        assert desk.closes == []
    desk.wait(timedelta(seconds=3))

    assert desk.closes == [(contract("MNQ"), None)]


@attack(Answer.TOLD)
async def test_blink_with_the_stop() -> None:
    """Show the stop for a moment every few seconds, so that the grace period never runs out.

    → The grace begins anew each time, as for anybody who moves a stop; at the sixth time people are told.
    """
    blinks = "".join(
        f"""
      09:31:{second:02}.0  A1 order s{second} sell 2 MNQ stop @ 17950.00
      09:31:{second:02}.1  A1 order s{second} cancelled"""
        for second in (9, 18, 27, 36, 45)
    )
    day = f"""
      09:31:00.0  A1 fill buy 2 MNQ @ 18000.00{blinks}
      -> alert MNQ +2 was left without a sufficient stop 6 times
      09:31:56
      -> close A1 MNQ
    """
    await plays("NoStopLossGrace grace_period=10s", day)


@attack(Answer.STOPPED)
async def test_bracket_under_a_lockout() -> None:
    """Place an entry with stop and target attached while locked.

    → The entry is cancelled, and its children with it.
    """
    day = """
      09:31  A1 fill buy 2 MNQ @ 18000.00
      09:40  MNQ 17875.00
      -> lock A1 until 17:00 ; close A1 MNQ
      09:45  A1 order in buy 1 MNQ limit @ 17850.00
      -> cancel A1 in
      09:46  A1 order again buy 1 MNQ limit @ 17850.00
      09:46  A1 order stop sell 1 MNQ stop @ 17840.00 parent=again
      09:46  A1 order goal sell 1 MNQ limit @ 17880.00 parent=again
      -> cancel A1 again ; cancel A1 stop ; cancel A1 goal ; state A1 flat locked
    """
    await plays(LOSS, day)


@attack(Answer.STOPPED)
async def test_trailing_stop_as_an_entry() -> None:
    """Enter by a trailing stop: it looks like protection.

    → Without a position that it could close it is an entry, and is cancelled under the lockout.
    """
    day = """
      09:31  A1 fill buy 2 MNQ @ 18000.00
      09:40  MNQ 17875.00
      -> lock A1 until 17:00 ; close A1 MNQ
      09:45  A1 order trail buy 1 MNQ trailing
      -> cancel A1 trail
    """
    await plays(LOSS, day)


@attack(Answer.STOPPED)
def test_stop_limit_entry_under_a_lockout() -> None:
    """Enter by a stop-limit order, or by one whose kind riskd does not know.

    → The kind of an order makes no difference: whatever could open something is cancelled.
    """
    desk = Desk({"DailyRealizedLoss": {"limit": "-500.00"}})
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20700")
    desk.snapshot()
    desk.forget()

    desk.order("A", "buy", 1, "MNQ", kind=OrderType.STOP_LIMIT)
    desk.order("B", "sell", 1, "ES", kind=OrderType.UNKNOWN)

    assert desk.cancels == ["A", "B"]


@attack(Answer.STOPPED)
def test_oversized_target() -> None:
    """Rest a profit target three times the position: what is left after the close opens the other side.

    → In a cooldown, where no new risk is allowed, exits are cut to the position.
    """
    desk = Desk({"CooldownAfterLoss": {"loss_threshold": "-100.00", "cooldown_duration": "15min"}})
    desk.fill("buy", 2, "MNQ", "18000")
    desk.wait(timedelta(seconds=1))
    desk.fill("sell", 1, "MNQ", "17940")
    assert desk.state.no_new_risk

    desk.order("goal", "sell", 3, "MNQ")

    assert [(c.order_id, c.size) for c in desk.commands if isinstance(c, ResizeOrder)] == [("goal", 1)]


@attack(Answer.UNDONE)
async def test_take_the_stop_away() -> None:
    """Place a stop within the grace period and cancel it once nobody looks.

    → The grace period starts anew; when it has run out the position is closed.
    """
    day = """
      09:31:00  A1 fill buy 2 MNQ @ 18000.00
      09:31:09  A1 order s sell 2 MNQ stop @ 17950.00
      09:31:30  A1 order s cancelled
      09:31:39
      -> nothing
      09:31:41
      -> close A1 MNQ
    """
    await plays("NoStopLossGrace grace_period=10s", day)


@attack(Answer.UNDONE)
async def test_a_stop_that_protects_nothing() -> None:
    """Place the stop so far away that it will never be reached.

    → With `max_stop_risk` a stop that would lose more than that does not count as one.
    """
    day = """
      09:31:00  A1 fill buy 2 MNQ @ 18000.00
      09:31:01  A1 order s sell 2 MNQ stop @ 15000.00
      09:31:09
      -> nothing
      09:31:11
      -> close A1 MNQ ; cancel A1 s
    """
    await plays("NoStopLossGrace grace_period=10s max_stop_risk=250.00", day)


@attack(Answer.UNDONE)
async def test_a_stop_in_another_month() -> None:
    """Show a stop in another month of the product, or for a part of the position only.

    → A stop protects its own contract, and as many of it as it would sell.
    """
    day = """
      09:31:00  A1 fill buy 2 MNQH6 @ 18000.00
      09:31:01  A1 order other sell 2 MNQM6 stop @ 17950.00
      09:31:02  A1 order half sell 1 MNQH6 stop @ 17950.00
      09:31:11
      -> close A1 MNQH6 ; cancel A1 half
    """
    await plays("NoStopLossGrace grace_period=10s", day)


@attack(Answer.STOPPED)
def test_an_order_that_says_it_is_an_exit() -> None:
    """Name a parent that does not exist, or link two entries as if one cancelled the other.

    → What an order says of itself frees nothing: as far as it could open something it is an entry.
    """
    desk = Desk({"DailyRealizedLoss": {"limit": "-500.00"}})
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20700")
    desk.snapshot()
    desk.forget()

    for name, other in (("A", "B"), ("B", "A")):
        order = WorkingOrder(
            order_id=name,
            contract=contract("MNQ"),
            side=Side.SELL,
            type=OrderType.STOP,
            status=OrderStatus.WORKING,
            size=1,
            parent="nobody",
            linked=other,
            stop_price=Decimal(20000),
        )
        desk.publish(OrderReported(account="A1", order=order))

    assert sorted(c.order_id for c in desk.commands if isinstance(c, CancelOrder)) == ["A", "B"]

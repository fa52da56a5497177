"""Ways round a limit by the way one trades."""

from datetime import timedelta
from decimal import Decimal

from riskd.domain.commands import CancelOrder, ResizeOrder
from riskd.domain.events import OrderReported, Outcome
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from tests.attacks.catalogue import Answer, attack
from tests.attacks.scenes import plays
from tests.support.desk import Desk, contract

COOLDOWN = "CooldownAfterLoss loss_threshold=-100.00 cooldown_duration=15min"
LOSS = "DailyRealizedLoss limit=-500.00"


@attack(Answer.UNDONE)
async def test_flip() -> None:
    """Sell more than is held, so that closing opens the other side.

    → The part that closes is an exit; the part that opens is new risk and is closed at once.
    """
    day = """
      09:31     A1 fill buy 2 MNQ @ 18000.00
      09:32     A1 fill sell 1 MNQ @ 17940.00
      -> cooldown A1 until 09:47
      09:33     A1 fill sell 3 MNQ @ 17940.00
      -> close A1 MNQ 2 left 0 ; state A1 flat
    """
    await plays(COOLDOWN, day)


@attack(Answer.UNDONE)
async def test_many_small_orders() -> None:
    """Build the position from many orders of one contract each.

    → What counts is the whole position: the contract too many is closed, whichever order it came from.
    """
    day = """
      09:31:00.0  A1 fill buy 1 MNQ @ 18000.00 order=a
      09:31:00.1  A1 fill buy 1 MNQ @ 18000.00 order=b
      09:31:00.2  A1 fill buy 1 MNQ @ 18000.00 order=c
      -> nothing
      09:31:00.3  A1 fill buy 1 MNQ @ 18000.00 order=d
      -> close A1 MNQ 1 left 3
      09:31:00.4  A1 fill buy 1 MNQ @ 18000.00 order=e
      -> close A1 MNQ 1 left 3
    """
    await plays("MaxContracts max_contracts=3", day)


@attack(Answer.UNDONE)
async def test_spread_over_products() -> None:
    """Stay within the limit in each product and hold many products.

    → MaxContracts counts all of them together: the newest contracts are closed.
    """
    day = """
      09:31  A1 fill buy 2 MNQ @ 18000.00
      09:32  A1 fill buy 1 MES @ 5800.00
      -> nothing
      09:33  A1 fill sell 2 MGC @ 2400.0
      -> close A1 MGC 2 left 0 ; state A1 MNQ+2 MES+1
    """
    await plays("MaxContracts max_contracts=3", day)


@attack(Answer.UNDONE)
async def test_minis_split_into_micros() -> None:
    """Trade MNQ where NQ is limited.

    → Counted in minis, ten MNQ are one NQ: one MNQ more than five minis is closed.
    """
    day = """
      09:31  A1 fill buy 3 NQ @ 18000.00
      09:32  A1 fill buy 20 MNQ @ 18000.00
      -> nothing
      09:33  A1 fill buy 1 MNQ @ 18000.00
      -> close A1 MNQ 1 left 20
    """
    await plays("MaxContracts max_contracts=5 unit=minis", day)


@attack(Answer.UNDONE)
async def test_a_product_without_a_limit_of_its_own() -> None:
    """Trade a product that the list of limits does not name.

    → The default limit of MaxContractsPerInstrument is for every product that is not named.
    """
    day = """
      09:31  A1 fill buy 1 NQ @ 18000.00
      09:32  A1 fill buy 1 CL @ 75.00
      -> close A1 CL 1 left 0
    """
    await plays('MaxContractsPerInstrument limits={"NQ":1} default=0', day)


@attack(Answer.UNDONE)
async def test_far_months() -> None:
    """Spread the size over several expiries of one product.

    → Every expiry counts towards its product.
    """
    day = """
      09:31  A1 fill buy 2 MNQH6 @ 18000.00
      09:32  A1 fill buy 2 MNQM6 @ 18100.00
      -> close A1 MNQM6 1 left 1
      09:33  A1 fill buy 1 MNQZ7 @ 18500.00
      -> close A1 MNQZ7 1 left 0 ; state A1 MNQH6+2 MNQM6+1
    """
    await plays('MaxContractsPerInstrument limits={"MNQ":3}', day)


@attack(Answer.UNDONE)
async def test_blocked_product_in_an_expired_month() -> None:
    """Trade a blocked product in a month that is not the front one, or that has expired.

    → Products are blocked by their root, whatever the month.
    """
    day = """
      09:31  A1 fill buy 1 CLZ6 @ 75.00
      -> close A1 CLZ6 1 left 0
      09:32  A1 fill buy 1 CLG6 @ 75.00
      -> close A1 CLG6 1 left 0
      09:33  A1 order dip buy 1 CLH7 limit @ 70.00
      -> cancel A1 dip
    """
    await plays('SymbolBlock blocked_symbols=["CL"]', day)


@attack(Answer.UNDONE)
async def test_calendar_spread() -> None:
    """Call it hedged: long one month, short another.

    → Sizes are added without their signs: a spread of two and two is four contracts.
    """
    day = """
      09:31  A1 fill buy 2 MNQH6 @ 18000.00
      09:32  A1 fill sell 2 MNQM6 @ 18100.00
      -> close A1 MNQM6 1 left -1
    """
    await plays("MaxContracts max_contracts=3", day)


@attack(Answer.UNDONE)
async def test_hedge_with_another_product() -> None:
    """Freeze a loss just above the limit with an opposite position in the micro contract.

    → Profit and loss of all products are added: the day's limit is reached as it would be without the hedge.
    """
    day = """
      09:31     A1 fill buy 1 NQ @ 18000.00
      09:40     NQ 17980.00
      -> nothing ; state A1 net=-400.00
      09:40:05  A1 fill sell 9 MNQ @ 17980.00
      09:50     NQ 17880.00
      09:50     MNQ 17880.00
      -> lock A1 until 17:00 ; flatten A1
    """
    await plays(LOSS, day)


@attack(Answer.UNDONE)
async def test_loss_per_position_spread_over_its_group() -> None:
    """Split one idea into NQ and MNQ, so that neither position loses enough.

    → With `scope: "group"` NQ and MNQ are judged together, and both are closed.
    """
    day = """
      09:31  A1 fill buy 1 NQ @ 18000.00
      09:31  A1 fill buy 5 MNQ @ 18000.00
      09:40  MNQ 17990.00
      -> nothing
      09:41  NQ 17990.00
      -> close A1 NQ ; close A1 MNQ
    """
    await plays("UnrealizedLoss limit=-300.00 scope=group", day)


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
async def test_scale_out_and_in_again() -> None:
    """Sell most of the position in a cooldown and buy it back lower.

    → The allowance shrinks with every sale and never grows: what was bought back is closed.
    """
    day = """
      09:31  A1 fill buy 6 MNQ @ 18000.00
      09:32  A1 fill sell 1 MNQ @ 17940.00
      -> cooldown A1 until 09:47
      09:33  A1 fill sell 4 MNQ @ 17940.00
      -> nothing
      09:34  A1 fill buy 4 MNQ @ 17900.00
      -> close A1 MNQ 4 left 1
    """
    await plays(COOLDOWN, day)


@attack(Answer.STOPPED)
async def test_lose_in_slices() -> None:
    """Take a loss in many partial closes, each below the cooldown's threshold.

    → What counts is the position's whole loss since it was opened from flat.
    """
    day = """
      09:31  A1 fill buy 4 MNQ @ 18000.00
      09:32  A1 fill sell 1 MNQ @ 17980.00
      09:33  A1 fill sell 1 MNQ @ 17980.00
      -> nothing
      09:34  A1 fill sell 1 MNQ @ 17980.00
      -> cooldown A1 until 09:49
    """
    await plays(COOLDOWN, day)


@attack(Answer.UNDONE)
async def test_alternate_sides_to_make_one_trade() -> None:
    """Trade in and out within two seconds, hoping that it counts as one trade.

    → Only orders of one contract and one side are taken together; the trade too many is closed.
    """
    day = """
      09:31:00.0  A1 fill buy 1 MNQ @ 18000.00 order=a
      09:31:00.5  A1 fill sell 1 MNQ @ 18000.00 order=b
      09:31:01.0  A1 fill sell 1 MNQ @ 18000.00 order=c
      -> nothing
      09:31:01.5  A1 fill buy 1 MNQ @ 18000.00 order=d
      09:31:01.8  A1 fill buy 1 ES @ 5800.00 order=e
      -> close A1 ES 1 left 0
    """
    await plays("TradeFrequencyLimit max_trades=2 window=15min", day)


@attack(Answer.UNDONE)
async def test_add_instead_of_a_new_trade() -> None:
    """Use up the trades of the day, then keep adding to the open position.

    → Every opening order is a trade, the first one and the one that adds: what it opened is closed.
    """
    day = """
      09:31  A1 fill buy 1 MNQ @ 18000.00 order=a
      09:32  A1 fill buy 1 MNQ @ 18000.00 order=b
      -> nothing
      09:33  A1 fill buy 1 MNQ @ 18000.00 order=c
      -> close A1 MNQ 1 left 2
    """
    await plays("TradeFrequencyLimit max_trades=2 window=daily", day)


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


@attack(Answer.UNDONE)
async def test_hide_a_loss_behind_an_open_profit() -> None:
    """Take losses while an open winner keeps the day's balance above the limit.

    → With `basis: "worst"` what is realized counts by itself.
    """
    day = """
      09:31  A1 fill buy 1 ES @ 5800.00
      09:32  ES 5820.00
      09:33  A1 fill buy 1 NQ @ 18000.00
      09:34  A1 fill sell 1 NQ @ 17970.00
      -> lock A1 until 17:00 ; close A1 ES
    """
    await plays("DailyRealizedLoss limit=-500.00 basis=worst", day)


@attack(Answer.STOPPED)
async def test_have_the_losing_trade_voided() -> None:
    """Get the broker to take back the trade that reached the limit.

    → The day's figure changes; a lockout that stands is not lifted by it.
    """
    day = """
      09:31  A1 fill buy 1 NQ @ 18000.00
      09:32  A1 fill sell 1 NQ @ 17970.00 id=T9
      -> lock A1 until 17:00
      09:33  A1 void T9
      -> close A1 NQ ; state A1 flat locked
      16:59
      -> state A1 locked
    """
    await plays(LOSS, day)


@attack(Answer.STOPPED)
async def test_release_oneself() -> None:
    """Ask riskd to release the account with `riskd-admin release`.

    → Only the end of an account's drawdown can be released: on a later day, when flat, and with no other lockout.
    """
    daily = """
      09:31  A1 fill buy 1 NQ @ 18000.00
      09:32  A1 fill sell 1 NQ @ 17970.00
      -> lock A1 until 17:00
      09:33  A1 release
      -> state A1 locked
      17:00
      -> unlock A1
    """
    await plays(LOSS, daily)
    drawdown = """
      09:31     A1 fill buy 1 NQ @ 18000.00
      09:32     A1 fill sell 1 NQ @ 17900.00
      -> lock A1 until admin
      09:33     A1 release
      -> state A1 locked
      17:00:05
      -> state A1 locked
      17:00:06  A1 release
      -> unlock A1 ; state A1 free
    """
    rule = "AccountDrawdown kind=static start_balance=50000.00 drawdown=2000.00"
    await plays(rule, drawdown, head="A1 balance 50000.00")


@attack(Answer.UNDONE)
async def test_keep_coming_back() -> None:
    """Enter again and again under the lockout, by every side and product, until riskd gives up.

    → Flattened each time; from the third time on a person is told.
    """
    day = """
      09:31  A1 fill buy 2 MNQ @ 18000.00
      09:40  MNQ 17875.00
      -> lock A1 until 17:00 ; close A1 MNQ
      09:45  A1 fill buy 1 MNQ @ 17880.00
      -> close A1 MNQ ; state A1 flat locked
      09:46  A1 fill sell 2 MNQ @ 17880.00
      -> close A1 MNQ ; state A1 flat locked
      09:47  A1 fill sell 1 ES @ 5800.00
      -> close A1 ES ; alert third
      09:48  A1 fill buy 5 MGC @ 2400.0
      -> close A1 MGC ; state A1 flat locked
    """
    await plays(LOSS, day)


@attack(Answer.UNDONE)
def test_feed_the_close() -> None:
    """Buy more while riskd's close is on its way, so that something is left.

    → What the first close has left is closed again, once that close has come to its end.
    """
    desk = Desk({"DailyRealizedLoss": {"limit": "-500.00"}})
    desk.fill("buy", 2, "MNQ", "21000")
    desk.quote("MNQ", "20870")
    assert desk.closes == [(contract("MNQ"), None)]
    desk.fill("buy", 3, "MNQ", "20870")
    assert len(desk.closes) == 1

    desk.outcome(Outcome.ACCEPTED)
    desk.order("C1", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.PENDING)
    desk.fill("sell", 2, "MNQ", "20870", order_id="C1")
    desk.order("C1", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=2)

    assert desk.closes[1:] == [(contract("MNQ"), None)]


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

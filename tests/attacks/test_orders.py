"""Ways round a limit by the way one trades."""

from riskd.domain.events import Outcome
from riskd.domain.orders import OrderStatus, OrderType
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

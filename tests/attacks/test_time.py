"""Ways round a limit by the clock and the calendar."""

from tests.attacks.catalogue import Answer, attack
from tests.attacks.scenes import plays

LOSS = "DailyRealizedLoss limit=-500.00"
RTH = (
    'SessionBlockOutside allowed_days=["Monday","Tuesday","Wednesday","Thursday","Friday"] '
    'allowed_times=[{"start":"08:30","end":"15:00"}]'
)
LOCKED = """
      09:31  A1 fill buy 2 MNQ @ 18000.00
      09:40  MNQ 17875.00
      -> lock A1 until 17:00 ; close A1 MNQ
"""


@attack(Answer.STOPPED)
async def test_set_the_clock_forward() -> None:
    """Set the machine's clock forward to 17:00 under a lockout.

    → riskd's time follows the broker's clock and runs on by itself: the lockout ends when it was to end.
    """
    day = """
      14:00  clock +3h
      14:01  A1 fill buy 1 MNQ @ 17880.00
      -> close A1 MNQ ; state A1 flat locked
      16:59:59
      -> state A1 locked
      17:00
      -> unlock A1
    """
    await plays(LOSS, LOCKED + day)


@attack(Answer.STOPPED)
async def test_set_the_clock_and_restart() -> None:
    """Set the clock forward and start riskd anew, so that it takes the new time for true.

    → With a history riskd goes on from its last entry and the broker's clock; the machine's is not asked.
    """
    day = """
      14:00  clock +3h
      14:00  crash
      14:01  A1 fill buy 1 MNQ @ 17880.00
      -> close A1 MNQ ; state A1 flat locked
      14:02  clock -6h
      14:02  crash
      16:59:59
      -> state A1 locked
      17:00
      -> unlock A1
    """
    await plays(LOSS, LOCKED + day)


@attack(Answer.UNDONE)
async def test_enter_just_before_the_reset() -> None:
    """Buy under the lockout half a second before 17:00, to be free with a position at 17:00.

    → It is closed, and the account comes free only when it is confirmed flat.
    """
    day = """
      09:31         A1 fill buy 1 NQ @ 18000.00
      09:32         A1 fill sell 1 NQ @ 17970.00
      -> lock A1 until 17:00
      16:59:59.500  A1 fill buy 1 MNQ @ 17880.00
      -> close A1 MNQ 1 left 0
      17:00:00.500
      -> state A1 MNQ+1 locked
      17:00:00.600  A1 outcome close accepted
      17:00:00.700  A1 fill sell 1 MNQ @ 17880.00
      17:00:05
      -> state A1 flat free
    """
    await plays(LOSS, day, head="broker manual")


@attack(Answer.STOPPED)
async def test_rest_an_order_over_the_reset() -> None:
    """Rest an order under the lockout to be filled after 17:00.

    → It is cancelled as soon as it appears; nothing of a lockout's day is carried into the next one.
    """
    day = """
      16:59:59  A1 order dip buy 2 MNQ limit @ 17800.00
      -> cancel A1 dip
      17:00
      -> unlock A1 ; state A1 flat free
    """
    await plays(LOSS, LOCKED + day)


@attack(Answer.UNDONE)
async def test_run_into_the_closing_bell() -> None:
    """Reach the limit seconds before the market closes, so that nothing can be closed before 17:00.

    → The account stays locked beyond 17:00 until it is flat, and is closed at the open.
    """
    day = """
      15:59:50      A1 fill buy 2 MNQ @ 18000.00
      15:59:59.900  MNQ 17875.00
      -> lock A1 until 17:00 ; close A1 MNQ
      16:00         A1 outcome close rejected market_closed
      17:00:00.100
      -> close A1 MNQ 2 left 0 ; state A1 MNQ+2 locked
      17:00:00.200  A1 outcome close accepted
      17:00:00.300  A1 fill sell 2 MNQ @ 17875.00
      17:00:05
      -> unlock A1 ; state A1 flat free
    """
    await plays(LOSS, day, head="broker manual")


@attack(Answer.STOPPED)
async def test_wait_for_midnight() -> None:
    """Wait for midnight, when other platforms count a new day.

    → A trading day runs from 17:00 to 17:00 Chicago time: what is lost on Sunday evening counts on Monday.
    """
    day = """
      2026-03-15 18:00  A1 fill buy 1 NQ @ 18000.00
      2026-03-15 18:10  A1 fill sell 1 NQ @ 17970.00
      -> lock A1 until 2026-03-16 17:00
      2026-03-16 00:00:01
      -> state A1 locked
      2026-03-16 00:01  A1 fill buy 1 MNQ @ 17970.00
      -> close A1 MNQ ; state A1 flat locked
      2026-03-16 17:00
      -> unlock A1
    """
    await plays(LOSS, day, date="2026-03-15")


@attack(Answer.STOPPED)
async def test_wait_for_the_weekend() -> None:
    """Reach the limit after Friday's 17:00 and hope that the weekend ends the lockout.

    → There is no reset on Saturday or Sunday: all from Friday 17:00 on is Monday's.
    """
    day = """
      2026-03-13 17:00:10  A1 fill buy 1 NQ @ 18000.00
      2026-03-13 17:00:20  A1 fill sell 1 NQ @ 17970.00
      -> lock A1 until 2026-03-16 17:00
      2026-03-15 17:00:01
      -> state A1 locked
      2026-03-15 17:05     A1 fill buy 1 MNQ @ 17970.00
      -> close A1 MNQ ; state A1 flat locked
    """
    await plays(LOSS, day, date="2026-03-13")


@attack(Answer.STOPPED)
async def test_the_hour_that_summer_time_takes() -> None:
    """Use the day on which the clocks change to come free an hour early, or to trade before the session.

    → Chicago's wall clock rules: 17:00 and 08:30 are what they say, on the day of the change as well.
    """
    lockout = """
      2026-03-06 15:00  A1 fill buy 1 NQ @ 18000.00
      2026-03-08 17:10  A1 fill sell 1 NQ @ 17970.00
      -> lock A1 until 2026-03-09 17:00
      2026-03-09 16:59:59
      -> state A1 locked
      2026-03-09 17:00
      -> unlock A1
    """
    await plays(LOSS, lockout, date="2026-03-06")
    early = """
      2026-03-09 08:29:59  A1 fill buy 1 MNQ @ 18000.00
      -> close A1 MNQ
      2026-03-09 08:30:00  A1 fill buy 1 MNQ @ 18000.00
      -> nothing ; state A1 MNQ+1
    """
    await plays(RTH, early, date="2026-03-09")


@attack(Answer.UNDONE)
async def test_hold_through_the_end_of_the_session() -> None:
    """Stay in the position, or leave an entry resting, when the session ends.

    → Closed and cancelled at the end of the session; at an early close of the exchange before that.
    """
    day = """
      14:50  A1 fill buy 1 MNQ @ 18000.00
      14:55  A1 order dip buy 1 MNQ limit @ 17900.00
      14:59:59
      -> nothing
      15:00
      -> close A1 MNQ ; cancel A1 dip
    """
    await plays(RTH, day)
    half_day = """
      2026-11-27 12:00  A1 fill buy 1 MNQ @ 18000.00
      -> nothing
      2026-11-27 12:15
      -> close A1 MNQ
    """
    await plays(RTH, half_day, date="2026-11-27")


@attack(Answer.STOPPED)
async def test_sit_out_the_cooldown_by_a_restart() -> None:
    """Start riskd anew in a cooldown, or after the trades of the window are used up.

    → Cooldowns and counts are part of what is written down: they go on where they stood.
    """
    cooldown = """
      09:31  A1 fill buy 2 MNQ @ 18000.00
      09:32  A1 fill sell 2 MNQ @ 17960.00
      -> cooldown A1 until 09:47
      09:33  crash
      09:40  A1 fill buy 1 MNQ @ 17960.00
      -> close A1 MNQ ; state A1 flat
      09:47  A1 fill buy 1 MNQ @ 17960.00
      -> nothing ; state A1 MNQ+1
    """
    await plays("CooldownAfterLoss loss_threshold=-100.00 cooldown_duration=15min", cooldown)
    count = """
      09:31  A1 fill buy 1 MNQ @ 18000.00
      09:32  A1 fill sell 1 MNQ @ 18000.00
      09:33  crash
      09:34  A1 fill buy 1 MNQ @ 18000.00
      -> close A1 MNQ
      09:46:01  A1 fill buy 1 MNQ @ 18000.00
      -> nothing ; state A1 MNQ+1
    """
    await plays("TradeFrequencyLimit max_trades=1 window=15min", count)


@attack(Answer.STOPPED)
async def test_a_change_at_a_minute_to_five() -> None:
    """Raise the limit at 16:59, so that it applies from 17:00.

    → A looser limit waits for a 17:00 that is at least twelve hours away.
    """
    day = """
      16:59             config A1 MaxContracts max_contracts=10
      -> pending A1 MaxContracts
      17:00:01          A1 fill buy 3 MNQ @ 18000.00
      -> close A1 MNQ 1 left 2
      2026-03-11 17:00:01  A1 fill buy 1 MNQ @ 18000.00
      -> nothing ; state A1 MNQ+3
    """
    await plays("MaxContracts max_contracts=2", day)

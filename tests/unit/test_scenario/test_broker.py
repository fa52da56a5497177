"""The broker that a scenario plays on the bare core, tried through scenarios themselves."""

from riskd.app.scenario.on_core import run_on_core
from riskd.app.scenario.parser import parse

HEAD = 'scenario "s"\n  date 2026-03-10\n'
SIZE_2 = "  rules A1  MaxContracts max_contracts=2\n"
LOSS = "  rules A1  DailyRealizedLoss limit=-500.00\n"


async def wrong(lines: str, head: str = HEAD + SIZE_2) -> list[tuple[int, str, str]]:
    """Run a scenario; return line, expected and actual of what did not hold."""
    (scenario,) = parse("s.scenario", head + lines)
    result = await run_on_core(scenario)
    return [(failure.line, failure.expected, failure.actual) for failure in result.failures]


async def test_a_brackets_children_sleep_until_the_entry_fills() -> None:
    """A child counts for nothing while its parent works, and protects from the moment the parent has filled."""
    lines = """
  09:31  A1 order entry buy 2 MNQ limit @ 17990.00
  09:31  A1 order stop sell 2 MNQ stop @ 17900.00 parent=entry oco=target
  09:31  A1 order target sell 2 MNQ limit @ 18100.00 parent=entry oco=stop
  -> nothing
  09:32  A1 order entry filled @ 17990.00
  -> nothing ; state A1 MNQ+2
  09:33  A1 order stop filled 1 @ 17900.00
  -> state A1 MNQ+1 realized=-180.00
"""
    assert await wrong(lines) == []


async def test_a_cancelled_entry_takes_its_sleeping_children_along() -> None:
    """Children of an entry that never fills are gone with it."""
    lines = """
  09:31  A1 order entry buy 2 MNQ limit @ 17990.00
  09:31  A1 order stop sell 2 MNQ stop @ 17900.00 parent=entry
  09:32  A1 order entry cancelled
  09:33  A1 order stop cancelled
"""
    assert await wrong(lines) == [(8, "stop to be working", "no order is working")]


async def test_a_stop_is_cut_to_what_a_trim_leaves() -> None:
    """A smaller stop is asked for where one order protects more than is left."""
    lines = """
  09:31     A1 fill buy 3 MNQ @ 18000.00 id=T1
  09:31:05  A1 order stop sell 2 MNQ stop @ 17900.00
  -> close A1 MNQ 1 left 2 ; state A1 MNQ+2
  09:32     config A1 MaxContracts max_contracts=1
  -> close A1 MNQ 1 left 1
  # Only one contract of the stop is left to fill.
  09:33     A1 order stop filled @ 17900.00
  -> nothing ; state A1 flat
"""
    assert await wrong(lines) == []


async def test_while_disconnected_nothing_is_sent_and_nothing_heard() -> None:
    """What is wanted in the meantime is tried and cannot be sent; it is done when the connection is back."""
    lines = """
  14:59     A1 fill buy 1 ES @ 5800.00
  14:59:30  disconnect
  15:00
  -> close A1 ES ; close A1 ES ; state A1 ES+1
  15:00:20  reconnect
  15:00:31
  -> state A1 flat
"""
    session = (
        '  rules A1  SessionBlockOutside allowed_days=["Tuesday"] allowed_times=[{"start":"08:30","end":"15:00"}]\n'
    )
    ((line, expected, actual),) = await wrong(lines, HEAD + session)
    assert (line, expected) == (11, "nothing")
    assert actual.count("close A1 ESH6 1 left 0") > 2


async def test_a_price_that_goes_silent_is_told() -> None:
    """People hear that a held contract has no prices any more, and nothing is closed for it."""
    lines = """
  09:31  A1 fill buy 1 MNQ @ 18000.00
  09:32  MNQ 18000.25
  09:33  MNQ silent
  -> nothing ; alert no price of MNQ
"""
    assert await wrong(lines) == []


async def test_what_does_not_fit_what_went_before_is_told() -> None:
    """A line about something that is not there says what was expected to be there."""
    fill = "  09:31  A1 fill buy 1 MNQ @ 18000.00 id=T1\n"
    for line, expected in (
        ("09:32  A1 fill buy 1 MNQ @ 18000.00 id=T1", "a new id for this fill (or 'fill T1 again')"),
        ("09:32  A1 fill T7 again", "an earlier fill with the id T7"),
        ("09:32  A1 void T7", "an earlier fill with the id T7"),
        ("09:32  A1 outcome close accepted", "'broker manual' before an outcome"),
        ("09:32  A1 order o1 filled @ 18000.00", "o1 to be working"),
        ("09:32  A1 check buy 1 ES", "a price of CON.F.US.EP.H26 before this"),
        ("09:32  config A1 MaxContracts max_contract=1", "a change that can be used"),
    ):
        assert [found[1] for found in await wrong(fill + f"  {line}\n")] == [expected]


async def test_an_order_cannot_fill_more_than_it_has() -> None:
    """More contracts than are left of an order cannot fill."""
    lines = "  09:31  A1 order o1 buy 1 MNQ limit @ 5.00\n  09:32  A1 order o1 filled 2 @ 5.00\n"
    assert await wrong(lines) == [(5, "at most 1 left to fill of o1", "2")]


async def test_an_answer_may_name_what_it_is_about() -> None:
    """Of several open commands, an outcome line can pick one by its symbol or order."""
    lines = """
  09:31         A1 fill buy 1 MNQ @ 18000.00
  09:31         A1 order dip buy 1 ES limit @ 5700.00
  09:31         A1 fill buy 1 ES @ 5800.00
  09:40         ES 5789.00
  -> lock A1 until 17:00 ; flatten A1 ; cancel A1 dip
  09:40:00.100  A1 outcome close ES accepted
  09:40:00.200  A1 outcome cancel dip accepted
  09:40:00.200  A1 order dip cancelled
  09:40:00.300  A1 outcome close MNQ unavailable
  -> close A1 MNQ 1 left 0
"""
    assert await wrong(lines, HEAD + "  broker manual\n" + LOSS) == []


async def test_fills_move_the_balance() -> None:
    """Where the scenario gives a balance, fills and their costs move it, and a voided trade moves it back."""
    lines = """
  A1 balance 50000
  09:31  A1 fill buy 1 ES @ 5800.00 id=T1
  09:32  A1 fill sell 1 ES @ 5761.00 id=T2
  -> nothing ; state A1 headroom=47.20
  09:33  A1 void T1
  09:33  A1 void T2
  09:34
  -> state A1 headroom=2000.00
"""
    drawdown = '  fees ES 1.40\n  rules A1  AccountDrawdown kind="static" start_balance=50000.00 drawdown=2000.00\n'
    assert await wrong(lines, HEAD + drawdown) == []


async def test_fills_are_folded_by_the_brokers_stamps() -> None:
    """A purchase that is reported after a later one was made before it: its price is what the sale goes against."""
    lines = """
  09:31     A1 fill buy 1 MNQ @ 18010.00 at=09:30:59.6
  09:31:01  A1 fill buy 1 MNQ @ 18000.00 at=09:30:59.5
  09:31:02  A1 fill sell 1 MNQ @ 18020.00
  -> nothing ; state A1 MNQ+1 realized=40.00
"""
    assert await wrong(lines) == []


async def test_a_fill_of_a_working_order_keeps_what_the_line_says_of_it() -> None:
    """Its id, fee and P&L are those that were written."""
    lines = """
  09:31  A1 order entry buy 1 MNQ limit @ 17990.00
  09:32  A1 fill buy 1 MNQ @ 17990.00 order=entry id=T7 fee=1.50
  09:33  A1 fill sell 1 MNQ @ 17990.00 pnl=3 fee=0
  09:34  A1 fill T7 again
  -> nothing ; state A1 flat realized=1.50
"""
    assert await wrong(lines) == []


async def test_anything_draws_a_line_under_what_was_done() -> None:
    """What was done before it need not be listed; beside it, what is listed must have been done."""
    lines = """
  09:31  A1 fill buy 4 MNQ @ 18000.00
  -> anything
  09:32  A1 fill buy 1 ES @ 5800.00
  -> anything ; close A1 ES ; close A1 MNQ
"""
    assert [line for line, _, _ in await wrong(lines)] == [8]

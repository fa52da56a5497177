"""Whatever stands in a scenario file, it is read or it is refused with a line and a reason."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.app.scenario.on_core import run_on_core
from riskd.app.scenario.parser import UnreadableScenario, parse

VOCABULARY = """
scenario "x" broker manual date 2026-03-10 rules A1 A2 MaxContracts max_contracts=1 ; file default.json fees none
MNQ ES 0.61 set pnl.price_source=bid_ask 09:31 09:31:05.5 next day 2026-03-11 17:00 fill buy sell 2 1 @ 18000.00
order O7 stop limit trailing parent=O7 oco=O8 filled cancelled rejected outcome close cancel accepted unknown
unavailable again void T1 id=T1 fee=1 pnl=-1 holds long mark balance 50000 cantrade no release check market
closed open crash disconnect reconnect clock +3h config silent last bid ask -> nothing lock until admin unlock
cooldown left flatten alert violation current=5 limit=4 state flat locked free realized=0 pending # " -1 NaN é
"""
WORDS = VOCABULARY.split()
LINES = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=12).map("\n".join)
HEAD = 'scenario "x"\ndate 2026-03-10\nrules A1 MaxContracts max_contracts=1 ; DailyRealizedLoss limit=-500.00\n'


@pytest.mark.slow
@given(st.one_of(st.text(max_size=200), LINES))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but the refusal that names its lines."""
    with suppress(UnreadableScenario):
        parse("x", text)


FACTS = st.sampled_from(
    (
        "A1 fill buy 2 MNQ @ 18000.00",
        "A1 fill sell 3 MNQ @ 17990.25",
        "A1 fill buy 1 ES @ 5800.00 id=T9",
        "A1 fill T9 again",
        "A1 void T9",
        "A1 order O7 sell 2 MNQ stop @ 17800.00",
        "A1 order O8 buy 1 ES limit @ 5700.00 parent=O7 oco=O7",
        "A1 order O7 filled 1 @ 17800.00",
        "A1 order O7 cancelled",
        "MNQ 17875.00",
        "MNQ bid 17800.00",
        "ES last 5790.00",
        "MNQ silent",
        "market MNQ closed",
        "market MNQ open",
        "A1 balance 50000",
        "A1 cantrade no",
        "A1 cantrade yes",
        "A1 release",
        "A1 check buy 2 MNQ",
        "crash",
        "disconnect",
        "reconnect",
        "clock -3h",
        "config A1 MaxContracts max_contracts=3",
        "config A1 DailyRealizedLoss limit=-300.00",
        "",
    )
)
TIMES = st.sampled_from(("", "next day "))


def test_a_price_that_moved_nobody_may_be_lost_in_a_crash() -> None:
    """It stands in no line of the journal; what is opened later has its price anew."""
    lines = "09:00 MNQ 17875.00\n09:01 crash\n09:02 A1 fill buy 1 MNQ @ 17880.00\n09:03 crash\n"
    (scenario,) = parse("x", HEAD + lines)

    assert not asyncio.run(run_on_core(scenario)).failures


@pytest.mark.slow
@given(st.lists(st.tuples(TIMES, FACTS), min_size=1, max_size=10))
@settings(max_examples=40, deadline=None)
def test_any_day_runs_to_its_end(day: list[tuple[str, str]]) -> None:
    """Facts in any order run to the end, or to the line that cannot happen; a crash comes back to where it was."""
    lines = "\n".join(
        f"{when}{9 + number // 2:02}:{30 * (number % 2):02} {fact}" for number, (when, fact) in enumerate(day)
    )
    (scenario,) = parse("x", HEAD + lines + "\n")
    for failure in asyncio.run(run_on_core(scenario)).failures:
        assert "lead" not in failure.expected
        assert "without end" not in failure.actual

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from riskd.app.scenario.language import (
    Alerts,
    BalanceIs,
    BrokerAnswers,
    CarriedIn,
    ClockJumps,
    Closes,
    ConfigChanges,
    Fact,
    FillHappens,
    FillRepeats,
    Happening,
    Judgement,
    Locks,
    OrderAppears,
    OrderEnds,
    OrderFills,
    PriceMoves,
    RuleLine,
    Scenario,
    StateIs,
    Until,
    WhatIf,
)
from riskd.app.scenario.parser import UnreadableScenario, parse
from riskd.domain.events import Outcome
from riskd.domain.orders import OrderStatus, OrderType, Side

HEAD = 'scenario "a day"\n  date 2026-03-10\n  rules A1  MaxContracts max_contracts=4\n'


def one(lines: str, head: str = HEAD) -> Scenario:
    """Read one scenario."""
    (scenario,) = parse("day.scenario", head + lines)
    return scenario


def fact(line: str) -> Fact | None:
    """Return the fact of one line."""
    step = one(line).steps[0]
    assert isinstance(step, Happening)
    return step.fact


def expected(line: str) -> list[object]:
    """Return the expectations of one line that follows 09:31."""
    step = one(f"09:31\n{line}").steps[1]
    assert isinstance(step, Judgement)
    return [each.what for each in step.expected]


def why(lines: str, head: str = HEAD) -> list[str]:
    """Return what is wrong with lines, as file:line: reason."""
    with pytest.raises(UnreadableScenario) as refused:
        parse("day.scenario", head + lines)
    return [str(bad) for bad in refused.value.bad]


def test_a_head_says_what_stands_before_the_day() -> None:
    """Date, broker, fees, settings and each account's rules are read, comments and blank lines are not."""
    scenario = one(
        "09:31  # nothing but a time\n",
        'scenario "the whole head"  # its name\n\n# a comment\n  broker manual\n  date 2026-03-10\n'
        "  fees MNQ 0.61 ES 1.40\n  set pnl.price_source=bid_ask\n"
        "  rules A1  DailyRealizedLoss limit=-500.00 ; MaxContracts max_contracts=4\n"
        '  rules A2  file "other.json"\n',
    )
    assert (scenario.name, scenario.line, scenario.manual, scenario.date) == (
        "the whole head",
        1,
        True,
        date(2026, 3, 10),
    )
    assert scenario.fees == {"MNQ": Decimal("0.61"), "ES": Decimal("1.40")}
    assert scenario.settings == {"pnl.price_source": "bid_ask"}
    assert scenario.rules == {
        "A1": (
            RuleLine("DailyRealizedLoss", {"limit": "-500.00"}, 8),
            RuleLine("MaxContracts", {"max_contracts": "4"}, 8),
        ),
        "A2": "other.json",
    }


def test_several_scenarios_stand_in_one_file() -> None:
    """Each begins with its own line, and knows where."""
    found = parse("day.scenario", HEAD + "09:31\n" + HEAD + "09:32\n")
    assert [scenario.line for scenario in found] == [1, 5]


def test_times_are_chicago_wall_time() -> None:
    """A time is a Chicago wall time on the scenario's date, with seconds and fractions where they are given."""
    times = [
        step.at
        for step in one("09:31\n09:31:05.250\nnext day 09:31\n2026-03-15 17:00\n").steps
        if isinstance(step, Happening)
    ]
    assert times == [
        datetime(2026, 3, 10, 14, 31, tzinfo=UTC),
        datetime(2026, 3, 10, 14, 31, 5, 250_000, tzinfo=UTC),
        datetime(2026, 3, 11, 14, 31, tzinfo=UTC),
        datetime(2026, 3, 15, 22, 0, tzinfo=UTC),
    ]


def test_the_hour_that_comes_twice_is_read_in_order() -> None:
    """On the autumn night a line that would go back in the first 01:30 means the second."""
    head = HEAD.replace("2026-03-10", "2026-11-01")
    steps = one("01:30\n01:50\n01:40\n", head).steps
    assert [step.at.hour for step in steps if isinstance(step, Happening)] == [6, 6, 7]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (
            "09:31 A1 fill buy 2 MNQ @ 18000.00 order=O7 id=T1 fee=1.22 pnl=-3",
            FillHappens(
                account="A1", side=Side.BUY, quantity=2, symbol="MNQ", price=Decimal("18000.00"),
                order="O7", trade="T1", fee=Decimal("1.22"), pnl=Decimal(-3),
            ),
        ),
        (
            "09:31 A1 fill sell 1 ES @ 5800 at=09:30:59.8",
            FillHappens(
                account="A1", side=Side.SELL, quantity=1, symbol="ES", price=Decimal(5800),
                stamped=time(9, 30, 59, 800_000),
            ),
        ),
        ("09:31 A1 fill T1 again", FillRepeats("A1", "T1")),
        (
            "09:31 A1 order O7 sell 2 MNQH6 stop @ 17800 parent=O6 oco=O8",
            OrderAppears(
                account="A1", order="O7", side=Side.SELL, quantity=2, symbol="MNQH6", type=OrderType.STOP,
                price=Decimal(17800), parent="O6", oco="O8",
            ),
        ),
        (
            "09:31 A1 order O7 sell 1 CL trailing",
            OrderAppears(
                account="A1", order="O7", side=Side.SELL, quantity=1, symbol="CL", type=OrderType.TRAILING_STOP
            ),
        ),
        ("09:31 A1 order O7 filled 1 @ 5", OrderFills(account="A1", order="O7", quantity=1, price=Decimal(5))),
        (
            "09:31 A1 order O7 filled @ -37.63",
            OrderFills(account="A1", order="O7", quantity=None, price=Decimal("-37.63")),
        ),
        ("09:31 A1 order O7 cancelled", OrderEnds("A1", "O7", OrderStatus.CANCELLED)),
        (
            "09:31 A1 outcome close rejected market_closed",
            BrokerAnswers(account="A1", kind="close", about=None, outcome=Outcome.REJECTED, code="market_closed"),
        ),
        (
            "09:31 A1 outcome cancel O7 unknown",
            BrokerAnswers(account="A1", kind="cancel", about="O7", outcome=Outcome.UNKNOWN),
        ),
        ("09:31 A1 balance 50000", BalanceIs("A1", Decimal(50000))),
        ("09:31 A1 check sell 3 GC", WhatIf("A1", Side.SELL, 3, "GC")),
        ("09:31 MNQ 5", PriceMoves("MNQ", Decimal(5), Decimal(5), Decimal(5))),
        ("09:31 MNQ bid 4 ask 6", PriceMoves("MNQ", None, Decimal(4), Decimal(6))),
        ("09:31 clock -1h30min", ClockJumps(-timedelta(hours=1, minutes=30))),
        (
            "09:31 config A1 MaxContracts max_contracts=2",
            ConfigChanges("A1", RuleLine("MaxContracts", {"max_contracts": "2"})),
        ),
        (
            "A1 holds short 2 MNQ @ 18000 mark 18010\n09:31",
            CarriedIn(account="A1", quantity=-2, symbol="MNQ", price=Decimal(18000), mark=Decimal(18010)),
        ),
    ],
)  # fmt: skip
def test_a_fact_is_read(line: str, read: Fact) -> None:
    """Every kind of fact has its line."""
    assert fact(line) == read


def test_expectations_are_read() -> None:
    """What must hold is read in the words of the language, several to a line."""
    at = datetime(2026, 3, 10, 22, 0, tzinfo=UTC)
    assert expected("-> lock A1 until 17:00 ; close A1 MNQ 2 left -1 ; alert closed 1 ES") == [
        Locks("A1", Until("17:00", (at, at))),
        Closes("A1", "MNQ", 2, -1),
        Alerts("closed 1 ES"),
    ]
    assert expected("-> state A1 MNQ+2 ESH6-1 locked net=-5") == [
        StateIs(account="A1", positions={"MNQ": 2, "ESH6": -1}, locked=True, money={"net": Decimal(-5)})
    ]
    assert expected("-> state A1 flat free") == [StateIs(account="A1", positions={}, locked=False, money={})]
    assert expected("-> lock A1 until admin") == [Locks("A1", Until("admin", ()))]


def test_until_on_a_friday_evening_means_monday() -> None:
    """After Friday 17:00 the next reset is on Monday, and nobody would write the date."""
    steps = one("18:00\n-> lock A1 until 17:00\n", HEAD.replace("2026-03-10", "2026-03-13")).steps
    assert isinstance(steps[1], Judgement)
    what = steps[1].expected[0].what
    assert isinstance(what, Locks)
    assert datetime(2026, 3, 16, 22, 0, tzinfo=UTC) in what.until.moments


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("09:31 A1 fil buy 2 MNQ @ 3", "expected an account and one of fill, order, outcome"),
        ("09:31 A1 fill buy 2 MNQ", "expected @ and a price"),
        ("09:31 A1 fill buy 2 MNQ @", "expected a price such as 18000.25"),
        ("09:31 A1 fill buy 2.5 MNQ @ 3", "expected a number of contracts such as 2, found '2.5 MNQ @ 3'"),
        ("09:31 A1 fill buy 0 MNQ @ 3", "expected a number of contracts such as 2"),
        ("09:31 A1 fill buy 2 SPY @ 3", "expected a symbol such as MNQ or MNQH6, found 'SPY @ 3'"),
        ("09:31 A1 fill buy 2 MNQ @ 3 size=4", "expected order= or id= or fee= or pnl= or at=, found 'size=4'"),
        ("09:31 A1 fill buy 2 MNQ @ 3 now", "expected the end of the line, found 'now'"),
        ("09:31 A9 fill buy 2 MNQ @ 3", "expected an account that has a rules line, found 'A9'"),
        ("09:31 config A9 MaxContracts max_contracts=4", "expected an account that has a rules line, found 'A9'"),
        ("09:31\n-> state A9 flat", "expected an account that has a rules line, found 'A9'"),
        ("09:31 A1 order O7 buy 2 MNQ @ 3", "expected limit or stop or trailing, found '@ 3'"),
        ("09:31 A1 outcome close rejected", "expected the broker's code"),
        ("09:31 A1 outcome close maybe", "expected accepted or rejected or unavailable or unknown"),
        ("09:31 MNQ lst 4", "expected an account and one of fill"),
        ("09:31 clock 3h", "expected a duration with its sign such as +3h"),
        ("09:31 clock +3", '"3" has no unit'),
        ("25:00", "expected a time between 00:00 and 23:59:59"),
        ("2026-02-30 09:00", "expected a possible date"),
        ("09:31\n09:30", "expected a time at or after the line above (2026-03-10 09:31:00)"),
        ("-> nothing", "expected a line with a time before the first ->"),
        ("09:31\n-> lok A1", "expected one of nothing, anything, unlock, close"),
        ("09:31\n-> lock A1 17:00", "expected until, found '17:00'"),
        ("09:31\n-> close A1 MNQ left", "expected a signed number of contracts such as 2, -1 or 0"),
        ("09:31\n-> state A1 flat realised=3", "expected realized= or unrealized= or net= or headroom="),
        ("09:31\n->", "expected one of nothing"),
        ("09:31\ndate 2026-03-11", "expected date before the first line with a time"),
        ("broker honest\n09:31", "expected manual, found 'honest'"),
        ("hello\n09:31", "expected a time such as 09:31, -> and what must hold, or one of broker"),
        ('09:31\n-> alert "no end', "expected a closing quotation mark"),
        ("rules A1 file x.json\n09:31", "expected one file or a list of rules for A1, found both"),
        ("", "expected a line with a time in this scenario"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_was_expected(line: str, said: str) -> None:
    """The error names file and line, and what would have been right there."""
    (bad,) = why(line)
    assert bad.startswith("day.scenario:")
    assert said in bad


def test_a_time_that_daylight_saving_skips_does_not_exist() -> None:
    """02:30 on the spring night is no time at all."""
    (bad,) = why("02:30", HEAD.replace("2026-03-10", "2026-03-08"))
    assert bad == "day.scenario:4: expected a time that exists; daylight saving skips 02:30:00 on 2026-03-08"


def test_every_bad_line_is_reported() -> None:
    """One reading finds all mistakes, in the order of the file."""
    bad = why("09:31 A1 fil\n09:32 MNQ five\n-> lok\n")
    assert [line.split(":")[1] for line in bad] == ["4", "5", "6"]


def test_what_is_no_scenario_at_all_is_said_once() -> None:
    """A text of another kind gets one sentence, not one for each of its lines."""
    assert why("It was a dark\nand stormy night\n", "") == [
        "day.scenario:1: expected scenario \"its name\" before anything else, found 'It was a dark'"
    ]
    assert why("", "") == ['day.scenario:1: expected a line that begins a scenario: scenario "its name"']


def test_accounts_need_no_rules_line_where_there_are_default_rules() -> None:
    """With a rules file for all, an account is known as soon as it is named."""
    (scenario,) = parse("x", 'scenario "s"\ndate 2026-03-10\n09:31 B7 balance 1\n', default_rules=True)
    assert scenario.accounts == ("B7",)

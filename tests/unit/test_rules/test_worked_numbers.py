"""The worked numbers of the rules' description, every one of them, in its order and words."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from riskd.app.scenario.on_core import read_scenarios, run_on_core
from riskd.domain.account_view import AccountView
from riskd.domain.commands import ClosePosition, StartCooldown
from riskd.domain.events import DaemonStarted, Fill, Outcome, RulesApplied
from riskd.domain.instruments import table_instrument
from riskd.domain.orders import OrderStatus, OrderType
from riskd.engine.core import Core
from riskd.rules.account_drawdown import AccountDrawdownRule
from riskd.rules.registry import canonical, compile_rulebook
from tests.support.desk import Desk, contract, ct
from tests.support.rule_builders import account, view
from tests.unit.test_rules.subjects import tell_balance

WHOLE = (contract("MNQ"), None)
"""A close of all that is held of it."""
NONE: Mapping[str, Mapping[str, object]] = {"MaxContracts": {"max_contracts": 1000}}


def looked_at(desk: Desk) -> AccountView:
    """Return the account as rules see it."""
    return desk.core.state_manager.view("A1", desk.at)


def broken(desk: Desk) -> list[str]:
    """Return the rules that were broken."""
    return [violation.rule_name for violation in desk.violations]


# --- open P&L ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "quantity", "root", "entry", "mark", "expected"),
    [
        ("buy", 2, "MNQ", "21000", "20950", "-200"),
        ("buy", 1, "ES", "5800", "5775", "-1250"),
        ("buy", 1, "MNQ", "26385.00", "26391.00", "12"),
        ("sell", 1, "CL", "75.00", "75.37", "-370"),
        ("buy", 2, "GC", "2400.0", "2395.5", "-900"),
        ("buy", 2, "MGC", "2400.0", "2395.5", "-90"),
    ],
)
def test_open_pnl(*, side: str, quantity: int, root: str, entry: str, mark: str, expected: str) -> None:
    """A position at its mark."""
    desk = Desk(NONE)
    desk.fill(side, quantity, root, entry)
    desk.quote(root, mark)
    assert looked_at(desk).total_unrealized_pnl == Decimal(expected)


def test_three_lots_lose_no_cent() -> None:
    """21,000.00, 21,000.25 and 21,000.25 at 21,001 are five dollars exactly, by every matching method."""
    for matching in ("fifo", "lifo", "average"):
        desk = matched_by(matching)
        for price in ("21000.00", "21000.25", "21000.25"):
            desk.fill("buy", 1, "MNQ", price)
        desk.quote("MNQ", "21001")
        assert looked_at(desk).total_unrealized_pnl == Decimal("5.00")


# --- realized P&L by matching method ------------------------------------------------------------------------------


def matched_by(method: str) -> Desk:
    """Return a desk that matches fills by this method."""
    desk = Desk()
    spec = {"rules": [{"rule": rule, "params": params} for rule, params in NONE.items()], "pnl": {"matching": method}}
    desk.publish(RulesApplied(account="A1", spec=canonical(spec)))
    desk.snapshot()
    return desk


def realized_by(desk: Desk, root: str, fills: str) -> list[Decimal]:
    """Return what each closing fill of `B2@5000 S1@5005` realized."""
    found = []
    for word in fills.split():
        before = desk.state.realized if "A1" in desk.core.state_manager.accounts else Decimal(0)
        quantity, _, price = word[1:].partition("@")
        held = desk.holds(root)
        desk.at += timedelta(seconds=3)
        desk.fill("buy" if word[0] == "B" else "sell", int(quantity), root, price)
        if held * (1 if word[0] == "B" else -1) < 0:
            found.append(desk.state.realized - before)
    return found


ROWS = [
    ("ES", "B1@5000 B1@5010 S1@5005 S1@5005", {"fifo": (250, -250), "lifo": (-250, 250), "average": (0, 0)}),
    ("MNQ", "B2@21000 B1@21003 S2@21010 S1@20990", {"fifo": (40, -26), "lifo": (34, -20), "average": (36, -22)}),
    ("ES", "B2@5000 S5@5010 B3@5012.50", {"fifo": (1000, -375), "lifo": (1000, -375), "average": (1000, -375)}),
    ("NQ", "S1@18000 S1@18010 B1@17995", {"fifo": (100,), "lifo": (300,), "average": (200,)}),
]


@pytest.mark.parametrize("method", ["fifo", "lifo", "average"])
@pytest.mark.parametrize(("root", "fills", "expected"), ROWS, ids=[row[1] for row in ROWS])
def test_realized_by_matching_method(root: str, fills: str, expected: Mapping[str, Sequence[int]], method: str) -> None:
    """Each closing fill realizes what its row and column say, and N is the same in every column."""
    desk = matched_by(method)
    assert realized_by(desk, root, fills) == [Decimal(amount) for amount in expected[method]]
    by_cash = matched_by("fifo")
    realized_by(by_cash, root, fills)
    assert looked_at(desk).net_pnl == looked_at(by_cash).net_pnl


@pytest.mark.parametrize(("method", "left"), [("fifo", "18010"), ("lifo", "18000"), ("average", "18005")])
def test_what_is_left_of_two_lots(method: str, left: str) -> None:
    """Short 1 at the price that the method leaves."""
    desk = matched_by(method)
    realized_by(desk, *ROWS[3][:2])
    (lot,) = desk.state.positions[contract("NQ")].lots
    assert (lot.quantity, lot.price) == (-1, Decimal(left))


def test_a_carried_loss_does_not_count_twice() -> None:
    """Long 2 MNQ with U -300 at the 17:00 mark, closed at that price: R -300, N 0."""
    desk = Desk(NONE, start="2026-03-10 16:50")
    desk.fill("buy", 2, "MNQ", "21000")
    desk.quote("MNQ", "20925")
    assert looked_at(desk).total_unrealized_pnl == Decimal(-300)
    desk.wait("2026-03-10 17:00:05")
    desk.fill("sell", 2, "MNQ", "20925")
    assert (looked_at(desk).realized_pnl_today, looked_at(desk).net_pnl) == (Decimal(-300), Decimal(0))


# --- daily limits -------------------------------------------------------------------------------------------------


def with_figures(rule: str, params: Mapping[str, object], realized: int, unrealized: int) -> Desk:
    """Return a desk that has realized this in MNQ and has this much open in NQ."""
    desk = Desk({rule: params})
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", str(21000 + Decimal(realized) / 2))
    desk.fill("buy", 1, "NQ", "21000")
    desk.quote("NQ", str(21000 + Decimal(unrealized) / 20))
    return desk


def test_headroom_and_the_breach_beyond_it() -> None:
    """R -800, U -150, limit -1,000: N -950, headroom 50; then U -250: N -1,050, breach."""
    desk = with_figures("DailyRealizedLoss", {"limit": "-1000"}, -800, -150)
    assert looked_at(desk).net_pnl == Decimal(-950)
    assert desk.core.headroom("A1", desk.at) == {"DailyRealizedLoss": Decimal(50)}
    assert broken(desk) == []
    desk.quote("NQ", "20987.50")
    assert looked_at(desk).net_pnl == Decimal(-1050)
    assert broken(desk) == ["DailyRealizedLoss"]


@pytest.mark.parametrize(
    ("rule", "params", "realized", "unrealized", "breached"),
    [
        ("DailyRealizedProfit", {"limit": "1500"}, 1400, 150, True),
        ("DailyRealizedLoss", {"limit": "-850", "basis": "combined"}, -900, 500, False),
        ("DailyRealizedLoss", {"limit": "-850", "basis": "worst"}, -900, 500, True),
    ],
)
def test_daily_figures(
    rule: str,
    params: Mapping[str, object],
    realized: int,
    unrealized: int,
    breached: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """R and U together, or the worse of them, against the limit."""
    desk = Desk({rule: params})
    # What is open comes first, so that nothing is judged before both figures stand.
    desk.fill("buy", 1, "NQ", "21000")
    desk.quote("NQ", str(21000 + Decimal(unrealized) / 20))
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", str(21000 + Decimal(realized) / 2))
    assert (rule in broken(desk)) is breached


def test_the_second_losing_trade_breaches() -> None:
    """-300, then -250, against -500."""
    desk = Desk({"DailyRealizedLoss": {"limit": "-500"}})
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20850")
    assert broken(desk) == []
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20875")
    assert broken(desk) == ["DailyRealizedLoss"]


def test_an_opening_fill_costs_its_fee() -> None:
    """0.61 changes R by -0.61, and nothing else."""
    free, charged = Desk(NONE), Desk(NONE)
    free.fill("buy", 1, "MNQ", "21000")
    charged.publish(msgspec.structs.replace(fill_of(free), commission=Decimal("0.61")))
    assert looked_at(charged).realized_pnl_today == looked_at(free).realized_pnl_today - Decimal("0.61")
    assert looked_at(charged).total_unrealized_pnl == looked_at(free).total_unrealized_pnl
    assert looked_at(charged).quantities == looked_at(free).quantities


def fill_of(desk: Desk) -> Fill:
    """Return the only fill of a desk."""
    (found,) = desk.state.fills.values()
    return found


@pytest.mark.parametrize(
    ("fees", "price", "net", "breached"),
    [
        ("0", "17875.25", "-499.00", False),
        ("0", "17875.00", "-500.00", True),
        ("1.22", "17875.25", "-500.22", True),
    ],
)
def test_one_tick_of_two_contracts(fees: str, price: str, net: str, breached: bool) -> None:  # noqa: FBT001 - a column of the table
    """Long 2 MNQ at 18,000, limit -500: the tick at which it breaks, without and with entry fees."""
    desk, template = Desk({"DailyRealizedLoss": {"limit": "-500"}}), Desk(NONE)
    template.fill("buy", 2, "MNQ", "18000")
    desk.publish(msgspec.structs.replace(fill_of(template), commission=Decimal(fees)))
    desk.quote("MNQ", price)
    assert looked_at(desk).net_pnl == Decimal(net)
    assert (broken(desk) == ["DailyRealizedLoss"]) is breached


# --- frequency and cooldown ---------------------------------------------------------------------------------------


def obey(desk: Desk) -> None:
    """Do the close that riskd asked for last."""
    close = desk.broker_commands[-1]
    assert isinstance(close, ClosePosition)
    desk.outcome(Outcome.ACCEPTED)
    count = close.quantity or abs(close.held)
    desk.fill("sell" if close.held > 0 else "buy", count, "MNQ", "21000", order_id=f"C{close.command_id}")


def trades_at(desk: Desk, *seconds: int) -> list[int]:
    """Buy one at each of these seconds, and return those at which riskd closed it again."""
    begins, closed = desk.at, []
    for second in seconds:
        desk.wait(begins + timedelta(seconds=second) - desk.at)
        asked = len(desk.closes)
        desk.fill("buy", 1, "MNQ", "21000", order_id=f"O{second}")
        if len(desk.closes) > asked:
            assert desk.closes[-1] == (contract("MNQ"), 1)
            closed.append(second)
            obey(desk)
    return closed


@pytest.mark.parametrize(
    ("most", "window", "seconds", "closed"),
    [
        (3, "1min", (0, 10, 20, 30), [30]),
        (3, "1min", (0, 10, 20, 30, 60), [30]),
        (3, "1min", (0, 10, 20, 60), []),
        (1, "15min", (0, 300, 900), [300]),
    ],
)
def test_trades_beyond_the_count(most: int, window: str, seconds: tuple[int, ...], closed: list[int]) -> None:
    """The excess trade is closed and does not count; one exactly a window later finds a place."""
    desk = Desk({"TradeFrequencyLimit": {"max_trades": most, "window": window}})
    assert trades_at(desk, *seconds) == closed
    assert desk.holds("MNQ") == len(seconds) - len(closed)


def test_the_window_frees_a_place_at_its_own_time() -> None:
    """One per 15 minutes, traded at 10:00: at 10:05 the next may come at 10:15."""
    desk = Desk({"TradeFrequencyLimit": {"max_trades": 1, "window": "15min"}}, start="2026-03-10 10:00")
    trades_at(desk, 0, 300)
    assert "free again at 10:15:00" in desk.violations[0].message


TIERS = {
    "tiers": [
        {"threshold": "-100", "duration": "300s"},
        {"threshold": "-200", "duration": "900s"},
        {"threshold": "-300", "duration": "1800s"},
    ]
}


@pytest.mark.parametrize(("lost", "seconds"), [(75, None), (100, 300), (150, 300), (250, 900), (350, 1800)])
def test_cooldown_tiers(lost: int, seconds: int | None) -> None:
    """The worst tier that a net loss reaches says how long."""
    desk = Desk({"CooldownAfterLoss": TIERS})
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", str(21000 - Decimal(lost) / 2))
    until = [command.until for command in desk.commands if isinstance(command, StartCooldown)]
    assert until == ([] if seconds is None else [desk.at + timedelta(seconds=seconds)])


def test_the_allowance_of_a_cooldown() -> None:
    """Begun at long 5: selling 4 leaves 1; buying 4 back is closed; selling 3 from long 1 is closed to flat."""
    desk = Desk({"CooldownAfterLoss": {"loss_threshold": "-100", "cooldown_duration": "10min"}})
    desk.fill("buy", 6, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20950")
    assert allowance(desk) == 5
    desk.fill("sell", 4, "MNQ", "21000")
    assert (allowance(desk), desk.closes) == (1, [])
    desk.fill("buy", 4, "MNQ", "21000")
    assert desk.closes == [(contract("MNQ"), 4)]
    obey(desk)
    desk.fill("sell", 3, "MNQ", "21000")
    assert (desk.holds("MNQ"), desk.closes[1:]) == (-2, [WHOLE])
    obey(desk)
    assert (desk.holds("MNQ"), allowance(desk)) == (0, 0)


def allowance(desk: Desk) -> int:
    """Return what may still be held of MNQ."""
    (cause,) = desk.state.no_new_risk
    return cause.allowance.get(contract("MNQ"), 0)


# --- grace and minis ----------------------------------------------------------------------------------------------


def test_grace() -> None:
    """10 s: opened at 0, stop at 9.9: fine; stop cancelled at 30: closed at 40, once the orders were asked for."""
    desk = Desk({"NoStopLossGrace": {"grace_period": "10s"}})
    begins = desk.at
    desk.fill("buy", 1, "MNQ", "21000")
    desk.wait(timedelta(milliseconds=9900))
    desk.order("S", "sell", 1, "MNQ", kind=OrderType.STOP)
    desk.wait(timedelta(seconds=20, milliseconds=100))
    assert broken(desk) == []
    desk.order("S", "sell", 1, "MNQ", kind=OrderType.STOP, status=OrderStatus.CANCELLED)
    desk.wait(timedelta(seconds=9, milliseconds=999))
    assert broken(desk) == []
    desk.wait(timedelta(milliseconds=1))
    assert (broken(desk), desk.at - begins) == (["NoStopLossGrace"], timedelta(seconds=40))
    desk.snapshot()
    assert (desk.closes, desk.at - begins) == ([WHOLE], timedelta(seconds=40))


def test_minis() -> None:
    """A cap of 5 minis: 3 NQ and 20 MNQ are fine, one MNQ more is a breach."""
    desk = Desk({"MaxContracts": {"max_contracts": 5, "unit": "minis"}})
    desk.fill("buy", 3, "NQ", "21000")
    desk.fill("buy", 20, "MNQ", "21000")
    assert broken(desk) == []
    desk.fill("buy", 1, "MNQ", "21000")
    assert desk.closes == [(contract("MNQ"), 1)]


# --- lockouts -----------------------------------------------------------------------------------------------------


def test_a_lockout_and_a_longer_cooldown() -> None:
    """Locked to 17:00 and cooling down to 17:05: free at 17:05."""
    rules = {
        "DailyRealizedLoss": {"limit": "-100"},
        "CooldownAfterLoss": {"loss_threshold": "-100", "cooldown_duration": "15min"},
    }
    desk = Desk(rules, start="2026-03-10 16:50")
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20950")
    desk.snapshot()
    assert desk.core.state_manager.lockout_until("A1") == ct("2026-03-10 17:00")
    desk.wait("2026-03-10 17:04:59")
    assert (desk.state.locked, bool(desk.state.no_new_risk)) == (False, True)
    desk.wait("2026-03-10 17:05")
    assert not desk.state.no_new_risk


def test_a_restart_leaves_the_time_that_was_left() -> None:
    """At 15:00, with a lockout to 17:00: two hours."""
    desk = locked_at("2026-03-10 14:00")
    desk.wait("2026-03-10 15:00")
    states = dict(desk.core.state_manager.accounts)
    desk.core = Core(compile_rulebook, desk.enforcement_engine)
    desk.core.restore(states)
    desk.publish(DaemonStarted(last_at=desk.at))
    until = desk.core.state_manager.lockout_until("A1")
    assert until is not None
    assert until - desk.at == timedelta(hours=2)
    desk.snapshot()
    desk.wait("2026-03-10 16:59:59")
    assert desk.state.locked
    desk.wait("2026-03-10 17:00")
    assert not desk.state.locked


def locked_at(start: str) -> Desk:
    """Return a desk that is locked for the day and flat."""
    desk = Desk({"DailyRealizedLoss": {"limit": "-100"}}, start=start)
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20950")
    desk.snapshot()
    assert desk.state.locked
    return desk


def test_a_market_that_closes_before_the_account_is_flat() -> None:
    """Locked at 15:59:50 and refused at the close: locked past 17:00 until flat, and closed at the open."""
    desk = Desk({"DailyRealizedLoss": {"limit": "-100"}}, start="2026-03-10 15:59:50")
    desk.fill("buy", 1, "MNQ", "21000")
    desk.quote("MNQ", "20950")
    desk.wait("2026-03-10 16:00:00")
    desk.outcome(Outcome.REJECTED, "market_closed")
    desk.wait("2026-03-10 16:59:59")
    asked = len(desk.closes)
    desk.wait("2026-03-10 17:00:00")
    assert desk.state.locked
    assert desk.closes[asked:] == [WHOLE]
    obey(desk)
    desk.snapshot()
    desk.wait(timedelta(seconds=1))
    assert not desk.state.locked


async def test_a_clock_set_forward_releases_nobody() -> None:
    """Three hours forward during a lockout: a scenario of the repository, which says what the account is afterwards."""
    file = Path(__file__).parents[3] / "scenarios" / "reset.scenario"
    (scenario,) = [each for each in read_scenarios([file]) if each.name == "a clock that jumps releases nobody"]
    assert "clock +3h" in file.read_text(encoding="utf-8")
    assert (await run_on_core(scenario)).failures == ()


# --- drawdown -----------------------------------------------------------------------------------------------------

EOD = {"kind": "eod_trailing", "start_balance": "50000", "drawdown": "2000", "lock_at": "50000"}
INTRADAY = {"kind": "intraday_trailing", "start_balance": "50000", "drawdown": "2000", "lock_at": "50100"}


def floor_of(desk: Desk, params: Mapping[str, object]) -> Decimal:
    """Return the floor that the rule sees."""
    return AccountDrawdownRule(params=params).floor(looked_at(desk))


def test_the_floor_follows_the_closed_balances() -> None:
    """48,000; after days that end at 51,000, 50,400, 51,500 and 53,000: 49,000, 49,000, 49,500, 50,000."""
    desk = Desk({"AccountDrawdown": EOD}, start="2026-03-10 09:30")
    tell_balance(desk, Decimal(50_000))
    assert floor_of(desk, EOD) == Decimal(48_000)
    balance = 50_000
    for day, (closes_at, floor) in enumerate([(51_000, 49_000), (50_400, 49_000), (51_500, 49_500), (53_000, 50_000)]):
        desk.fill("buy", 1, "MNQ", "21000")
        desk.fill("sell", 1, "MNQ", str(21000 + Decimal(closes_at - balance) / 2))
        balance = closes_at
        desk.wait(f"2026-03-{10 + day} 17:00")
        assert floor_of(desk, EOD) == Decimal(floor)
    assert broken(desk) == []


@pytest.mark.parametrize(("equity", "over"), [("48200.01", False), ("48200.00", True)])
def test_the_floor_itself_is_the_end(equity: str, over: bool) -> None:  # noqa: FBT001 - a column of the table
    """Over a floor of 48,200: a cent above it lives."""
    state = msgspec.structs.replace(account(), base=Decimal(equity), highest_close=Decimal(50_200))
    assert (AccountDrawdownRule(params=EOD).evaluate(None, view(state)) is not None) is over


def test_the_floor_follows_the_highest_equity() -> None:
    """Peaks of 51,300, 52,100 and 60,000, open P&L included: 49,300, 50,100 and 50,100."""
    desk = Desk({"AccountDrawdown": INTRADAY})
    tell_balance(desk, Decimal(50_000))
    desk.fill("buy", 1, "NQ", "20000")
    for peak, floor in ((51_300, 49_300), (52_100, 50_100), (60_000, 50_100)):
        price = 20_000 + (peak - 50_000) // 20
        desk.quote("NQ", str(price))
        desk.wait(timedelta(seconds=1))
        desk.quote("NQ", str(price))
        assert looked_at(desk).equity == Decimal(peak)
        assert floor_of(desk, INTRADAY) == Decimal(floor)
    assert broken(desk) == []


# --- numbers in the notes -----------------------------------------------------------------------------------------


def test_a_trim_takes_the_newest() -> None:
    """2 MNQ held, 3 ES bought, limit 4: 1 ES is closed, and the log says `5 > 4, closed 1 ES`."""
    desk = Desk({"MaxContracts": {"max_contracts": 4}})
    desk.fill("buy", 2, "MNQ", "21000")
    desk.fill("buy", 3, "ES", "5800")
    assert desk.closes == [(contract("ES"), 1)]
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800")
    assert [end.text for end in desk.ended] == ["MaxContracts violated: 5 > 4, closed 1 ES"]


@pytest.mark.parametrize(
    ("at", "outside"), [("08:29:59", True), ("08:30:00", False), ("14:59:59", False), ("15:00:00", True)]
)
def test_hours_are_half_open(at: str, outside: bool) -> None:  # noqa: FBT001 - a column of the table
    """08:30-15:00 contains 08:30:00 and 14:59:59 but not 15:00:00."""
    desk = Desk({"SessionBlockOutside": {"preset": "RTH"}}, start=f"2026-03-10 {at}")
    desk.fill("buy", 1, "MNQ", "21000")
    assert (broken(desk) == ["SessionBlockOutside"]) is outside


@pytest.mark.parametrize(
    ("root", "a_point"),
    [("MNQ", "2"), ("NQ", "20"), ("ES", "50"), ("MES", "5"), ("CL", "1000"), ("GC", "100"), ("MGC", "10")],
)
def test_what_a_point_is_worth(root: str, a_point: str) -> None:
    """Tick value over tick size."""
    found = table_instrument(contract(root))
    assert found is not None
    assert found.point_value == found.tick_value / found.tick_size == Decimal(a_point)

"""Money and positions when trades come late, twice, out of order, are taken back, or are missing for a while."""

from datetime import timedelta
from decimal import Decimal

import msgspec

from riskd.domain.calendar import day_start, trading_day
from riskd.domain.events import Fill, QuoteReported
from riskd.domain.orders import Side
from riskd.domain.refolding import stand_in_id
from tests.support.desk import Desk, contract

MAX9 = {"MaxContracts": {"max_contracts": 9}}


def figures(desk: Desk) -> tuple[object, object, object]:
    """Return what was realized by the broker and by riskd's lots, and N."""
    return desk.state.realized, desk.state.realized_own, desk.core.state_manager.view("A1", desk.at).net_pnl


def missed(desk: Desk, side: str, quantity: int, price: str, *, name: str = "LOST", pnl: str | None = None) -> Fill:
    """Return a fill that happens now and whose message is lost."""
    return Fill(
        account="A1",
        trade_id=name,
        contract=contract("MNQ"),
        side=Side(side),
        quantity=quantity,
        price=Decimal(price),
        at=desk.at,
        commission=Decimal(0),
        pnl=Decimal(pnl) if pnl else None,
    )


def test_a_fill_that_comes_late_is_folded_at_its_place() -> None:
    """Two buys whose messages change places give the lots, and the profit of the sale, that the broker has."""
    desk = Desk(MAX9)
    late = missed(desk, "buy", 1, "18000")
    desk.wait(timedelta(seconds=1))
    desk.fill("buy", 1, "MNQ", "18010")
    desk.fill("sell", 1, "MNQ", "18020")
    desk.publish(late)

    assert figures(desk) == (40, 40, 60)
    assert [lot.price for lot in desk.state.positions[contract("MNQ")].lots] == [Decimal(18010)]


def test_the_brokers_order_holds_where_riskds_clock_trails() -> None:
    """Stamps half a second ahead of riskd's clock still say which of two purchases was first."""
    desk = Desk(MAX9)
    first, second, third = (desk.at + timedelta(milliseconds=ms) for ms in (500, 510, 520))
    desk.fill("buy", 1, "MNQ", "18010", at=second)
    desk.wait(timedelta(milliseconds=10))
    desk.fill("sell", 1, "MNQ", "18020", at=third)
    desk.wait(timedelta(milliseconds=10))
    desk.fill("buy", 1, "MNQ", "18000", at=first)

    assert figures(desk) == (40, 40, 60)
    assert [lot.price for lot in desk.state.positions[contract("MNQ")].lots] == [Decimal(18010)]


def test_a_trade_of_the_new_day_belongs_to_it_where_riskds_clock_trails() -> None:
    """A trade stamped 17:00:00.3 arrives while riskd's clock says 16:59:59.9: its profit is the new day's."""
    desk = Desk(MAX9, start="2026-03-10 16:59:58")
    desk.fill("buy", 1, "MNQ", "18000")
    desk.wait("2026-03-10 16:59:59")
    desk.wait(timedelta(milliseconds=900))
    desk.fill("sell", 1, "MNQ", "18010", pnl="20", at=desk.at + timedelta(milliseconds=400))
    desk.wait("2026-03-10 17:00:05")

    assert desk.state.realized == 20
    assert desk.state.trading_day.isoformat() == "2026-03-11"


def test_the_first_price_of_the_new_day_is_not_what_was_carried_in() -> None:
    """It is stamped 17:00:00.1 and arrives while riskd's clock says 16:59:59.8: the gap counts for the new day."""
    desk = Desk(MAX9, start="2026-03-10 15:59:58")
    desk.fill("buy", 1, "MNQ", "18000")
    desk.quote("MNQ", "18010")
    desk.wait("2026-03-10 16:59:59")
    desk.wait(timedelta(milliseconds=800))
    opened_at = desk.at + timedelta(milliseconds=300)
    prices = {side: Decimal(17900) for side in ("last", "bid", "ask")}
    desk.publish(QuoteReported(contract=contract("MNQ"), at=opened_at, **prices))
    desk.wait("2026-03-10 17:00:05")

    assert desk.core.state_manager.view("A1", desk.at).net_pnl == -220


def test_a_stamp_far_ahead_moves_riskds_time_by_a_second_at_most() -> None:
    """A broker's stamp that cannot be true does not bring the new day before its time."""
    desk = Desk(MAX9, start="2026-03-10 16:59:58")
    desk.fill("buy", 1, "MNQ", "18000", at=desk.at + timedelta(hours=3))

    assert desk.state.trading_day.isoformat() == "2026-03-10"


def test_what_was_taken_over_goes_when_its_trades_are_known() -> None:
    """A position that snapshots showed before its trades did costs nothing once the trades are there."""
    desk = Desk(MAX9)
    desk.fill("buy", 1, "MNQ", "18000")
    lost = missed(desk, "sell", 1, "18010", pnl="20")
    desk.quote("MNQ", "17990")
    for _ in range(2):
        desk.wait(timedelta(seconds=10))
        desk.snapshot({})
    assert desk.holds("MNQ") == 0
    assert figures(desk)[2] == -20

    desk.publish(lost)

    assert desk.holds("MNQ") == 0
    assert figures(desk) == (20, 20, 20)


def test_a_position_taken_over_in_error_leaves_no_trace() -> None:
    """The broker's positions were wrong for a while: when they agree with the trades again so do all figures."""
    desk = Desk(MAX9)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17990")
    for held in ({}, {}, {"MNQ": 2}, {"MNQ": 2}):
        desk.wait(timedelta(seconds=10))
        desk.snapshot(held)

    assert desk.holds("MNQ") == 2
    assert figures(desk) == (0, 0, -40)


def test_a_voided_trade_that_was_never_seen_is_not_booked_later() -> None:
    """The report that takes a trade back overtakes the trade itself."""
    desk = Desk(MAX9)
    trade = missed(desk, "buy", 2, "18000")
    desk.publish(msgspec.structs.replace(trade, voided=True))
    desk.publish(trade)

    assert desk.holds("MNQ") == 0


def test_voiding_an_entry_keeps_the_brokers_figure_of_the_exit() -> None:
    """What the broker booked for a sale stands when it busts the purchase; the lots are those of what is left."""
    desk = Desk(MAX9)
    bought = missed(desk, "buy", 1, "18000")
    desk.publish(bought)
    desk.fill("sell", 1, "MNQ", "18010", pnl="20")
    desk.publish(msgspec.structs.replace(bought, voided=True))

    assert desk.holds("MNQ") == -1
    assert desk.state.realized == 20


def test_a_profit_that_comes_with_a_second_report_is_taken_over() -> None:
    """The first report of a sale carried no P&L, the second does."""
    desk = Desk(MAX9)
    desk.fill("buy", 1, "MNQ", "18000")
    desk.fill("sell", 1, "MNQ", "18010", trade_id="T")
    desk.fill("sell", 1, "MNQ", "18010", trade_id="T", pnl="19.5")

    assert desk.state.realized == Decimal("19.5")


def test_yesterdays_fill_that_comes_today_changes_what_was_carried_in() -> None:
    """A late purchase of yesterday is held today at yesterday's mark, also after a trade of today is taken back."""
    desk = Desk(MAX9, start="2026-03-10 16:59:58")
    desk.fill("buy", 1, "MNQ", "18000")
    desk.quote("MNQ", "18005")
    late = missed(desk, "buy", 1, "18004")
    desk.wait("2026-03-10 17:00:01")
    desk.publish(late)
    bought = missed(desk, "buy", 1, "18005", name="TODAY")
    desk.publish(bought)
    desk.publish(msgspec.structs.replace(bought, voided=True))
    desk.quote("MNQ", "18006")

    assert desk.holds("MNQ") == 2
    assert figures(desk) == (0, 0, 4)


def test_an_old_trade_reported_again_does_not_bring_its_price_back() -> None:
    """The broker sends an opening trade once more when it is closed; what is still held keeps its newer price."""
    desk = Desk(MAX9)
    bought = missed(desk, "buy", 2, "18000")
    desk.publish(bought)
    desk.wait(timedelta(seconds=5))
    desk.fill("sell", 1, "MNQ", "18010", pnl="20")
    desk.publish(bought)

    assert figures(desk)[2] == 40


def test_positions_may_trail_a_voided_trade() -> None:
    """Right after a trade was taken back the broker's positions still contain it: nothing is taken over yet."""
    desk = Desk(MAX9)
    bought = missed(desk, "buy", 1, "18000")
    desk.publish(bought)
    desk.wait(timedelta(minutes=5))
    desk.publish(msgspec.structs.replace(bought, voided=True))
    for _ in range(3):
        desk.snapshot({"MNQ": 1})
        desk.wait(timedelta(seconds=1))

    assert desk.holds("MNQ") == 0


def test_a_snapshot_reads_trades_from_where_the_last_one_had_got_to() -> None:
    """A trade was lost and later ones came: what is read next goes back to the last reading, not to the last trade."""
    desk = Desk(MAX9)
    desk.position("MNQ", 1)
    desk.wait(timedelta(seconds=1))
    first_read_at = desk.at
    desk.snapshot({"MNQ": 0})
    desk.wait(timedelta(minutes=30))
    desk.fill("buy", 1, "MNQ", "18000")
    desk.position("MNQ", 5)
    desk.wait(timedelta(seconds=1))

    assert desk.requests[0].since == day_start(trading_day(first_read_at))
    assert first_read_at - timedelta(minutes=2) < desk.requests[-1].since < first_read_at


def test_the_two_trades_of_a_turn_may_come_the_wrong_way_round() -> None:
    """An order turned short 1 into long 1; its opening half is reported before its closing half."""
    desk = Desk(MAX9)
    desk.fill("sell", 1, "MNQ", "18010")
    desk.wait(timedelta(seconds=1))
    opens = missed(desk, "buy", 1, "18000", name="OPENS")
    closes = missed(desk, "buy", 1, "18000", name="CLOSES", pnl="20")
    for half in (opens, closes):
        desk.publish(msgspec.structs.replace(half, order_id="TURN"))

    assert desk.holds("MNQ") == 1
    assert figures(desk) == (20, 20, 20)


def test_trades_of_one_moment_go_by_the_brokers_numbers() -> None:
    """Two orders fill against each other four times in one moment; the third trade is told last."""
    desk = Desk(MAX9)
    desk.fill("sell", 1, "MNQ", "18000", trade_id="100", order_id="SELLS")
    desk.wait(timedelta(seconds=1))
    at = desk.at
    for number, side, pnl in (("101", "buy", "-2"), ("102", "sell", None), ("104", "sell", None), ("103", "buy", "-2")):
        desk.fill(
            side, 1, "MNQ", "18001" if pnl else "18000", trade_id=number, order_id=side.upper() + "S", pnl=pnl, at=at
        )

    assert desk.holds("MNQ") == -1
    assert desk.state.realized == desk.state.realized_own == -4


def test_an_exit_that_came_before_its_entry_counts_for_nothing() -> None:
    """The report of a purchase was lost until its sale was reported: one trade, and nothing too many."""
    desk = Desk({"TradeFrequencyLimit": {"max_trades": 1, "window": "1min"}})
    entry = missed(desk, "buy", 1, "18000")
    desk.wait(timedelta(seconds=10))
    desk.fill("sell", 1, "MNQ", "18010", pnl="20")
    desk.publish(entry)
    desk.wait(timedelta(seconds=55))
    desk.fill("buy", 1, "MNQ", "18010")

    assert [(e.opened, e.closed, e.flat) for e in desk.state.executions] == [(1, 0, False), (0, 1, True), (1, 0, False)]
    assert desk.state.executions[1].realized == 20
    assert desk.holds("MNQ") == 1
    assert desk.closes == []


def test_a_position_that_nothing_explains_has_the_whole_day_read_again() -> None:
    """The report that took a trade of this morning back was lost: the second look reads all of today's trades."""
    desk = Desk(MAX9)
    bought = missed(desk, "buy", 1, "18000")
    desk.publish(bought)
    desk.fill("sell", 1, "MNQ", "18010", pnl="20")
    desk.position("MNQ", -1)
    desk.wait(timedelta(seconds=1))
    desk.snapshot({"MNQ": -1})
    desk.wait(timedelta(seconds=10))

    assert desk.requests[-1].since == day_start(trading_day(desk.at))
    desk.snapshot({"MNQ": -1}, fills=[msgspec.structs.replace(bought, voided=True)])

    assert desk.holds("MNQ") == -1
    assert stand_in_id(contract("MNQ")) not in desk.state.fills


def test_a_position_folded_anew_has_paid_what_opening_it_cost() -> None:
    """The two halves of a turn, 2.40 for the opening one: closed 9.25 points lower it has lost 55.50 and the fees."""
    desk = Desk(MAX9)
    desk.fill("buy", 2, "MNQ", "21000", order_id="O1")
    desk.wait(timedelta(seconds=1))
    desk.fill("sell", 2, "MNQ", "21000", order_id="O2")
    opening = missed(desk, "sell", 3, "21000", name="TURN")
    desk.publish(msgspec.structs.replace(opening, order_id="O2", fees=Decimal("2.40")))

    assert desk.state.positions[contract("MNQ")].realized == Decimal("-2.40")

    desk.wait(timedelta(seconds=1))
    desk.fill("buy", 3, "MNQ", "21009.25", order_id="O3")

    assert desk.state.executions[-1].realized == Decimal("-57.90")


def test_the_newest_is_the_brokers_newest_where_riskds_clock_trails() -> None:
    """Of two purchases reported in the wrong order, the one made last is trimmed (fault day of late events, seed 1)."""
    desk = Desk({"MaxContracts": {"max_contracts": 4}})
    first, second = (desk.at + timedelta(milliseconds=ms) for ms in (9, 10))
    desk.fill("buy", 3, "ES", "5800", at=second)
    desk.wait(timedelta(milliseconds=160))
    desk.fill("buy", 2, "MNQ", "18000", at=first)

    assert desk.closes == [(contract("ES"), 1)]


def test_a_trade_told_again_brings_no_old_price_back() -> None:
    """Two trades of one moment mark the contract, the second last; the first told again is no news."""
    desk = Desk(MAX9)
    desk.fill("buy", 1, "MNQ", "21000", trade_id="T1")
    desk.fill("buy", 1, "MNQ", "21010", trade_id="T2")
    before = figures(desk)

    desk.fill("buy", 1, "MNQ", "21000", trade_id="T1")

    assert figures(desk) == before
    assert desk.core.state_manager.market[contract("MNQ")].mark == Decimal(21010)

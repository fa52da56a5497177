"""Ways round a limit that a hostile reader found: each was open once."""

from datetime import datetime, timedelta
from decimal import Decimal

from riskd.domain.events import (
    AccountArmed,
    DaemonStarted,
    Fill,
    PositionReported,
    SnapshotReported,
)
from riskd.domain.orders import Side
from tests.support.desk import Desk, contract

LOSS500 = {"DailyRealizedLoss": {"limit": "-500.00"}}


def mnq(trade_id: str, side: str, quantity: int, price: str, *, at: datetime, pnl: str | None = None) -> Fill:
    """Return a fill of MNQ as REST reports it."""
    return Fill(
        account="A1",
        trade_id=trade_id,
        contract=contract("MNQ"),
        side=Side(side),
        quantity=quantity,
        price=Decimal(price),
        at=at,
        commission=Decimal(0),
        pnl=Decimal(pnl) if pnl is not None else None,
    )


def restarted(desk: Desk) -> Desk:
    """Return a new process with the account from disk, and no prices yet."""
    again = Desk()
    again.at = desk.at
    again.core.restore({"A1": desk.state})
    again.event_bus.last_seq = desk.event_bus.last_seq
    again.publish(DaemonStarted(last_at=desk.at))
    again.forget()
    return again


def held_at_broker(desk: Desk, quantity: int, average: str, *fills: Fill) -> None:
    """Answer the first look at an account that holds MNQ."""
    position = PositionReported(
        account="A1", contract=contract("MNQ"), quantity=quantity, average_price=Decimal(average)
    )
    desk.publish(
        SnapshotReported(account="A1", asked_seq=desk.event_bus.last_seq, positions=(position,), orders=(), fills=fills)
    )


def test_a_carried_winner_is_no_loss_after_a_restart() -> None:
    """Before the first price after a restart, what was carried in is worth its 17:00 mark."""
    desk = Desk(LOSS500, start="2026-03-09 10:00")
    desk.fill("buy", 2, "MNQ", "20000")
    desk.quote("MNQ", "20500")
    desk.wait("2026-03-10 09:00")
    desk.quote("MNQ", "20500")

    again = restarted(desk)
    again.snapshot({"MNQ": 2})

    assert again.locks == []
    assert again.closes == []


def test_a_fill_is_booked_once_however_late_it_is_read_again() -> None:
    """A fill of two days ago, of which the id is forgotten, changes nothing when it is read once more."""
    desk = Desk(LOSS500, start="2026-03-09 10:00")
    desk.fill("buy", 2, "MNQ", "21000", trade_id="1")
    desk.wait(timedelta(seconds=1))
    last = desk.at
    desk.fill("sell", 2, "MNQ", "21000", trade_id="2")
    desk.wait("2026-03-11 09:00")
    desk.quote("MNQ", "21500")

    desk.snapshot({}, fills=[mnq("2", "sell", 2, "21000", at=last)])

    assert desk.holds("MNQ") == 0
    assert desk.locks == []


def test_a_first_start_counts_the_loss_of_a_carried_position_once() -> None:
    """Carried long 3 and one sold today at -200: the day realized -200, and the rest costs what the broker says."""
    desk = Desk()
    desk.rules("A1", {"DailyRealizedLoss": {"limit": "-500.00", "basis": "worst"}})
    today = mnq("1", "sell", 1, "20900", at=desk.at - timedelta(minutes=5), pnl="-200")

    held_at_broker(desk, 2, "21000", today)

    assert desk.state.realized == Decimal(-200)
    assert desk.state.realized_own == Decimal(-200)
    assert {lot.price for lot in desk.state.positions[contract("MNQ")].lots} == {Decimal(21000)}


def test_a_standing_lockout_is_enforced_before_rest_answers() -> None:
    """After a restart with REST failing, what the user hub reports under the lockout is closed all the same."""
    desk = Desk(LOSS500)
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20700")
    desk.snapshot()
    assert desk.state.locked

    again = restarted(desk)
    again.fill("buy", 1, "MNQ", "20700", trade_id="n1")
    assert again.closes == [(contract("MNQ"), None)]

    again.wait("2026-03-10 17:00:01")
    assert again.state.locked


def test_after_a_doubtful_journal_no_new_risk_is_taken_until_reconciled() -> None:
    """What is bought before the first look at the broker is closed; once reconciled the account is free again."""
    desk = Desk({"MaxContracts": {"max_contracts": 4}})
    desk.snapshot()
    again = Desk()
    again.at = desk.at
    again.core.restore({"A1": desk.state})
    again.event_bus.last_seq = desk.event_bus.last_seq
    again.publish(DaemonStarted(doubtful=True))

    again.fill("buy", 1, "MNQ", "20700", trade_id="n1")
    assert again.closes == [(contract("MNQ"), None)]

    again.snapshot({"MNQ": 1})
    assert again.state.no_new_risk == ()


def test_a_product_that_nobody_describes_is_no_way_round_the_loss_limit() -> None:
    """The broker's own P&L of an unknown product counts, and new risk in it is closed and told."""
    desk = Desk(LOSS500)
    product = "CON.F.US.XYZ.H26"

    def trade(name: str, side: Side, price: int, pnl: int | None = None) -> None:
        desk.publish(
            Fill(
                account="A1",
                trade_id=name,
                contract=product,
                side=side,
                quantity=1,
                price=Decimal(price),
                at=desk.at,
                commission=Decimal(0),
                pnl=None if pnl is None else Decimal(pnl),
            )
        )

    trade("1", Side.BUY, 100)
    assert desk.closes == [(product, None)]
    assert "quarantine" in [alert.kind for alert in desk.alerts]
    trade("2", Side.SELL, 50, pnl=-5000)

    assert len(desk.locks) == 1


def test_a_stale_snapshot_does_not_undo_a_newer_order_report() -> None:
    """An order halved while the snapshot was being read keeps its new size; nothing is cancelled for the old one."""
    desk = Desk({"MaxContracts": {"max_contracts": 4}})
    desk.order("A", "buy", 4, "ES")
    asked, stale = desk.event_bus.last_seq, tuple(desk.state.orders.values())
    desk.order("A", "buy", 2, "ES")
    desk.order("B", "buy", 2, "NQ")

    desk.snapshot({}, orders=stale, asked_seq=asked)

    assert desk.cancels == []


def test_a_fill_that_crosses_the_first_snapshot_counts() -> None:
    """A fill executed after the positions were read is booked on top of them, and its excess closed at once."""
    desk = Desk()
    desk.rules("A1", {"MaxContracts": {"max_contracts": 2}})
    held_at_broker(desk, 2, "21000")
    desk.publish(AccountArmed(account="A1"))
    crossed = desk.at - timedelta(milliseconds=20)
    desk.wait(timedelta(milliseconds=30))

    desk.fill("buy", 1, "MNQ", "21000", at=crossed)

    assert desk.closes == [(contract("MNQ"), 1)]

"""What the core believes of the facts it is told: instruments, balances, realized P&L, gaps."""

from datetime import timedelta
from decimal import Decimal

from riskd.domain.commands import Severity
from riskd.domain.events import ConnectionChanged, Fill, InstrumentReported, Link, Outcome
from riskd.domain.instruments import instrument
from riskd.domain.orders import Side
from tests.support.desk import Desk, contract

MAX4 = {"MaxContracts": {"max_contracts": 4}}


def test_a_contract_record_that_contradicts_the_table_takes_no_new_risk() -> None:
    """What is bought in a quarantined contract is closed; what was held, and other contracts, are left alone."""
    desk = Desk(MAX4)
    desk.fill("buy", 1, "MNQ", "18000")
    wrong = instrument(contract("MNQ"), tick_size=Decimal("0.25"), tick_value=Decimal("5.00"), symbol="MNQH6")
    desk.publish(InstrumentReported(instrument=wrong))
    assert [a.kind for a in desk.alerts] == ["quarantine"]

    desk.fill("buy", 1, "MNQ", "18000")
    desk.fill("buy", 1, "ES", "5800")

    assert desk.closes == [(contract("MNQ"), 1)]


def test_the_worse_realized_figure_counts_when_it_lasts() -> None:
    """A broker's P&L that is better than the fills add up to is told, and the worse one is judged."""
    desk = Desk({"DailyRealizedLoss": {"limit": "-500.00", "basis": "realized"}})
    desk.fill("buy", 1, "ES", "5800")
    desk.fill("sell", 1, "ES", "5789", pnl="-400")
    desk.snapshot()
    assert desk.locks == []
    desk.snapshot()

    assert len(desk.locks) == 1
    assert "realized" in [a.kind for a in desk.alerts]


def test_what_was_traded_in_a_gap_is_told() -> None:
    """After a lost connection the first snapshot tells from when to when riskd was blind and what happened."""
    desk = Desk(MAX4)
    desk.publish(ConnectionChanged(link=Link.USER_HUB, up=False))
    desk.wait("2026-03-10 09:37")
    desk.publish(ConnectionChanged(link=Link.USER_HUB, up=True))
    desk.snapshot()

    gap = next(a for a in desk.alerts if a.kind == "gap")
    assert gap.text.startswith("blind from 09:30:00 CT to 09:37:00 CT: 0 trades seen afterwards")


def test_what_was_read_before_the_last_connection_is_back_is_told() -> None:
    """The account is read first, then the hub is reported up: the trade is told with the next look."""
    desk = Desk(MAX4)
    desk.publish(ConnectionChanged(link=Link.USER_HUB, up=False))
    desk.wait("2026-03-10 09:37")
    missed = Fill(
        account="A1",
        trade_id="T9",
        contract=contract("ES"),
        side=Side.BUY,
        quantity=1,
        price=Decimal(5800),
        at=desk.at,
        commission=Decimal(0),
    )
    desk.snapshot({"ES": 1}, fills=[missed])
    desk.publish(ConnectionChanged(link=Link.USER_HUB, up=True))
    desk.snapshot()

    (gap,) = (a for a in desk.alerts if a.kind == "gap")
    assert (gap.severity, gap.text.partition(",")[0]) == (
        Severity.WARNING,
        "blind from 09:30:00 CT to 09:37:00 CT: 1 trade seen afterwards",
    )


def test_positions_that_trail_the_fills_are_not_taken_over() -> None:
    """Snapshots that still show a position seconds after its closing fill are stale, and nothing is closed for them."""
    desk = Desk(MAX4)
    desk.fill("buy", 4, "ES", "5800")
    desk.fill("sell", 4, "ES", "5800")
    for _ in range(8):
        desk.snapshot({"ES": 4})
        desk.wait(timedelta(milliseconds=500))
    assert desk.holds("ES") == 0

    desk.wait(timedelta(seconds=2))
    desk.snapshot({"ES": 4})
    assert desk.holds("ES") == 4


def test_a_position_that_the_broker_denies_is_asked_for_ever_more_slowly() -> None:
    """Answered that there is no such position, riskd looks, and if it still sees one asks again, each time later."""
    desk = Desk({"MaxContracts": {"max_contracts": 0}})
    desk.fill("buy", 1, "ES", "5800")
    for _ in range(60):
        if desk.state.closes:
            desk.outcome(Outcome.REJECTED, "position_not_found")
        desk.snapshot({"ES": 1})
        desk.wait(timedelta(milliseconds=100))

    assert 3 <= len(desk.closes) <= 7

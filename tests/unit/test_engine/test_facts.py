"""What the core believes of the facts it is told: instruments, balances, realized P&L, gaps."""

from decimal import Decimal

from riskd.domain.events import ConnectionChanged, InstrumentReported, Link
from riskd.domain.instruments import instrument
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

"""Whole cents in, whole cents out: nothing that was divided on the way may miss a limit at touch."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.domain.events import AccountArmed, Fill, PositionReported, RulesApplied, SnapshotReported
from riskd.domain.orders import Side
from riskd.rules.registry import canonical
from tests.support.desk import Desk, contract

PRICES: Final = {"MNQ": Decimal(21000), "ES": Decimal(5800), "CL": Decimal(75)}
TICKS: Final = {"MNQ": Decimal("0.25"), "ES": Decimal("0.25"), "CL": Decimal("0.01")}
CENTS: Final = st.integers(0, 300).map(lambda cents: Decimal(cents) / 100)
TRADES: Final = st.lists(
    st.tuples(
        st.sampled_from(sorted(PRICES)),
        st.sampled_from([-7, -3, -2, -1, 1, 2, 3, 7]),
        st.integers(-200, 200),
        st.one_of(st.none(), CENTS),
    ),
    max_size=10,
)
Trade = tuple[str, int, int, Decimal | None]


def fill_of(desk: Desk, signed: int, price: Decimal, commission: Decimal | None, *, name: str = "MNQ") -> Fill:
    """Return a trade that happens now, whose commission the broker may not say."""
    return Fill(
        account="A1",
        trade_id=f"T{desk.at.isoformat()}",
        contract=contract(name),
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        price=price,
        at=desk.at,
        commission=commission,
    )


def traded(desk: Desk, signed: int, price: str, *, commission: str | None = None) -> None:
    """Report a trade in MNQ, and let a second pass."""
    desk.publish(fill_of(desk, signed, Decimal(price), None if commission is None else Decimal(commission)))
    desk.at += timedelta(seconds=1)


def broken_cents(desk: Desk) -> list[Decimal]:
    """Return what is not in whole cents: of N, R, U, the fees and what each position has made."""
    state, view = desk.state, desk.core.state_manager.view("A1", desk.at)
    made = [e.realized for e in state.executions] + [p.realized for p in state.positions.values()]
    figures = [view.net_pnl, view.realized_pnl_today, view.total_unrealized_pnl, state.fees, state.realized, *made]
    return [figure for figure in figures if figure != figure.quantize(Decimal("0.01"))]


def test_a_commission_that_does_not_divide_meets_the_limit_at_touch() -> None:
    """0.34 for three contracts, and as much for the three whose commission is not said: -0.68 is the limit."""
    desk = Desk({"DailyRealizedLoss": {"limit": "-0.68"}})
    traded(desk, 3, "21000", commission="0.34")
    traded(desk, -3, "21000")
    assert desk.core.state_manager.view("A1", desk.at).net_pnl == Decimal("-0.68")
    assert desk.state.locked


def test_a_reserve_in_ticks_counts_exit_fees_in_whole_cents() -> None:
    """A tick on three contracts and 0.34 to leave: with that in reserve a limit of -3.68 is met at -1.84."""
    desk = Desk({"DailyRealizedLoss": {"limit": "-3.68", "reserve": {"ticks": 1}}})
    traded(desk, 3, "21000", commission="0.34")
    desk.quote("MNQ", "20999.75")
    assert desk.state.locked


@pytest.mark.parametrize("method", ["fifo", "lifo", "average"])
def test_an_average_price_with_endless_decimals_loses_nothing(method: str) -> None:
    """Bought at 21,000.00 and twice at 21,000.25, sold at 20,999.75: exactly -2.50."""
    desk = Desk()
    spec = {"rules": [{"rule": "DailyRealizedLoss", "params": {"limit": "-2.50", "basis": "realized"}}]}
    desk.publish(RulesApplied(account="A1", spec=canonical({**spec, "pnl": {"matching": method}})))
    desk.snapshot()
    for price in ("21000", "21000.25", "21000.25"):
        traded(desk, 1, price, commission="0")
    for _ in range(3):
        traded(desk, -1, "20999.75", commission="0")
    assert desk.core.state_manager.view("A1", desk.at).realized_pnl_today == Decimal("-2.50")


def test_a_position_taken_over_at_an_endless_average_meets_its_limit_at_touch() -> None:
    """The broker says 21000.16666666667 for three contracts: at 21,000.00 they have lost one dollar."""
    desk = Desk({"UnrealizedLoss": {"limit": "-1.00"}})
    desk.quote("MNQ", "21000.25")
    held = PositionReported(
        account="A1", contract=contract("MNQ"), quantity=3, average_price=Decimal("21000.16666666667")
    )
    for _ in range(2):
        desk.wait(timedelta(seconds=10))
        seq = desk.event_bus.last_seq
        desk.publish(SnapshotReported(account="A1", asked_seq=seq, positions=(held,), orders=(), fills=()))
    assert desk.holds("MNQ") == 3
    desk.quote("MNQ", "21000")
    view = desk.core.state_manager.view("A1", desk.at)
    assert (view.total_unrealized_pnl, view.net_pnl) == (Decimal(-1), Decimal(-1))


def test_a_turn_charges_each_position_whole_cents() -> None:
    """Of 0.34 for three contracts the one that was closed bears 0.11, and the two that were opened the rest."""
    desk = Desk({"MaxContracts": {"max_contracts": 9}})
    traded(desk, 1, "21000", commission="0")
    traded(desk, -3, "21000", commission="0.34")
    assert [execution.realized for execution in desk.state.executions] == [0, Decimal("-0.11")]
    assert desk.state.positions[contract("MNQ")].realized == Decimal("-0.23")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(trades=TRADES, taken_back=st.integers(0, 9), late=st.booleans(), method=st.sampled_from(["fifo", "lifo"]))
def test_money_is_in_whole_cents(trades: list[Trade], taken_back: int, method: str, *, late: bool) -> None:
    """N, R and fees are whole cents whenever prices, ticks and commissions are, and so is what each position made."""
    desk = Desk()
    desk.publish(RulesApplied(account="A1", spec=canonical({"rules": [], "pnl": {"matching": method}})))
    desk.snapshot()
    start = desk.at
    fills = []
    for number, (name, signed, ticks, commission) in enumerate(trades):
        desk.at = start + timedelta(seconds=number)
        price = PRICES[name] + ticks * TICKS[name]
        fills.append(fill_of(desk, signed, price, commission, name=name))
    for fill in reversed(fills) if late else fills:
        desk.publish(fill)
        assert not broken_cents(desk)
    for fill in fills[taken_back : taken_back + 1]:
        desk.publish(msgspec.structs.replace(fill, voided=True))
        assert not broken_cents(desk)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_loss_at_an_average_price_pauses_at_touch(direction: int) -> None:
    """An average price with endless decimals, left in three steps at a loss of exactly 2.50 or 2.00: a pause."""
    desk = Desk()
    pause = {"tiers": [{"threshold": "-2.50" if direction > 0 else "-2.00", "duration": "5min"}]}
    rules = [{"rule": "CooldownAfterLoss", "params": pause}]
    desk.publish(RulesApplied(account="A1", spec=canonical({"rules": rules, "pnl": {"matching": "average"}})))
    desk.snapshot()
    desk.publish(AccountArmed(account="A1"))
    for price in ("21000", "21000.25", "21000.25"):
        traded(desk, direction, price, commission="0")
    for _ in range(3):
        traded(desk, -direction, "20999.75" if direction > 0 else "21000.50", commission="0")
    assert desk.state.executions[-1].flat
    assert desk.state.episodes


def test_an_average_price_with_endless_decimals_is_no_difference_to_the_broker() -> None:
    """The broker's realized P&L is in whole cents and riskd's own is not quite: neither is in doubt."""
    desk = Desk()
    desk.publish(RulesApplied(account="A1", spec=canonical({"rules": [], "pnl": {"matching": "average"}})))
    desk.snapshot()
    for price in ("21000", "21000.25", "21000.25"):
        traded(desk, 1, price, commission="0")
    for pnl in ("-0.83", "-0.83", "-0.84"):
        fill = fill_of(desk, -1, Decimal("20999.75"), Decimal(0))
        desk.publish(msgspec.structs.replace(fill, pnl=Decimal(pnl)))
        desk.at += timedelta(seconds=1)
    for _ in range(2):
        desk.snapshot()
    assert (desk.state.realized, desk.state.realized_doubt) == (Decimal("-2.50"), Decimal(0))

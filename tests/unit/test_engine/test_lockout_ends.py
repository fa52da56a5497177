"""A lockout ends when its time has come and nothing is left of what was done under it, however late that is heard."""

from datetime import timedelta
from decimal import Decimal

from riskd.domain.events import DaemonStarted, Fill, Outcome
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from riskd.engine.core import Core
from riskd.rules.registry import compile_rulebook
from tests.support.desk import Desk, contract, ct

LOSS = {"DailyRealizedLoss": {"limit": "-100.00"}}


def locked_and_flat() -> Desk:
    """Return a desk that has lost its day, is proven flat and waits for 17:00."""
    desk = Desk(LOSS)
    desk.fill("buy", 2, "MNQ", "21000")
    desk.fill("sell", 2, "MNQ", "20900")
    desk.snapshot()
    assert desk.state.locked
    assert desk.state.flatten is None
    desk.forget()
    return desk


def bought(at: str, trade_id: str = "late") -> Fill:
    """Return a purchase of two at a time of that day in Chicago."""
    return Fill(
        account="A1",
        trade_id=trade_id,
        contract=contract("MNQ"),
        side=Side.BUY,
        quantity=2,
        price=Decimal(20900),
        at=ct(at),
    )


def closed(desk: Desk) -> None:
    """Let the broker carry out riskd's close, and show that nothing is left."""
    desk.outcome(Outcome.ACCEPTED)
    desk.order("9", "sell", 2, "MNQ", kind=OrderType.MARKET, status=OrderStatus.FILLED, filled=2)
    desk.fill("sell", 2, "MNQ", "20900", order_id="9")
    desk.snapshot()


def restarted(desk: Desk, at: str) -> None:
    """Start riskd anew from what was written, at a later time."""
    state = desk.core.state_manager.to_write("A1")
    desk.core = Core(compile_rulebook, desk.enforcement_engine)
    desk.core.restore({"A1": state})
    last_at, desk.at = desk.at, ct(at)
    desk.publish(DaemonStarted(last_at=last_at))


def test_a_purchase_under_the_lockout_that_is_told_after_its_end_is_closed() -> None:
    """Bought half a second before 17:00, heard of after it: the lockout comes back until that is closed."""
    desk = locked_and_flat()
    desk.wait("2026-03-10 17:00:00")
    assert desk.unlocks == 1

    desk.at += timedelta(milliseconds=300)
    desk.publish(bought("2026-03-10 16:59:59"))

    assert desk.state.locked
    assert desk.closes == [(contract("MNQ"), None)]
    closed(desk)
    assert desk.unlocks == 2


def test_a_purchase_after_the_end_is_the_traders_own_business() -> None:
    """The day after a lockout begins at 17:00 sharp."""
    desk = locked_and_flat()
    desk.wait("2026-03-10 17:00:00")

    desk.publish(bought("2026-03-10 17:00:00"))

    assert not desk.state.locked
    assert desk.closes == []


def test_what_was_bought_under_a_lockout_while_riskd_was_away_is_closed() -> None:
    """Killed at 16:00 and back at 17:05: what was bought at 16:30 goes, and then the lockout."""
    desk = locked_and_flat()
    desk.wait("2026-03-10 16:00:00")
    restarted(desk, "2026-03-10 17:05:00")
    desk.forget()

    desk.snapshot({"MNQ": 2}, fills=[bought("2026-03-10 16:30:00")])

    assert desk.state.locked
    assert desk.unlocks == 0
    assert desk.closes == [(contract("MNQ"), None)]
    closed(desk)
    assert desk.unlocks == 1


def test_what_was_bought_after_the_lockout_while_riskd_was_away_is_kept() -> None:
    """The lockout would have ended at 17:00; what was bought at 17:02 is nobody's fault."""
    desk = locked_and_flat()
    desk.wait("2026-03-10 16:00:00")
    restarted(desk, "2026-03-10 17:05:00")
    desk.forget()

    desk.snapshot({"MNQ": 2}, fills=[bought("2026-03-10 17:02:00")])

    assert not desk.state.locked
    assert desk.unlocks == 1
    assert desk.closes == []


def test_an_order_placed_under_a_lockout_while_riskd_was_away_is_cancelled() -> None:
    """An entry that was left resting at 16:30 must not fill in the new day."""
    desk = locked_and_flat()
    desk.wait("2026-03-10 16:00:00")
    restarted(desk, "2026-03-10 17:05:00")
    desk.forget()
    entry = WorkingOrder(
        order_id="7",
        contract=contract("MNQ"),
        side=Side.BUY,
        type=OrderType.LIMIT,
        status=OrderStatus.WORKING,
        size=2,
        limit_price=Decimal(20000),
        created_at=ct("2026-03-10 16:30:00"),
    )

    desk.snapshot(orders=[entry])

    assert desk.state.locked
    assert desk.cancels == ["7"]


def test_a_lockout_that_stands_again_is_not_shortened_by_the_one_before() -> None:
    """Locked anew in the next day by the same rule: what is heard late of the day before is closed under that."""
    desk = locked_and_flat()
    desk.wait("2026-03-10 17:00:00")
    desk.fill("buy", 2, "MNQ", "21000")
    desk.fill("sell", 2, "MNQ", "20900")
    desk.snapshot()
    (lockout,) = desk.state.lockouts

    desk.publish(bought("2026-03-10 16:59:58", "one"))
    desk.publish(bought("2026-03-10 16:59:59", "another"))

    assert desk.state.lockouts == (lockout,)
    assert desk.closes == [(contract("MNQ"), None)]
    assert not desk.state.no_new_risk

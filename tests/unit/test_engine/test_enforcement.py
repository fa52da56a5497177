"""The enforcement engine on the real core: what goes out, and what must not."""

from datetime import timedelta
from decimal import Decimal

import pytest

from riskd.domain.commands import ResizeOrder, Severity
from riskd.domain.events import AccountReported, Outcome
from riskd.domain.orders import OrderStatus, OrderType
from tests.support.desk import Desk, contract

MAX4 = {"MaxContracts": {"max_contracts": 4}}
LOSS500 = {"DailyRealizedLoss": {"limit": "-500.00"}}


def trimmed() -> Desk:
    """Return a desk with one ES too many, whose close has just been sent."""
    desk = Desk(MAX4)
    desk.fill("buy", 2, "MNQ", "21000")
    desk.fill("buy", 3, "ES", "5800")
    return desk


def test_a_trim_closes_the_newest_contracts_first() -> None:
    """2 MNQ and then 3 ES against a limit of 4 close one ES and nothing else."""
    desk = trimmed()

    assert desk.closes == [(contract("ES"), 1)]


def test_newest_means_by_the_brokers_time_not_by_arrival() -> None:
    """When the older fill arrives last, what was opened last at the broker is still closed first."""
    desk = Desk(MAX4)
    earlier = desk.at
    desk.wait(timedelta(seconds=1))
    desk.fill("buy", 3, "ES", "5800")
    desk.fill("buy", 2, "MNQ", "21000", at=earlier)

    assert desk.closes == [(contract("ES"), 1)]


def test_the_log_line_says_what_was_violated_and_closed() -> None:
    """When the trim's fill is back the line names the figures and what was closed."""
    desk = trimmed()
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800")

    assert [e.text for e in desk.ended] == ["MaxContracts violated: 5 > 4, closed 1 ES"]
    assert (desk.holds("MNQ"), desk.holds("ES")) == (2, 2)


def test_the_fill_may_come_before_the_answer() -> None:
    """A close whose fill overtakes its answer is done once both are there, and is not sent again."""
    desk = trimmed()
    desk.fill("sell", 1, "ES", "5800")
    desk.outcome(Outcome.ACCEPTED)

    assert desk.closes == [(contract("ES"), 1)]
    assert not desk.state.closes


def test_more_excess_waits_for_the_close_under_way() -> None:
    """A second excess of the same contract is closed only when the first close has come back."""
    desk = trimmed()
    desk.fill("buy", 1, "ES", "5800")
    assert len(desk.closes) == 1

    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800")

    assert desk.closes == [(contract("ES"), 1), (contract("ES"), 1)]


def test_a_close_under_way_counts_as_done_for_the_others() -> None:
    """While one ES is being closed a newer MNQ is closed for its own excess only."""
    desk = trimmed()
    desk.fill("buy", 1, "MNQ", "21000")

    assert desk.closes == [(contract("ES"), 1), (contract("MNQ"), 1)]


def test_a_refusal_is_retried_at_once_and_then_ever_later() -> None:
    """Refused closes are asked again at once, then after 0.25, 0.5 and 1 s."""
    desk = trimmed()
    desk.outcome(Outcome.REJECTED, "5")
    assert len(desk.closes) == 2

    for wait_ms, expected in ((250, 3), (500, 4), (1000, 5)):
        desk.outcome(Outcome.REJECTED, "5")
        assert len(desk.closes) == expected - 1
        desk.wait(timedelta(milliseconds=wait_ms))
        assert len(desk.closes) == expected


def test_refusals_of_long_ago_do_not_slow_a_new_close_down() -> None:
    """The broker refused, the trader sold himself; hours later another excess is asked for at once after a refusal."""
    desk = trimmed()
    for _ in range(4):
        desk.outcome(Outcome.REJECTED, "5")
        desk.wait(timedelta(seconds=20))
    desk.outcome(Outcome.REJECTED, "5")
    desk.fill("sell", 1, "ES", "5800")
    desk.wait(timedelta(hours=2))
    desk.forget()
    desk.fill("buy", 1, "ES", "5800")
    desk.outcome(Outcome.REJECTED, "5")

    assert len(desk.closes) == 2


def test_three_refusals_are_told_once() -> None:
    """The third real refusal puts the account into its error state and tells people, once."""
    desk = trimmed()
    for _ in range(5):
        desk.outcome(Outcome.REJECTED, "5")
        desk.wait(timedelta(seconds=20))

    assert [a.kind for a in desk.alerts if a.kind == "error_state"] == ["error_state"]
    assert desk.state.error_state


def test_a_closed_market_is_no_failure() -> None:
    """A refusal because the market is closed is asked again when the week opens, and never counts as a failure."""
    desk = Desk(MAX4, start="2026-03-13 15:59:59")
    desk.fill("buy", 5, "ES", "5800")
    desk.wait("2026-03-13 16:00:01")
    desk.outcome(Outcome.REJECTED, "market_closed")
    desk.wait("2026-03-15 16:59:59")
    assert len(desk.closes) == 1
    desk.wait("2026-03-15 17:00")

    assert len(desk.closes) == 2
    assert not desk.state.error_state


def test_nothing_is_resent_before_two_snapshots_agree() -> None:
    """After silence a close goes out again only when two snapshots half a second apart show the position unchanged."""
    desk = trimmed()
    desk.outcome(Outcome.UNKNOWN)
    desk.wait(timedelta(seconds=5))
    assert len(desk.closes) == 1

    desk.snapshot()
    assert len(desk.closes) == 1
    desk.wait(timedelta(milliseconds=400))
    desk.snapshot()
    assert len(desk.closes) == 1
    desk.wait(timedelta(milliseconds=100))
    desk.snapshot()

    assert desk.closes == [(contract("ES"), 1)] * 2


def test_an_unknown_close_that_took_effect_is_not_sent_again() -> None:
    """After silence the close's own fill, found in the snapshot, ends the matter."""
    desk = trimmed()
    desk.outcome(Outcome.UNKNOWN)
    desk.fill("sell", 1, "ES", "5800")
    desk.snapshot()
    desk.wait(timedelta(seconds=5))
    desk.snapshot()

    assert len(desk.closes) == 1
    assert not desk.state.closes


def test_a_traders_own_exit_is_not_taken_for_riskds_close() -> None:
    """A fill of an order that worked before the close was sent does not end the close."""
    desk = Desk(MAX4)
    desk.order("O1", "sell", 1, "ES", kind=OrderType.STOP)
    desk.fill("buy", 5, "ES", "5800")
    desk.fill("sell", 1, "ES", "5799", order_id="O1")
    desk.outcome(Outcome.ACCEPTED)

    assert contract("ES") in desk.state.closes


def test_a_lockout_locks_first_then_closes_and_spares_the_stop_until_then() -> None:
    """The lock comes before the close, entries go with it, the protective stop when the close is accepted."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.order("STOP", "sell", 2, "MNQ", kind=OrderType.STOP)
    desk.order("TARGET", "sell", 2, "MNQ", kind=OrderType.LIMIT)
    desk.forget()
    desk.quote("MNQ", "17875.25")
    assert (desk.locks, desk.broker_commands) == ([], [])
    desk.forget()

    desk.quote("MNQ", "17875.00")
    kinds = [type(c).__name__ for c in desk.commands][:3]
    assert kinds == ["LockAccount", "ClosePosition", "CancelOrder"]
    assert desk.cancels == ["TARGET"]

    desk.outcome(Outcome.ACCEPTED, command=desk.broker_commands[0])
    assert desk.cancels == ["TARGET", "STOP"]


def locked() -> Desk:
    """Return a desk that is locked, flat and confirmed to be."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 2, "MNQ", "17874.50")
    desk.snapshot()
    assert desk.state.locked
    assert desk.state.flatten is None
    desk.forget()
    return desk


def test_whatever_appears_under_a_lockout_is_closed() -> None:
    """A re-entry is closed whole, a resting entry is cancelled, each time."""
    desk = locked()
    desk.fill("sell", 1, "ES", "5800")
    assert desk.closes == [(contract("ES"), None)]
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("buy", 1, "ES", "5800")
    desk.snapshot()

    desk.order("O9", "buy", 3, "NQ")
    assert desk.cancels == ["O9"]


def test_the_third_reentry_is_told_as_critical() -> None:
    """From the third re-entry on a person is told."""
    desk = locked()
    for _ in range(3):
        desk.fill("sell", 1, "ES", "5800")
        desk.outcome(Outcome.ACCEPTED)
        desk.fill("buy", 1, "ES", "5800")
        desk.snapshot()

    assert [a.severity for a in desk.alerts if a.kind == "reentry"] == ["warning", "warning", "critical"]


def test_a_lockout_ends_at_17_and_the_day_is_new() -> None:
    """At 17:00 the account is free, with nothing realized."""
    desk = locked()
    desk.wait("2026-03-10 16:59:59")
    assert desk.state.locked
    desk.wait("2026-03-10 17:00")

    assert desk.unlocks == 1
    assert desk.core.state_manager.lockout_until("A1") is None
    assert desk.core.state_manager.realized_pnl_today("A1", desk.at) == 0


def test_no_lockout_ends_before_the_account_is_flat() -> None:
    """Locked at 15:59:50 with the close refused for a closed market: locked past 17:00 until it is flat."""
    desk = Desk(LOSS500, start="2026-03-10 15:59:50")
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    desk.wait("2026-03-10 16:00:01")
    desk.outcome(Outcome.REJECTED, "market_closed")
    desk.wait("2026-03-10 16:59:59")
    assert len(desk.closes) == 1

    desk.wait("2026-03-10 17:00")
    assert desk.state.locked
    assert len(desk.closes) == 2
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 2, "MNQ", "17870")
    desk.snapshot()

    assert not desk.state.locked


def test_a_late_fill_that_flips_is_closed_again() -> None:
    """A stop that fills beside the close leaves the account short under the lockout: that is closed too."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.order("STOP", "sell", 2, "MNQ", kind=OrderType.STOP)
    desk.quote("MNQ", "17875")
    desk.fill("sell", 2, "MNQ", "17874", order_id="STOP")
    desk.fill("sell", 2, "MNQ", "17874", order_id="OURS")
    desk.outcome(Outcome.ACCEPTED, command=desk.broker_commands[0])

    assert desk.closes == [(contract("MNQ"), None), (contract("MNQ"), None)]
    assert desk.holds("MNQ") == -2


def test_exits_left_after_a_trim_are_cut_to_the_position() -> None:
    """A stop for 4 is cut to 3 when a tightened limit has one of the 4 contracts closed."""
    desk = Desk(MAX4)
    desk.fill("buy", 4, "ES", "5800")
    desk.order("STOP", "sell", 4, "ES", kind=OrderType.STOP)
    desk.rules("A1", {"MaxContracts": {"max_contracts": 3}})
    assert desk.closes == [(contract("ES"), 1)]
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800", order_id="OURS")

    resized = desk.broker_commands[-1]
    assert isinstance(resized, ResizeOrder)
    assert (resized.order_id, resized.size) == ("STOP", 3)


def test_a_position_message_that_disagrees_asks_for_a_snapshot() -> None:
    """A fill that the hub lost is found: after 250 ms of disagreement a snapshot is asked for."""
    desk = Desk(MAX4)
    desk.position("ES", 5, "5800")
    desk.wait(timedelta(milliseconds=249))
    assert desk.snapshots_asked == 0
    desk.wait(timedelta(milliseconds=1))

    assert desk.snapshots_asked == 1
    assert desk.closes == []


def test_a_position_that_no_fill_explains_is_taken_over_after_two_snapshots() -> None:
    """What two snapshots show is adopted, told, and judged like any other position."""
    desk = Desk(MAX4)
    desk.snapshot({"ES": 5})
    assert desk.holds("ES") == 0
    desk.wait(timedelta(milliseconds=500))
    desk.snapshot({"ES": 5})

    assert desk.holds("ES") == 5
    assert desk.closes == [(contract("ES"), 1)]
    assert "reconciliation" in [a.kind for a in desk.alerts]


@pytest.mark.parametrize(("shown", "severity"), [(0, Severity.CRITICAL), (1, Severity.WARNING)])
def test_a_position_that_vanishes_without_a_fill_is_told_as_critical(shown: int, severity: Severity) -> None:
    """From then on riskd guards nothing there, so people hear of it at once; what is still held it guards on."""
    desk = Desk(MAX4)
    desk.fill("buy", 2, "ES", "5800")
    desk.wait(timedelta(seconds=30))
    for _ in range(2):
        desk.snapshot({"ES": shown} if shown else {})
        desk.wait(timedelta(milliseconds=500))

    assert desk.holds("ES") == shown
    assert [a.severity for a in desk.alerts if a.kind == "reconciliation"] == [severity]


def test_an_account_that_may_not_trade_gets_no_commands() -> None:
    """After canTrade turned false riskd watches, tells, and sends nothing."""
    desk = Desk(MAX4)
    desk.publish(AccountReported(account="A1", name="x", balance=Decimal(50000), can_trade=False))
    desk.fill("buy", 9, "ES", "5800")

    assert desk.broker_commands == []
    assert desk.alerts[0].kind == "can_trade"


def test_an_order_is_cancelled_once_while_it_is_being_cancelled() -> None:
    """Repeated reports of an order under a lockout lead to one cancel."""
    desk = locked()
    for _ in range(5):
        desk.order("O9", "buy", 3, "NQ")
    assert desk.cancels == ["O9"]
    desk.order("O9", "buy", 3, "NQ", status=OrderStatus.CANCELLED)
    assert not desk.state.cancels


def test_a_snapshot_does_not_undo_what_was_reported_while_it_was_read() -> None:
    """An order that appeared during the reading stays, one that ended during it does not come back."""
    desk = Desk(MAX4)
    desk.order("OLD", "buy", 1, "ES")
    old = desk.state.orders["OLD"]
    asked = desk.event_bus.last_seq
    desk.order("OLD", "buy", 1, "ES", status=OrderStatus.CANCELLED)
    desk.order("NEW", "buy", 1, "ES")

    desk.snapshot(orders=[old], asked_seq=asked)

    assert list(desk.state.orders) == ["NEW"]


def test_a_reentry_before_the_flat_is_confirmed_counts_as_one() -> None:
    """What appears between the last fill and the snapshot that would confirm it is a re-entry like any other."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 2, "MNQ", "17874.50")
    desk.forget()

    desk.fill("buy", 1, "ES", "5800")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800")

    assert [a.kind for a in desk.alerts] == ["reentry"]
    assert [(e.action, e.text) for e in desk.ended] == [
        (
            "flatten_account",
            "DailyRealizedLoss: new exposure under the lockout, flattened 1 ES, 2.00 USD past the limit",
        )
    ]


def test_an_enforcement_reports_how_far_past_the_limit_it_ended() -> None:
    """A flatten that fills half a point lower than the breach ends 2.00 USD past the limit, and says so."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17875")
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 2, "MNQ", "17874.50")

    assert desk.ended[0].overshoot == Decimal("2.00")
    assert desk.ended[0].text.endswith("flattened 2 MNQ, 2.00 USD past the limit")

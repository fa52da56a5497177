"""The thirteen rules, each with one story that leads to its limit, and that limit one unit either side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from riskd.domain.events import ConnectionChanged, Link, SnapshotReported
from tests.support.desk import Desk

Params = Mapping[str, object]
Story = Callable[[Desk], None]
BALANCE: Final = Decimal(50_000)
DAYS: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


@dataclass(frozen=True)
class Subject:
    """One rule: a story, and three sets of parameters of which the story stops short of, reaches, and passes the limit.

    `at_counts` says whether reaching the limit is a breach. `flip` is a story of a position that turns round, which
    breaks `beyond`; `after_reset` whether what the story broke is still broken after 17:00.
    """

    rule: str
    inside: Params
    at: Params
    beyond: Params
    story: Story
    flip: Story | None
    at_counts: bool = True
    after_reset: bool = True
    does: str = "close"


def three_bought(desk: Desk) -> None:
    """Hold three, bought at once."""
    desk.fill("buy", 3, "MNQ", "21000")


def three_turned(desk: Desk) -> None:
    """Turn long three into short three."""
    desk.fill("buy", 3, "MNQ", "21000")
    desk.wait(timedelta(seconds=3))
    desk.fill("sell", 6, "MNQ", "21000")


def lost(desk: Desk) -> None:
    """Lose 500 in one MNQ and be flat."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.wait(timedelta(seconds=3))
    desk.fill("sell", 1, "MNQ", "20750")


def lost_and_turned(desk: Desk) -> None:
    """Lose 500 in one MNQ and go short with the same order."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.wait(timedelta(seconds=3))
    desk.fill("sell", 2, "MNQ", "20750")


def won(desk: Desk) -> None:
    """Win 500 in one MNQ and be flat."""
    desk.fill("sell", 1, "MNQ", "21000")
    desk.wait(timedelta(seconds=3))
    desk.fill("buy", 1, "MNQ", "20750")


def won_and_turned(desk: Desk) -> None:
    """Win 500 in one MNQ and go long with the same order."""
    desk.fill("sell", 1, "MNQ", "21000")
    desk.wait(timedelta(seconds=3))
    desk.fill("buy", 2, "MNQ", "20750")


def under_water(desk: Desk) -> None:
    """Be 100 down on one MNQ."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.quote("MNQ", "20950")


def under_water_turned(desk: Desk) -> None:
    """Be 100 down on one MNQ that was sold by turning round."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 2, "MNQ", "21000")
    desk.quote("MNQ", "21050")


def in_the_money(desk: Desk) -> None:
    """Be 100 up on one MNQ."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.quote("MNQ", "21050")


def in_the_money_turned(desk: Desk) -> None:
    """Be 100 up on one MNQ that was sold by turning round."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 2, "MNQ", "21000")
    desk.quote("MNQ", "20950")


def three_trades(desk: Desk) -> None:
    """Trade three times within a minute, and hold the third."""
    for side in ("buy", "sell", "buy", "sell", "buy"):
        desk.fill(side, 1, "MNQ", "21000")
        desk.wait(timedelta(seconds=5))


def three_turns(desk: Desk) -> None:
    """Turn round twice: three trades, with never a moment flat."""
    for side, quantity in (("buy", 1), ("sell", 2), ("buy", 2)):
        desk.fill(side, quantity, "MNQ", "21000")
        desk.wait(timedelta(seconds=5))


def bare_for_ten_seconds(desk: Desk) -> None:
    """Hold one without a stop for ten seconds."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.wait(timedelta(seconds=10))


def turned_and_bare(desk: Desk) -> None:
    """Turn round and hold what came of it without a stop for ten seconds."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 2, "MNQ", "21000")
    desk.wait(timedelta(seconds=10))


def held_for_ten_seconds(desk: Desk) -> None:
    """Hold one while ten seconds pass."""
    desk.fill("buy", 1, "MNQ", "21000")
    desk.wait(timedelta(seconds=10))


def blind_for_ten_seconds(desk: Desk) -> None:
    """Be without the user hub for ten seconds."""
    desk.publish(ConnectionChanged(Link.USER_HUB, up=False))
    desk.wait(timedelta(seconds=10))


def until(end: str) -> Params:
    """Return hours that end then."""
    return {"allowed_days": DAYS, "allowed_times": [{"start": "08:30", "end": end}]}


def floor(drawdown: str) -> Params:
    """Return a drawdown from the balance that every story begins with."""
    return {"kind": "static", "start_balance": str(BALANCE), "drawdown": drawdown}


SUBJECTS: Final = {
    subject.rule: subject
    for subject in (
        Subject(
            "MaxContracts", {"max_contracts": 4}, {"max_contracts": 3}, {"max_contracts": 2},
            three_bought, three_turned, at_counts=False,
        ),
        Subject(
            "MaxContractsPerInstrument", {"limits": {"MNQ": 4}}, {"limits": {"MNQ": 3}}, {"limits": {"MNQ": 2}},
            three_bought, three_turned, at_counts=False,
        ),
        Subject(
            "DailyRealizedLoss", {"limit": "-500.50"}, {"limit": "-500.00"}, {"limit": "-499.50"},
            lost, lost_and_turned, after_reset=False, does="lock",
        ),
        Subject(
            "DailyRealizedProfit", {"limit": "500.50"}, {"limit": "500.00"}, {"limit": "499.50"},
            won, won_and_turned, after_reset=False, does="lock",
        ),
        Subject(
            "UnrealizedLoss", {"limit": "-100.50"}, {"limit": "-100.00"}, {"limit": "-99.50"},
            under_water, under_water_turned,
        ),
        Subject(
            "UnrealizedProfit", {"limit": "100.50"}, {"limit": "100.00"}, {"limit": "99.50"},
            in_the_money, in_the_money_turned,
        ),
        Subject(
            "TradeFrequencyLimit", {"max_trades": 4}, {"max_trades": 3}, {"max_trades": 2},
            three_trades, three_turns, at_counts=False, after_reset=False,
        ),
        Subject(
            "CooldownAfterLoss",
            {"loss_threshold": "-500.50", "cooldown_duration": "1h"},
            {"loss_threshold": "-500.00", "cooldown_duration": "1h"},
            {"loss_threshold": "-499.50", "cooldown_duration": "1h"},
            lost, lost_and_turned, does="cooldown",
        ),
        Subject(
            "NoStopLossGrace", {"grace_period": "11s"}, {"grace_period": "10s"}, {"grace_period": "9s"},
            bare_for_ten_seconds, turned_and_bare, does="look",
        ),
        Subject(
            "SessionBlockOutside", until("15:01"), until("15:00"), until("14:59"),
            held_for_ten_seconds, turned_and_bare,
        ),
        Subject(
            "SymbolBlock", {"blocked_symbols": ["NQ"]}, {"blocked_symbols": ["MNQ"]},
            {"blocked_symbols": ["NQ", "MNQ"]}, held_for_ten_seconds, turned_and_bare,
        ),
        Subject(
            "AuthLossGuard", {"after": "11s"}, {"after": "10s"}, {"after": "9s"},
            blind_for_ten_seconds, None, does="alert",
        ),
        Subject(
            "AccountDrawdown", floor("500.50"), floor("500.00"), floor("499.50"), lost, lost_and_turned, does="lock",
        ),
    )
}  # fmt: skip


def desk_with(rule: str, params: Params, *, start: str = "2026-03-10 14:59:50") -> Desk:
    """Return a desk with one rule and a balance, ten seconds before a session may end."""
    desk = Desk({rule: params}, start=start)
    tell_balance(desk, BALANCE)
    desk.forget()
    return desk


def tell_balance(desk: Desk, balance: Decimal) -> None:
    """Tell the balance of a flat account."""
    seq = desk.event_bus.last_seq
    desk.publish(SnapshotReported("A1", asked_seq=seq, positions=(), orders=(), fills=(), balance=balance))

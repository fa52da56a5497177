"""Fills, positions, money, and what the broker tells about them in which order."""

from decimal import Decimal

import pytest

from riskd.simulator.exchange import corrections
from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.exchange.events import AccountEvent
from riskd.simulator.exchange.model import Side
from tests.unit.test_simulator.market_day import ACCOUNT, MarketDay, told


def test_an_entry_is_told_in_the_brokers_order() -> None:
    """A market entry is told as pending, trade, filled, position, account."""
    day = MarketDay()

    reply = day.buy(2)

    assert told(reply.events) == ["order 6", "trade", "order 2", "position 2", "account"]


def test_a_close_is_told_in_the_brokers_order() -> None:
    """A close is told as pending, filled, trade, the opening trade again, flat, account."""
    day = MarketDay()
    day.buy(2)

    reply = day.close()

    expected = ["order 6", "order 2", "trade", "trade again", "position 0", "account"]
    assert told(reply.events) == expected


def test_the_account_event_comes_again_later() -> None:
    """One to three repeats of the account follow a fill within two seconds."""
    day = MarketDay(ExchangeOptions())

    repeats = [each for each in day.buy(1).events if isinstance(each, AccountEvent) and each.repeat]

    assert 1 <= len(repeats) <= 3
    assert all(50 <= each.after_ms <= 2000 for each in repeats)


def test_the_balance_moves_by_each_half_turn() -> None:
    """An entry costs its fees and commission; an exit earns its gross less its own."""
    day = MarketDay()

    day.buy(2)
    after_entry = day.balance
    day.price("20010.25")
    day.close()

    assert after_entry == Decimal(50000) - Decimal("1.22")
    assert day.balance == after_entry + Decimal("40.00") - Decimal("1.22")


@pytest.mark.parametrize(
    ("fills", "size", "average"),
    [
        (["buy 1 @ 100", "buy 1 @ 101"], 2, "100.5"),
        (["buy 2 @ 100", "buy 1 @ 101"], 3, "100.333333333"),
        (["buy 2 @ 100", "sell 1 @ 110"], 1, "100"),
        (["buy 2 @ 100", "sell 1 @ 110", "buy 1 @ 102"], 2, "101"),
        (["sell 3 @ 100", "sell 1 @ 104"], -4, "101"),
        (["buy 2 @ 100", "sell 5 @ 103"], -3, "103"),
    ],
)
def test_a_position_carries_the_weighted_mean_of_its_entries(fills: list[str], size: int, average: str) -> None:
    """Scaling in moves the average, a partial close leaves it, a flip starts it anew."""
    day = MarketDay(bid=None)

    for fill in fills:
        _fill(day, fill)

    position = day.exchange.read.positions(ACCOUNT, day.now)[0]
    assert (position.size, position.average_price) == (size, Decimal(average))


@pytest.mark.parametrize(
    ("fills", "earned"),
    [
        (["buy 1 @ 100", "buy 1 @ 102", "sell 1 @ 104"], ["8"]),
        (["buy 1 @ 100", "buy 1 @ 102", "sell 2 @ 104"], ["12"]),
        (["sell 2 @ 100", "buy 1 @ 99", "buy 1 @ 101"], ["2", "-2"]),
        (["buy 2 @ 100", "sell 5 @ 103", "buy 3 @ 100"], ["12", "18"]),
    ],
)
def test_a_close_earns_what_the_oldest_lots_earn(fills: list[str], earned: list[str]) -> None:
    """Realized profit is first in, first out, gross, and only on closing half-turns."""
    day = MarketDay(bid=None)

    for fill in fills:
        _fill(day, fill)

    trades = reversed(day.exchange.read.trades(ACCOUNT))
    figures = [each.profit_and_loss for each in trades if each.profit_and_loss is not None]
    assert figures == [Decimal(each) for each in earned]


def test_a_fill_that_flips_books_two_half_turns() -> None:
    """Selling five of a long of two closes the two and opens a new position of three."""
    day = MarketDay(bid=None)
    _fill(day, "buy 2 @ 100")

    reply = day.fill(Side.SELL, 5, "103")

    assert told(reply.events) == [
        "order 6",
        "order 2",
        "trade",
        "trade again",
        "position 0",
        "trade",
        "position -3",
        "account",
    ]


def test_fees_given_by_hand_are_shared_between_the_halves_of_a_flip() -> None:
    """Money given for a whole fill is split by size and none of it is lost."""
    day = MarketDay(bid=None)
    _fill(day, "buy 2 @ 100")

    day.fill(Side.SELL, 5, "103", fees=Decimal("5.00"), commissions=Decimal("2.50"))

    newest, closing = day.exchange.read.trades(ACCOUNT)[:2]
    assert (closing.fees, newest.fees) == (Decimal(2), Decimal(3))
    assert (closing.commissions, newest.commissions) == (Decimal(1), Decimal("1.5"))


def test_a_voided_trade_gives_its_money_and_contracts_back() -> None:
    """A busted entry leaves no position and the balance as it was."""
    day = MarketDay()
    day.buy(2)
    trade = day.exchange.read.trades(ACCOUNT)[0]

    events = corrections.void(day.exchange.books, trade.id, day.now)

    assert told(events) == ["trade", "position 0", "account"]
    assert day.balance == Decimal(50_000)
    assert day.exchange.read.trades(ACCOUNT)[0].voided


def test_voiding_one_of_two_entries_keeps_the_other() -> None:
    """The position is folded anew from the trades that still count, under its own id."""
    day = MarketDay(bid=None)
    _fill(day, "buy 1 @ 100")
    _fill(day, "buy 1 @ 110")
    before = day.exchange.read.positions(ACCOUNT, day.now)[0]
    oldest = day.exchange.read.trades(ACCOUNT)[-1]

    corrections.void(day.exchange.books, oldest.id, day.now)

    after = day.exchange.read.positions(ACCOUNT, day.now)[0]
    assert (after.id, after.size, after.average_price) == (before.id, 1, Decimal(110))


def test_a_voided_exit_brings_the_position_back() -> None:
    """What was closed is held again, with its own entry price; a second bust changes nothing."""
    day = MarketDay(bid=None)
    _fill(day, "buy 2 @ 100")
    _fill(day, "sell 2 @ 101")
    newest = day.exchange.read.trades(ACCOUNT)[0]

    corrections.void(day.exchange.books, newest.id, day.now)
    again = corrections.void(day.exchange.books, newest.id, day.now)

    position = day.exchange.read.positions(ACCOUNT, day.now)[0]
    assert (position.size, position.average_price) == (2, Decimal(100))
    assert again == []


def test_a_trade_can_be_told_again() -> None:
    """The same trade, unchanged, and nothing else."""
    day = MarketDay()
    day.buy(1)
    trade = day.exchange.read.trades(ACCOUNT)[0]

    assert told(corrections.resend(day.exchange.books, trade.id)) == ["trade again"]


def test_a_carried_position_has_no_trade_of_today() -> None:
    """A position held since yesterday shows in positions; closing it earns from its price."""
    day = MarketDay(bid="110")

    corrections.carry_in(day.exchange.books, (ACCOUNT, day.mnq), -2, Decimal(100), day.now)
    day.close()

    newest = day.exchange.read.trades(ACCOUNT, start=day.now)
    assert [each.profit_and_loss for each in newest] == [Decimal(-41)]


def test_ids_are_beyond_32_bits_for_orders_and_trades_only() -> None:
    """Orders and trades have 64-bit ids, positions 32-bit ones, as at the broker."""
    day = MarketDay()

    reply = day.buy(1)

    assert (reply.order_id or 0) > 2**31
    assert day.exchange.read.trades(ACCOUNT)[0].id > 2**31
    assert day.exchange.read.positions(ACCOUNT, day.now)[0].id < 2**31


def _fill(day: MarketDay, text: str) -> None:
    side, size, _, price = text.split()
    day.fill(Side[side.upper()], int(size), price)

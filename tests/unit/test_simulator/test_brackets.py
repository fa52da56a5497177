"""Stops and targets that the broker makes, per entry order or per position."""

from decimal import Decimal

import msgspec
import pytest

from riskd.simulator.exchange.admission import PlaceOrder
from riskd.simulator.exchange.events import OrderEvent
from riskd.simulator.exchange.model import (
    Account,
    AccountKind,
    Bracket,
    OrderStatus,
    OrderType,
    Side,
)
from tests.unit.test_simulator.market_day import ACCOUNT, MarketDay, auto_oco, told

_REFUSED = "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."


def test_position_bracket_accounts_refuse_bracket_objects() -> None:
    """Only an Auto OCO account takes brackets with an order."""
    day = MarketDay()

    reply = day.buy(1, brackets=(-40, 80))

    assert (reply.code, reply.message) == (2, _REFUSED)


def test_children_come_suspended_with_the_entry_and_open_with_its_fill() -> None:
    """Children first, with the ids after the entry's; then the entry; then they open, priced."""
    day = MarketDay(account=auto_oco())

    reply = day.buy(1, brackets=(-40, 80), tag="t")

    entry = reply.order_id or 0
    assert told(reply.events) == [
        "order 8",
        "order 8",
        "order 6",
        "trade",
        "order 2",
        "position 1",
        "account",
        "order 1",
        "order 1",
    ]
    suspended = [each.order for each in reply.events[:2] if isinstance(each, OrderEvent)]
    assert [each.id for each in suspended] == [entry + 1, entry + 2]
    assert [each.parent_id for each in suspended] == [entry, entry]
    assert [each.linked_id for each in suspended] == [None, entry + 1]
    assert [each.custom_tag for each in suspended] == ["t-SL", "t-TP"]
    assert [each.trail_distance for each in suspended] == [-40, 80]
    assert suspended[0].stop_price is None
    assert day.order(entry + 1).stop_price == Decimal("19990.25")
    assert day.order(entry + 2).limit_price == Decimal("20020.25")


def test_suspended_children_are_in_no_search_but_the_query() -> None:
    """Neither search nor searchOpen shows a suspended order."""
    day = MarketDay(account=auto_oco())

    day.ask_for(Side.BUY, 1, OrderType.LIMIT, limit="19000", brackets=(-40, None))

    assert len(day.exchange.read.open_orders(ACCOUNT)) == 1
    assert len(day.exchange.read.orders(ACCOUNT, day.now)) == 1


@pytest.mark.parametrize(("price", "filled", "cancelled"), [("20020.50", 2, 1), ("19990.25", 1, 2)])
def test_one_legs_fill_cancels_the_other(price: str, filled: int, cancelled: int) -> None:
    """The target's fill cancels the stop, the stop's fill cancels the target."""
    day = MarketDay(account=auto_oco())
    entry = day.buy(1, brackets=(-40, 80)).order_id or 0

    day.price(price)

    assert day.order(entry + filled).status is OrderStatus.FILLED
    assert day.order(entry + cancelled).status is OrderStatus.CANCELLED
    assert day.held == 0


def test_cancelling_the_entry_cancels_its_children() -> None:
    """What never fills needs no protection."""
    day = MarketDay(account=auto_oco())
    reply = day.ask_for(Side.BUY, 1, OrderType.LIMIT, limit="19000", brackets=(-40, 80))
    entry = reply.order_id or 0

    day.exchange.cancel(ACCOUNT, entry, day.now)

    assert day.order(entry + 1).status is OrderStatus.CANCELLED
    assert day.order(entry + 2).status is OrderStatus.CANCELLED


def test_a_short_entrys_brackets_lie_the_other_way() -> None:
    """A short is protected above and takes its profit below, whatever the signs sent."""
    day = MarketDay(account=auto_oco())

    entry = day.sell(1, brackets=(40, 80)).order_id or 0

    assert day.order(entry + 1).stop_price == Decimal(20010)
    assert day.order(entry + 2).limit_price == Decimal(19980)


def test_going_flat_cancels_all_legs() -> None:
    """A close by any other way leaves no leg working."""
    day = MarketDay(account=auto_oco())
    day.buy(1, brackets=(-40, 80))
    day.buy(1, brackets=(-40, 80))

    day.close()

    assert day.exchange.read.open_orders(ACCOUNT) == []


@pytest.mark.parametrize(("side", "left"), [(Side.BUY, 2), (Side.SELL, 4)])
def test_after_a_partial_exit_a_long_loses_its_youngest_legs_and_a_short_none(side: Side, left: int) -> None:
    """As seen on the real broker: a short keeps orphaned legs, which a guard must notice."""
    day = MarketDay(account=auto_oco())
    day.ask_for(side, 1, brackets=(40, 80))
    day.ask_for(side, 1, brackets=(40, 80))

    day.partial_close(1)

    assert len(day.exchange.read.open_orders(ACCOUNT)) == left


def test_a_trailing_leg_follows_the_price() -> None:
    """A trailing stop leg starts at its distance from the fill and moves with the market."""
    day = MarketDay(account=auto_oco())
    entry = day.exchange.place(_with_trailing_leg(day), day.now).order_id or 0

    day.price("20020")

    assert day.order(entry + 1).stop_price == Decimal(20010)


def _with_trailing_leg(day: MarketDay) -> PlaceOrder:
    return PlaceOrder(
        account_id=ACCOUNT,
        contract_id=day.mnq,
        type=OrderType.MARKET,
        side=Side.BUY,
        size=1,
        stop_loss=Bracket(ticks=-40, type=OrderType.TRAILING_STOP),
    )


def test_position_brackets_follow_the_position() -> None:
    """One stop and one target per position, in dollars, renewed when the position changes."""
    account = Account(
        id=ACCOUNT,
        name="X",
        position_stop_usd=Decimal(100),
        position_target_usd=Decimal(200),
    )
    day = MarketDay(account=account)

    day.buy(1)
    first = [(each.stop_price, each.limit_price) for each in day.exchange.read.open_orders(ACCOUNT)]
    day.buy(1)
    second = [each.size for each in day.exchange.read.open_orders(ACCOUNT)]
    day.close()

    assert first == [(Decimal("19950.25"), None), (None, Decimal("20100.25"))]
    assert second == [2, 2]
    assert day.exchange.read.open_orders(ACCOUNT) == []


def test_a_followers_account_repeats_its_leaders_fills() -> None:
    """Each fill of the leader is copied at its price, times the ratio."""
    day = MarketDay(account=Account(id=ACCOUNT, name="L", kind=AccountKind.LEADER))
    day.exchange.add_account(Account(id=102, name="F", kind=AccountKind.FOLLOWER, leader_id=ACCOUNT, copy_ratio=2))

    day.buy(1)
    copied = day.exchange.books.held(102, day.mnq)
    day.close()

    assert copied == 2
    assert day.exchange.books.held(102, day.mnq) == 0


def test_positions_can_trail_trades() -> None:
    """With a lag, reads show what was held before, and the event says how late it is."""
    day = MarketDay()
    day.exchange.set_options(msgspec.structs.replace(day.exchange.books.options, positions_lag_ms=1500), day.now)

    events = day.buy(1).events
    at_once = day.exchange.read.positions(ACCOUNT, day.now)
    day.price("20001")
    day.price("20002")
    later = day.exchange.read.positions(ACCOUNT, day.now)

    assert at_once == []
    assert [each.size for each in later] == [1]
    assert [each.after_ms for each in events if told([each])[0].startswith("position")] == [1500]

"""What the broker refuses, with its numbers and words."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from riskd.simulator.exchange.admission import ModifyOrder, PlaceOrder
from riskd.simulator.exchange.model import (
    Account,
    AccountKind,
    Bracket,
    OrderStatus,
    OrderType,
    Phase,
    Side,
)
from tests.unit.test_simulator.market_day import ACCOUNT, QUIET, MarketDay, auto_oco, told

_OFF_GRID = "Invalid price. Price is not aligned to tick size."


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"account_id": 9}, 1, None),
        ({"contract_id": "CON.F.US.NOPE.Z26"}, 8, None),
        ({"contract_id": "CON.F.US.MNQ.U26"}, 9, None),
        ({"type": 0}, 2, "Invalid order type"),
        ({"side": 2}, 2, "Invalid order side"),
        ({"size": 0}, 2, "Invalid order size"),
        ({"size": -1}, 2, "Invalid order size"),
        ({"type": 1}, 2, "Invalid price"),
        ({"custom_tag": "x" * 256}, 2, "Custom tag is too long"),
        ({"type": 1, "limit_price": Decimal("20000.10")}, 2, _OFF_GRID),
        ({"type": 1, "limit_price": Decimal("NaN")}, 2, _OFF_GRID),
        ({"type": 1, "limit_price": Decimal("Infinity")}, 2, _OFF_GRID),
        ({"type": 1, "limit_price": Decimal("1e400")}, 2, _OFF_GRID),
        ({"type": 4, "stop_price": Decimal("20010.10")}, 2, _OFF_GRID),
        ({"type": 4, "stop_price": Decimal(19990)}, 2, "Invalid price"),
        ({"type": 5}, 2, "Trail Distance not set."),
        (
            {"type": 5, "trail_price": Decimal("20010.1")},
            2,
            "Invalid trail price. Price is not aligned to tick size.",
        ),
        ({"type": 5, "trail_price": Decimal(20300)}, 2, "Trail Distance exceeds maximum (1000)"),
    ],
)
def test_an_order_is_refused(change: dict[str, object], code: int, message: str | None) -> None:
    """Each fault of a buy order at a market of 20000 has its number and its words."""
    day = MarketDay()
    order = PlaceOrder(account_id=ACCOUNT, contract_id=day.mnq, type=2, side=0, size=1)

    reply = day.exchange.place(msgspec.structs.replace(order, **change), day.now)

    assert (reply.code, reply.message) == (code, message)


def test_a_rejected_order_is_written_and_has_an_id() -> None:
    """Nobody may take an order id for acceptance: a rejected order has one too."""
    day = MarketDay()
    day.exchange.set_phase(None, Phase.CLOSED)

    reply = day.buy(1)

    assert reply.code == 5
    assert told(reply.events) == ["order 6", "order 5"]
    assert day.order(reply.order_id).status is OrderStatus.REJECTED


@pytest.mark.parametrize(
    ("phase", "kind", "code"),
    [
        (Phase.CLOSED, OrderType.MARKET, 5),
        (Phase.CLOSED, OrderType.LIMIT, 5),
        (Phase.HALTED, OrderType.MARKET, 2),
        (Phase.PRE_OPEN, OrderType.MARKET, 5),
        (Phase.PRE_OPEN, OrderType.LIMIT, 0),
        (Phase.OPEN, OrderType.MARKET, 0),
    ],
)
def test_the_market_must_be_open(phase: Phase, kind: OrderType, code: int) -> None:
    """Closed and halted markets take nothing, the pre-open only what rests."""
    day = MarketDay()
    day.exchange.set_phase(day.mnq, phase)
    limit = "19000" if kind is OrderType.LIMIT else None

    assert day.ask_for(Side.BUY, 1, kind, limit=limit).code == code


def test_a_tag_is_used_once() -> None:
    """A second order with the same tag is refused, on the same account only."""
    day = MarketDay()
    day.buy(1, tag="mine")

    again = day.buy(1, tag="mine")

    assert (again.code, again.order_id) == (2, None)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"can_trade": False}, 4),
        ({"balance": Decimal(0)}, 3),
        ({"max_position": 2}, 2),
    ],
)
def test_an_account_may_not_trade(change: dict[str, object], code: int) -> None:
    """A barred, a broke and a full account refuse an entry of three, each with its number."""
    account = msgspec.structs.replace(Account(id=ACCOUNT, name="X"), **change)
    day = MarketDay(account=account)

    assert day.buy(3).code == code


def test_without_a_price_nothing_fills_or_trails() -> None:
    """A market order and a close are rejected without words, a trailing stop with some."""
    day = MarketDay(bid=None)

    assert (day.buy(1).code, day.buy(1).message) == (2, None)
    trailing = day.ask_for(Side.SELL, 1, OrderType.TRAILING_STOP, trail="100")
    assert trailing.message == "Cannot trail without a last price"


@pytest.mark.parametrize(
    ("prepare", "close_code", "partial_code"),
    [
        (lambda day: day.exchange.set_phase(None, Phase.CLOSED), 5, 6),
        (lambda day: day.exchange.set_phase(None, Phase.HALTED), 5, 6),
        (lambda day: day.exchange.books.contracts.expire(day.mnq), 4, 4),
        (
            lambda day: day.exchange.add_account(msgspec.structs.replace(day.account, can_trade=False)),
            8,
            9,
        ),
        (lambda day: day.close(), 2, 2),
    ],
)
def test_a_close_is_refused(prepare: Callable[[MarketDay], object], close_code: int, partial_code: int) -> None:
    """Closed market, expired contract, barred account, no position: each its own number."""
    day = MarketDay()
    day.buy(2)
    prepare(day)

    assert (day.close().code, day.partial_close(1).code) == (close_code, partial_code)


@pytest.mark.parametrize("size", [0, -1, 3])
def test_a_partial_close_must_fit_the_position(size: int) -> None:
    """Nothing, less than nothing and more than held are invalid sizes."""
    day = MarketDay()
    day.buy(2)

    assert day.partial_close(size).code == 5


@pytest.mark.parametrize(
    ("kind", "cancel", "partial"),
    [
        (AccountKind.PRACTICE, (0, None), 0),
        (AccountKind.COMBINE, (0, None), 0),
        (AccountKind.FUNDED, (0, None), 0),
        (AccountKind.LEADER, (0, None), 0),
        (AccountKind.LIVE, (6, "Live accounts not supported"), 9),
        (AccountKind.FOLLOWER, (6, "Follower accounts cannot cancel orders"), 9),
    ],
)
def test_account_kinds_refuse_their_calls(kind: AccountKind, cancel: tuple[int, str | None], partial: int) -> None:
    """Live and follower accounts refuse cancels and partial closes; a whole close works."""
    day = MarketDay(account=Account(id=ACCOUNT, name="X", kind=kind))
    day.buy(2)
    order = day.ask_for(Side.BUY, 1, OrderType.LIMIT, limit="19000").order_id or 0

    cancelled = day.exchange.cancel(ACCOUNT, order, day.now)

    assert (cancelled.code, cancelled.message) == cancel
    assert day.partial_close(1).code == partial
    assert day.close().code == 0


def test_calls_on_what_does_not_exist_are_told_apart() -> None:
    """An unknown account and an unknown contract have numbers of their own at each call."""
    day = MarketDay()
    exchange, now = day.exchange, day.now
    unknown = ModifyOrder(account_id=9, order_id=1, size=1)

    assert exchange.cancel(9, 1, now).code == 1
    assert exchange.modify(unknown, now).code == 1
    assert exchange.close(9, day.mnq, now).code == 1
    assert exchange.close(ACCOUNT, "nothing", now).code == 3
    assert exchange.partial_close(9, day.mnq, size=1, at=now).code == 1


@pytest.mark.parametrize(
    ("stop", "target", "message"),
    [
        (Bracket(ticks=-8, type=1), None, "Invalid stop loss bracket type"),
        (None, Bracket(ticks=8, type=4), "Invalid take profit bracket type"),
    ],
)
def test_bracket_legs_have_their_types(stop: Bracket | None, target: Bracket | None, message: str) -> None:
    """A stop leg is a stop or a trailing stop, a target leg a limit."""
    day = MarketDay(account=auto_oco())
    order = PlaceOrder(
        account_id=ACCOUNT,
        contract_id=day.mnq,
        type=2,
        side=0,
        size=1,
        stop_loss=stop,
        take_profit=target,
    )

    assert day.exchange.place(order, day.now).message == message


def test_a_partly_filled_order_shrinks_to_what_is_filled_at_least() -> None:
    """Its size can be changed, but not to what is filled already."""
    day = MarketDay(msgspec.structs.replace(QUIET, fill_chunk=2))
    order = day.ask_for(Side.BUY, 5, OrderType.LIMIT, limit="20001").order_id

    assert day.modify(order, size=2).message == "Invalid size"
    assert day.modify(order, size=3).success
    assert (day.order(order).size, day.held) == (3, 3)


def test_a_trailing_stop_gets_a_new_distance() -> None:
    """Its new level is measured from the last price, without a maximum."""
    day = MarketDay()
    order = day.ask_for(Side.SELL, 1, OrderType.TRAILING_STOP, trail="19990").order_id

    assert day.modify(order, trail_price="19500").success
    assert (day.order(order).stop_price, day.order(order).trail_distance) == (Decimal(19500), 2000)


def test_an_order_that_ended_cannot_be_cancelled_or_changed() -> None:
    """A cancel that lost the race against the fill is rejected, an unknown one not found."""
    day = MarketDay()
    filled = day.buy(1).order_id or 0

    assert day.exchange.cancel(ACCOUNT, filled, day.now).code == 3
    assert day.exchange.cancel(ACCOUNT, 77, day.now).code == 2
    assert day.modify(filled, limit_price="20000").code == 3
    assert day.modify(77, limit_price="20000").code == 2


def test_a_change_keeps_to_the_grid_and_its_side() -> None:
    """A stop is moved where a stop may lie, and nowhere else."""
    day = MarketDay()
    stop = day.ask_for(Side.SELL, 1, OrderType.STOP, stop="19900").order_id

    assert day.modify(stop, stop_price="19900.10").message == _OFF_GRID
    assert day.modify(stop, stop_price="20100").message == "Invalid price"
    assert day.modify(stop, stop_price="19950").code == 0
    assert day.order(stop).stop_price == Decimal(19950)


def test_an_expired_month_takes_its_orders_along() -> None:
    """What rests in a contract expires with it."""
    day = MarketDay()
    order = day.ask_for(Side.BUY, 1, OrderType.LIMIT, limit="19000").order_id

    day.keep(day.exchange.tick(datetime(2026, 12, 31, 23, tzinfo=UTC)))

    assert day.order(order).status is OrderStatus.EXPIRED
    assert day.buy(1).code == 0  # today it is still listed

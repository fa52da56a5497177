"""Which prices fill which orders, and at what price."""

from decimal import Decimal

import msgspec
import pytest

from riskd.simulator.exchange.books import CloseTerms, ExchangeOptions
from riskd.simulator.exchange.model import OrderStatus, OrderType, Phase, Side
from tests.unit.test_simulator.market_day import ACCOUNT, QUIET, MarketDay, told


@pytest.mark.parametrize(
    ("side", "kind", "level", "path", "filled_at"),
    [
        # a limit fills when the other side of the book reaches it
        (Side.BUY, "limit", "19990", ["ask 19990.25"], None),
        (Side.BUY, "limit", "19990", ["ask 19990"], "19990"),
        (Side.SELL, "limit", "20010", ["bid 20009.75"], None),
        (Side.SELL, "limit", "20010", ["bid 20012"], "20010"),
        # or when a print goes through it
        (Side.BUY, "limit", "19990", ["last 19990"], None),
        (Side.BUY, "limit", "19990", ["last 19989.75"], "19990"),
        # a limit that the market reaches already fills at the market
        (Side.BUY, "limit", "20005", [], "20000.25"),
        (Side.SELL, "limit", "19995", [], "20000"),
        # a stop is triggered by a print at it, and pays the market
        (Side.BUY, "stop", "20010", ["last 20009.75"], None),
        (Side.BUY, "stop", "20010", ["last 20010"], "20010"),
        (Side.SELL, "stop", "19990", ["last 19985"], "19985"),
        (Side.SELL, "stop", "19990", ["last 19990 bid 19989.75 ask 19990.25"], "19989.75"),
        # or by the far side of the book
        (Side.SELL, "stop", "19990", ["bid 19980"], None),
        (Side.SELL, "stop", "19990", ["bid 19980 ask 19981"], "19980"),
        # a stop-limit rests as a limit once triggered
        (Side.SELL, "stop_limit", "19990/19988", ["last 19985 bid 19985 ask 19986"], None),
        (
            Side.SELL,
            "stop_limit",
            "19990/19988",
            ["last 19985 bid 19985 ask 19986", "bid 19988"],
            "19988",
        ),
        # joining the book rests at its best price
        (Side.BUY, "join_bid", "", ["ask 20000"], "20000"),
        (Side.SELL, "join_ask", "", ["bid 20000.25"], "20000.25"),
    ],
)
def test_a_price_fills_an_order(side: Side, kind: str, level: str, path: list[str], filled_at: str | None) -> None:
    """The market stands at 20000 by 20000.25; each step changes the prices it names."""
    day = MarketDay()

    placed = _placed(day, side, kind, level)
    for step in path:
        words = step.split()
        day.quote(**dict(zip(words[::2], words[1::2], strict=True)))

    order = day.order(placed)
    assert order.filled_price == (None if filled_at is None else Decimal(filled_at))
    assert order.working is (filled_at is None)


def _placed(day: MarketDay, side: Side, kind: str, level: str) -> int:
    stop, _, limit = level.partition("/")
    known = OrderType[kind.upper()]
    if known is OrderType.LIMIT:
        stop, limit = "", level
    reply = day.ask_for(side, 1, known, stop=stop or None, limit=limit or None)
    assert reply.success, reply.message
    return reply.order_id or 0


def test_a_trailing_stop_follows_and_never_turns_back() -> None:
    """It rises with the last price by its distance, stays on a fall, and then fills."""
    day = MarketDay()
    day.buy(1)
    stop = day.ask_for(Side.SELL, 1, OrderType.TRAILING_STOP, trail="19990").order_id
    levels = []
    for price in ("20005", "20003", "20006", "19997"):
        day.price(price)
        levels.append(day.order(stop).stop_price)

    assert levels == [Decimal(19995), Decimal(19995), Decimal(19996), Decimal(19996)]
    assert day.order(stop).trail_distance == 40
    assert day.order(stop).working
    day.price("19996")
    assert day.order(stop).filled_price == Decimal(19996)


def test_a_resting_order_is_told_as_pending_then_open() -> None:
    """An order that the market does not reach goes from pending to open."""
    day = MarketDay()

    reply = day.ask_for(Side.BUY, 1, OrderType.LIMIT, limit="19000")

    assert told(reply.events) == ["order 6", "order 1"]


def test_an_order_can_fill_in_chunks() -> None:
    """With limited size at each price an order fills over several, and stays open between."""
    day = MarketDay(msgspec.structs.replace(QUIET, fill_chunk=2))

    order = day.ask_for(Side.BUY, 5, OrderType.LIMIT, limit="20001").order_id
    states = [(day.order(order).status, day.order(order).filled)]
    for _ in range(2):
        day.quote(ask="20000.50")
        states.append((day.order(order).status, day.order(order).filled))

    assert states == [(1, 2), (1, 4), (OrderStatus.FILLED, 5)]


def test_market_orders_slip_by_the_ticks_asked_for() -> None:
    """Slippage makes a buy dearer and a sell cheaper."""
    day = MarketDay(msgspec.structs.replace(QUIET, slippage_ticks=3))

    day.buy(1)
    day.close()

    prices = [each.price for each in reversed(day.exchange.read.trades(ACCOUNT))]
    assert prices == [Decimal("20001.00"), Decimal("19999.25")]


def test_nothing_fills_while_the_market_is_closed() -> None:
    """Resting orders wait for the open."""
    day = MarketDay()
    order = day.ask_for(Side.BUY, 1, OrderType.LIMIT, limit="19990").order_id

    day.exchange.set_phase(None, Phase.CLOSED)
    day.price("19980")
    waited = day.order(order).working
    day.exchange.set_phase(None, None)
    day.price("19980")

    assert waited
    assert day.order(order).status is OrderStatus.FILLED


def test_without_matching_orders_rest_and_closes_fill_at_the_last_price() -> None:
    """The hand of a test decides what fills; a close still ends the position."""
    day = MarketDay(ExchangeOptions(repeat_accounts=(0, 0), matching=False))
    day.buy(1)
    day.fill(Side.BUY, 1, "20007")

    day.price("20009")
    day.close()

    assert day.held == 0
    assert day.exchange.read.trades(ACCOUNT)[0].price == Decimal(20009)
    assert len(day.exchange.read.open_orders(ACCOUNT)) == 1


def test_a_fill_marks_a_contract_that_nobody_quoted() -> None:
    """Without a single quote a close fills at the last fill's price."""
    day = MarketDay(ExchangeOptions(repeat_accounts=(0, 0), matching=False), bid=None)
    day.fill(Side.BUY, 1, "20007")

    reply = day.close()

    assert reply.success
    assert day.exchange.read.trades(ACCOUNT)[0].price == Decimal(20007)


def test_a_close_can_be_made_to_wait_for_its_fill() -> None:
    """With closes_fill off, a fill by hand goes to the close that waits, not to a new order."""
    options = ExchangeOptions(repeat_accounts=(0, 0), matching=False, closes_fill=False)
    day = MarketDay(options)
    day.fill(Side.BUY, 2, "20007")
    close = day.close()

    filled = day.fill(Side.SELL, 2, "20001")

    assert close.success
    assert filled.order_id == close.order_id
    assert day.held == 0


def test_switching_matching_on_fills_what_the_market_reaches() -> None:
    """An order that rested without matching fills as soon as prices count again."""
    day = MarketDay(ExchangeOptions(repeat_accounts=(0, 0), matching=False))
    order = day.buy(1).order_id

    day.keep(day.exchange.set_options(QUIET, day.now))

    assert day.order(order).filled_price == Decimal("20000.25")


@pytest.mark.parametrize(
    ("terms", "at_once", "in_the_end"),
    [
        (CloseTerms(), 0, 0),
        (CloseTerms(delay_ms=500), 3, 0),
        (CloseTerms(part=1), 2, 2),
        (CloseTerms(delay_ms=500, part=2), 3, 1),
    ],
)
def test_a_close_can_be_slow_or_partial(terms: CloseTerms, at_once: int, in_the_end: int) -> None:
    """A close may fill later, and only in part with the rest cancelled."""
    day = MarketDay()
    day.buy(3)
    day.exchange.close_terms = terms

    reply = day.close()
    held = day.held
    day.price("20001")
    deadline = day.exchange.next_deadline(day.now)
    day.keep(day.exchange.tick(deadline))

    assert reply.success
    assert (held, day.held) == (at_once, in_the_end)
    assert not day.exchange.read.open_orders(ACCOUNT)

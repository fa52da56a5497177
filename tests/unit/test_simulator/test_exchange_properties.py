"""Whatever is asked of the exchange, its books add up and the same calls give the same events."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.simulator.exchange import corrections
from riskd.simulator.exchange.books import CloseTerms, ExchangeOptions
from riskd.simulator.exchange.events import Event
from riskd.simulator.exchange.model import Account, BracketMode, OrderType, Phase, Side
from tests.unit.test_simulator.market_day import ACCOUNT, MarketDay

_SIDES = st.sampled_from(Side)
_SIZES = st.integers(-1, 5)
_PRICES = st.integers(-60, 60).map(lambda ticks: str(20000 + Decimal(ticks) / 4))


@dataclass(frozen=True)
class Step:
    """One thing that somebody does."""

    what: str
    side: Side
    size: int
    price: str


def _cancel(day: MarketDay, step: Step) -> None:
    working = day.exchange.read.open_orders(ACCOUNT)
    if working:
        day.exchange.cancel(ACCOUNT, working[step.size % len(working)].id, day.now)


def _slow_close(day: MarketDay, step: Step) -> None:
    day.exchange.close_terms = CloseTerms(delay_ms=1500, part=max(step.size, 1))
    day.close()


def _fill(day: MarketDay, step: Step) -> None:
    if step.size > 0:
        day.fill(step.side, step.size, step.price)


def _void(day: MarketDay, step: Step) -> None:
    booked = list(day.exchange.books.trades)
    if booked:
        voided = booked[step.size % len(booked)]
        day.keep(corrections.void(day.exchange.books, voided, day.now))


_DOINGS: dict[str, Callable[[MarketDay, Step], object]] = {
    "market": lambda day, step: day.ask_for(step.side, step.size),
    "limit": lambda day, step: day.ask_for(step.side, step.size, OrderType.LIMIT, limit=step.price),
    "stop": lambda day, step: day.ask_for(step.side, step.size, OrderType.STOP, stop=step.price),
    "trail": lambda day, step: day.ask_for(step.side, step.size, OrderType.TRAILING_STOP, trail=step.price),
    "bracket": lambda day, step: day.ask_for(step.side, step.size, brackets=(-8, 12)),
    "close": lambda day, _: day.close(),
    "partial": lambda day, step: day.partial_close(step.size),
    "slow": _slow_close,
    "price": lambda day, step: day.price(step.price),
    "fill": _fill,
    "cancel": _cancel,
    "void": _void,
    "halt": lambda day, _: day.exchange.set_phase(None, Phase.HALTED),
    "open": lambda day, _: day.exchange.set_phase(None, None),
}
_STEPS = st.builds(Step, st.sampled_from(list(_DOINGS)), _SIDES, _SIZES, _PRICES)


def _lived(steps: list[Step], mode: BracketMode) -> tuple[MarketDay, list[Event]]:
    account = Account(id=ACCOUNT, name="X", brackets=mode, position_stop_usd=Decimal(40))
    day = MarketDay(ExchangeOptions(), account=account)
    for step in steps:
        _DOINGS[step.what](day, step)
        day.keep(day.exchange.tick(day.now))
        _check(day)
    return day, day.events


def _check(day: MarketDay) -> None:
    """Hold the books against the trades alone."""
    books = day.exchange.books
    counting = [each for each in books.trades.values() if not each.voided]
    held = sum(each.side.sign * each.size for each in counting)
    paid = sum((each.cash for each in counting), Decimal(0))
    lots = books.holdings.get((ACCOUNT, day.mnq))

    assert day.held == held
    assert day.balance == 50_000 + paid
    assert (lots is None) == (held == 0)
    assert lots is None or sum(lot.left for lot in lots.lots) == abs(held)
    for order in books.orders.values():
        assert 0 <= order.filled <= order.size
        assert order.final or order.left > 0
    assert {each.id for each in day.exchange.read.open_orders(ACCOUNT)} == set(books.working.get(day.mnq, ()))


@pytest.mark.parametrize("mode", list(BracketMode))
@settings(deadline=None, max_examples=60, derandomize=True)
@given(steps=st.lists(_STEPS, max_size=25))
def test_the_books_add_up(mode: BracketMode, steps: list[Step]) -> None:
    """Position and balance are what the trades say, after every step; and it happens again."""
    _, events = _lived(steps, mode)
    _, again = _lived(steps, mode)

    assert events == again

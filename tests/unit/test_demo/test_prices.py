"""The demo's market: seeded, on the tick grid, calm when it has to be."""

from decimal import Decimal

import pytest

from riskd.app.demo.prices import ES, MNQ, TICK, Mood, Prices, Quote

SEEDS = range(25)
POINT = {ES: Decimal(50), MNQ: Decimal(2)}


def steps(prices: Prices, mood: Mood, count: int) -> list[Quote]:
    """Return the quotes of so many steps."""
    return [quote for _ in range(count) for quote in prices.step(mood)]


def test_a_seed_decides_every_price() -> None:
    """Two walks of one seed are the same, those of two seeds are not."""
    one, same, other = (steps(Prices(seed), Mood.FALLING, 50) for seed in (5, 5, 6))
    assert one == same
    assert one != other


@pytest.mark.parametrize("mood", Mood)
def test_every_quote_could_be_a_real_one(mood: Mood) -> None:
    """Prices lie on the grid, the ask above the bid, and a trade is at one of the two."""
    for quote in steps(Prices(2), mood, 300):
        assert not any(price % TICK for price in (quote.bid, quote.ask, quote.last))
        assert quote.bid < quote.ask
        assert quote.last in {quote.bid, quote.ask}
        assert quote.size > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_calm_market_breaks_no_limit(seed: int) -> None:
    """While the story only waits, two ES and two MNQ cannot lose what the tightest playable limit for them allows."""
    prices = Prices(seed)
    steps(prices, Mood.CALM, 60)
    prices.settle()
    bought = {quote.product: quote.ask for quote in prices.step(Mood.CALM)}
    worst = min(
        (quote.bid - bought[quote.product]) * 2 * POINT[quote.product] for quote in steps(prices, Mood.CALM, 40)
    )
    assert worst > Decimal(-350)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_falling_market_falls(seed: int) -> None:
    """Ten ES points are lost within a few hundred steps, whatever the seed."""
    quotes = steps(Prices(seed), Mood.FALLING, 400)
    first = next(quote for quote in quotes if quote.product == ES)
    assert any(quote.product == ES and quote.bid < first.bid - 10 for quote in quotes)

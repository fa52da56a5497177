"""Prices when the market hub stands and says nothing: market trades first, then the broker's one-second bars."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from riskd.domain.events import FeedSilent, Link, QuoteReported
from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.faults.rules import LostEvent
from tests.integration.projectx_rig import Rig, body, connected

TUESDAY = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 15, 15, 0, tzinfo=UTC)
NO_QUOTES = LostEvent(events=("GatewayQuote",))
NO_PRICES = LostEvent(events=("GatewayQuote", "GatewayTrade"))


def settings(start: datetime = TUESDAY) -> GatewaySettings:
    """Return a gateway with one account and the clock running."""
    return GatewaySettings(accounts=(account(101),), quotes={"MNQ": Decimal("20000.00")}, start=start)


@asynccontextmanager
async def trading(gateway: SimulatedGateway) -> AsyncIterator[None]:
    """Let MNQ fall by a tick, twenty times a second, for as long as the block lasts."""

    async def fall() -> None:
        price = Decimal("20000.00")
        while True:
            price -= Decimal("0.25")
            gateway.control.price("MNQ", price)
            await asyncio.sleep(0.05)

    market = asyncio.create_task(fall())
    try:
        yield
    finally:
        market.cancel()


async def a_price(rig: Rig) -> QuoteReported:
    """Wait for the next price."""
    return await rig.ear.one(QuoteReported, lambda quote: quote.last is not None, after=len(rig.ear.heard))


async def test_market_trades_stand_in_for_quotes_until_a_quote_comes() -> None:
    """Each trade is a price, the silence stays told and is told once, and the first quote ends it."""
    async with SimulatedGateway(settings()) as gateway, connected(gateway, ["101"], stale_after_s=0.3) as rig:
        mnq = gateway.control.contract_id("MNQ")
        rig.broker.watch(mnq)
        await gateway.control.wait_subscribed("GatewayQuote", mnq)
        gateway.control.faults((NO_QUOTES,))
        async with trading(gateway):
            await rig.ear.one(FeedSilent)
            for _ in range(20):
                await a_price(rig)
            assert gateway.is_wanted("GatewayTrade", mnq)
            assert len(rig.ear.all(FeedSilent)) == 1
            gateway.control.faults()
            await gateway.control.wait_until(lambda: not gateway.is_wanted("GatewayTrade", mnq))
    assert gateway.control.requests("retrieveBars") == []


async def test_one_second_bars_stand_in_for_a_silent_hub() -> None:
    """The last whole second's price comes by REST, each second's once, until the hub speaks again."""
    async with SimulatedGateway(settings()) as gateway, connected(gateway, ["101"], stale_after_s=0.3) as rig:
        mnq = gateway.control.contract_id("MNQ")
        rig.broker.watch(mnq)
        await gateway.control.wait_subscribed("GatewayQuote", mnq)
        gateway.control.faults((NO_PRICES,))
        async with trading(gateway):
            await rig.ear.one(FeedSilent)
            prices = [await a_price(rig) for _ in range(2)]
            gateway.control.faults()
            await rig.ear.one(QuoteReported, lambda quote: quote.bid is not None, after=len(rig.ear.heard))
            asked = len(gateway.control.requests("retrieveBars"))
            for _ in range(20):
                await a_price(rig)
            assert len(gateway.control.requests("retrieveBars")) <= asked + 1
    assert prices[0].at < prices[1].at
    assert all(price.at.microsecond == 0 and price.last is not None for price in prices)
    assert all(gateway.clock.now() - price.at < timedelta(seconds=10) for price in prices)
    asked_for = body(gateway.control.requests("retrieveBars")[0])
    assert (asked_for["unit"], asked_for["unitNumber"], asked_for["live"]) == (1, 1, False)


async def test_bars_come_while_the_market_hub_is_down() -> None:
    """A position must not go unpriced because one of two servers is gone; that its prices are late is told."""
    async with SimulatedGateway(settings()) as gateway, connected(gateway, ["101"], stale_after_s=0.3) as rig:
        rig.broker.watch(gateway.control.contract_id("MNQ"))
        gateway.control.hub_down("market")
        await rig.ear.link(Link.MARKET_HUB, up=False)
        async with trading(gateway):
            assert (await a_price(rig)).last is not None
        await rig.ear.one(FeedSilent)


async def test_nobody_asks_for_bars_of_a_closed_market() -> None:
    """On a Sunday morning there is nothing to miss, with the hub or without it."""
    async with SimulatedGateway(settings(SUNDAY)) as gateway, connected(gateway, ["101"], stale_after_s=0.1) as rig:
        rig.broker.watch(gateway.control.contract_id("MNQ"))
        gateway.control.hub_down("market")
        await rig.ear.link(Link.MARKET_HUB, up=False)
        await asyncio.sleep(0.5)  # nothing happens, and nothing tells that it does not
        assert gateway.control.requests("retrieveBars") == []


async def test_a_contract_that_nobody_trades_is_asked_about_ever_more_rarely() -> None:
    """Without a trade there is no bar; the pauses double."""
    async with SimulatedGateway(settings()) as gateway, connected(gateway, ["101"], stale_after_s=0.1) as rig:
        rig.broker.watch(gateway.control.contract_id("ES"))
        await gateway.control.wait_request("retrieveBars", count=4)
    times = [request.at for request in gateway.control.requests("retrieveBars")][:4]
    pauses = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert pauses[0] < pauses[1] < pauses[2]

"""A fresh token needs new connections to the hubs; nothing may happen between the old one and the new."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from riskd.domain.events import ConnectionChanged, Fill, Link, QuoteReported, SnapshotReported
from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.gateway.hubs import HubName
from tests.integration.projectx_rig import connected

TUESDAY = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
SHORT_LIVED = GatewaySettings(
    accounts=(account(101),),
    quotes={"MNQ": Decimal("20000.00")},
    start=TUESDAY,
    token_life=timedelta(seconds=10),
    speed=Decimal(20),
)
PLAIN = msgspec.structs.replace(SHORT_LIVED, token_life=timedelta(hours=24), speed=Decimal(1))


async def test_no_price_is_missed_while_the_token_is_renewed() -> None:
    """Quotes say only what changed, so one that is lost leaves an old price standing."""
    async with SimulatedGateway(SHORT_LIVED) as gateway, connected(gateway) as rig:
        mnq = gateway.control.contract_id("MNQ")
        rig.broker.watch(mnq)
        await gateway.control.wait_subscribed("GatewayQuote", mnq)
        price = Decimal("20000.00")
        told: list[Decimal] = []
        while len(rig.ear.all(SnapshotReported)) < 3 or len(told) < 500:
            price += Decimal("0.25")
            told.append(price)
            gateway.control.price("MNQ", price)
            await asyncio.sleep(0.001)
        await rig.ear.one(QuoteReported, lambda quote: quote.last == price)
        heard = {quote.last for quote in rig.ear.all(QuoteReported)}
    assert [each for each in told if each not in heard] == []
    assert not [change for change in rig.ear.all(ConnectionChanged) if not change.up]


async def test_no_fill_is_missed_while_the_token_is_renewed() -> None:
    """Each fill comes by a hub or with the snapshot of the new connection, and no link is called down."""
    async with SimulatedGateway(SHORT_LIVED) as gateway, connected(gateway) as rig:
        fills = 0
        while len(rig.ear.all(SnapshotReported)) < 3 or fills < 30:
            gateway.control.fill(101, "MNQ", "buy", 1, Decimal(20000))
            fills += 1
            await asyncio.sleep(0.01)
        await rig.ear.until(lambda: len({fill.trade_id for fill in rig.ear.all(Fill)}) == fills)
    assert not [change for change in rig.ear.all(ConnectionChanged) if not change.up]


@pytest.mark.parametrize(("hub", "name"), [(Link.USER_HUB, "user"), (Link.MARKET_HUB, "market")])
async def test_a_new_connection_that_fails_is_an_ordinary_loss(hub: Link, name: HubName) -> None:
    """When the hub takes no new connection the loss is told, and it is connected again when it does."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        live = gateway.control.state().connections[name]
        next(each for each in gateway.hubs(name)).down = True
        gateway.control.time(now=gateway.clock.now() + timedelta(hours=23, minutes=45))
        down = await rig.ear.link(hub, up=False)
        gateway.control.hub_up(name)
        await rig.ear.link(hub, up=True, after=len(rig.ear.heard))
        assert "503" in down.detail
        assert gateway.control.state().connections[name] == live

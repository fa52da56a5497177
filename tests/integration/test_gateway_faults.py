"""Faults on demand, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway
from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.faults import rules
from tests.integration.gateway_client import BareClient

_MNQ = "CON.F.US.MNQ.Z26"
_ACTIVE = b'{"onlyActiveAccounts":true}'


@pytest.fixture
async def client() -> AsyncIterator[BareClient]:
    """Log a client in to a gateway where nothing repeats by itself."""
    settings = GatewaySettings(quotes={"MNQ": Decimal(20000)}, options=ExchangeOptions(repeat_accounts=(0, 0)))
    async with SimulatedGateway(settings) as gateway, BareClient(gateway) as connected:
        yield connected


async def test_calls_fail_by_status(client: BareClient) -> None:
    """A 429 with Retry-After once, and then all is well."""
    client.gateway.control.faults((rules.HttpError(status=429, retry_after=2, times=1),))

    async with client.http.post("/api/Account/search", data=_ACTIVE) as refused:
        status, wait = refused.status, refused.headers["Retry-After"]

    assert (status, wait) == (429, "2")
    assert await client.status("Account/search", _ACTIVE) == 200


async def test_an_order_can_take_effect_without_an_answer(client: BareClient) -> None:
    """The connection breaks, and yet the position is there."""
    client.gateway.control.faults((rules.NoAnswer(how="dropped", applied=True),))

    with pytest.raises(aiohttp.ClientError):
        await client.call("Order/place", accountId=101, contractId=_MNQ, type=2, side=0, size=1)

    assert client.gateway.control.position(101, "MNQ") == 1


async def test_calls_take_their_time(client: BareClient) -> None:
    """Latency before and after the effect delays the answer by both."""
    before, after = rules.Latency(ms=(20, 20)), rules.Latency(ms=(20, 20), answer=True)
    client.gateway.control.faults((before, after))
    loop = asyncio.get_running_loop()

    begun = loop.time()
    await client.status("Account/search", _ACTIVE)

    assert loop.time() - begun >= 0.04


async def test_events_are_lost_doubled_and_late(client: BareClient) -> None:
    """The first trade never comes, the second twice, and positions after what followed them."""
    hub = await client.hub("user", ("SubscribeTrades", 101), ("SubscribePositions", 101))
    client.gateway.control.faults(
        (
            rules.LostEvent(events=("GatewayUserTrade",), times=1),
            rules.DuplicatedEvent(events=("GatewayUserTrade",), ms=(0, 0)),
            rules.LateEvent(events=("GatewayUserPosition",), ms=(30, 30)),
        )
    )

    client.gateway.control.order(101, "MNQ", "buy", 1)
    client.gateway.control.order(101, "MNQ", "buy", 2)
    events = await hub.events(4)

    assert [(target[11:], data["data"]["size"]) for target, data in events] == [
        ("Trade", 2),
        ("Trade", 2),
        ("Position", 1),
        ("Position", 3),
    ]


async def test_garbage_prices_never_reach_the_exchange(client: BareClient) -> None:
    """The hub shows nonsense; the broker still fills at its own prices."""
    hub = await client.hub("market", ("SubscribeContractQuotes", _MNQ))
    client.gateway.control.faults((rules.GarbagePrice(),), seed=3)

    client.gateway.control.price("MNQ", Decimal(19000))
    ((_, quote),) = await hub.events(1)
    client.gateway.control.order(101, "MNQ", "buy", 1)

    assert (quote["bestBid"], quote["bestAsk"], quote["lastPrice"]) != (19000, 19000, 19000)
    assert client.gateway.control.state().trades[0].price == Decimal(19000)


async def test_a_slow_close_is_accepted_and_fills_later(client: BareClient) -> None:
    """The answer is success while the position still stands."""
    client.gateway.control.order(101, "MNQ", "buy", 2)
    client.gateway.control.faults((rules.SlowClose(ms=(60, 60)),))

    answer = await client.call("Position/closeContract", accountId=101, contractId=_MNQ)
    held = client.gateway.control.position(101, "MNQ")
    await client.gateway.control.wait_flat(101)

    assert answer["success"]
    assert held == 2


async def test_a_partial_close_leaves_the_rest(client: BareClient) -> None:
    """The close is accepted, fills one contract, and its rest is cancelled."""
    client.gateway.control.order(101, "MNQ", "buy", 3)
    client.gateway.control.faults((rules.PartialFill(part=1, times=1),))

    await client.call("Position/closeContract", accountId=101, contractId=_MNQ)

    assert client.gateway.control.position(101, "MNQ") == 2


@pytest.mark.parametrize(
    "fault",
    [
        rules.Disconnect(every_s=(0.05, 0.05)),
        rules.HubDown(every_s=(0.05, 0.05), for_s=(0.02, 0.02)),
        rules.Logout(every_s=(0.05, 0.05)),
        rules.ExpireTokens(every_s=(0.05, 0.05)),
        rules.RestDown(every_s=(0.05, 0.05), for_s=(0.02, 0.02)),
        rules.HalfOpen(every_s=(0.05, 0.05)),
        rules.FrozenPrices(every_s=(0.05, 0.05), for_s=(0.02, 0.02)),
        rules.PositionsLag(every_s=(0.05, 0.05), for_s=(0.02, 0.02)),
        rules.VoidTrade(every_s=(0.05, 0.05)),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_what_comes_by_itself_comes_and_goes(client: BareClient, fault: rules.FaultRule) -> None:
    """Each fault strikes on time, more than once, and the gateway outlives it."""
    gateway = client.gateway
    gateway.control.order(101, "MNQ", "buy", 1)
    await client.hub("user", ("SubscribeTrades", 101))
    gateway.control.faults((fault,))
    struck = gateway.faults.struck
    await gateway.control.wait_until(lambda: gateway.faults.struck >= struck + 2)
    gateway.control.faults()
    await client.login()

    assert await client.status("Account/search", _ACTIVE) == 200
    assert not (await client.hub("user")).socket.closed
    assert not gateway.exchange.books.options.positions_lag_ms

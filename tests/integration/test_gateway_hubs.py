"""The two hubs over real sockets: connecting, subscribing, events, and how connections end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from socket import SHUT_RDWR
from typing import Any, Literal

import aiohttp
import msgspec
import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.faults.rules import HubChoice
from riskd.simulator.gateway.connection import HangUp
from tests.integration.gateway_client import HELLO, SEPARATOR, BareClient

_START = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
_MNQ = "CON.F.US.MNQ.Z26"
_QUIET = ExchangeOptions(repeat_accounts=(0, 0))
_ALL = (
    ("SubscribeAccounts",),
    ("SubscribeOrders", 101),
    ("SubscribePositions", 101),
    ("SubscribeTrades", 101),
)


def _settings(
    user_events: Literal["wrapped", "bare", "flat", "list"] = "wrapped",
    handshake_within: float = 15.0,
) -> GatewaySettings:
    return GatewaySettings(
        start=_START,
        speed=Decimal(0),
        quotes={"MNQ": Decimal(20000)},
        accounts=(account(101), account(102)),
        options=_QUIET,
        user_events=user_events,
        handshake_within=handshake_within,
    )


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    """Open a gateway whose time stands still."""
    async with SimulatedGateway(_settings()) as running:
        yield running


@pytest.fixture
async def client(gateway: SimulatedGateway) -> AsyncIterator[BareClient]:
    """Log a client in."""
    async with BareClient(gateway) as connected:
        yield connected


@pytest.mark.parametrize("hub", ["user", "market"])
@pytest.mark.parametrize("where", ["header", "query"])
async def test_a_hub_is_negotiated_then_opened(client: BareClient, hub: str, where: str) -> None:
    """The token may be in the header or the query of both steps; Text comes first."""
    headers = {"Authorization": f"Bearer {client.token}" if where == "header" else ""}
    query = "" if where == "header" else f"&access_token={client.token}"

    url = f"/hubs/{hub}/negotiate?negotiateVersion=1{query}"
    async with client.http.post(url, headers=headers) as response:
        reply = msgspec.json.decode(await response.read())
    url = f"/hubs/{hub}?id={reply['connectionToken']}{query}"
    opened = await client.open(url, headers)
    await opened.send(HELLO)
    answer = await opened.frame()

    assert reply["availableTransports"] == [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]
    assert answer == "{}" + SEPARATOR


async def test_without_version_the_reply_is_the_plain_one(client: BareClient) -> None:
    """A client that asks for no version gets version 0 and no connection token."""
    async with client.http.post("/hubs/user/negotiate") as response:
        reply = msgspec.json.decode(await response.read())

    assert list(reply) == ["negotiateVersion", "connectionId", "availableTransports"]
    assert reply["negotiateVersion"] == 0


@pytest.mark.parametrize("path", ["/hubs/user/negotiate", "/hubs/market/negotiate"])
async def test_a_hub_needs_a_token(client: BareClient, path: str) -> None:
    """Negotiation and socket are 401 without one."""
    async with client.http.post(path, headers={"Authorization": ""}) as response:
        assert response.status == 401
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await client.open("/hubs/user", {"Authorization": ""})


async def test_an_entry_is_pushed_in_the_brokers_order(client: BareClient) -> None:
    """Wrapped events without null fields, in the order of the real broker."""
    hub = await client.hub("user", *_ALL)

    client.gateway.control.order(101, "MNQ", "buy", 2)
    events = await hub.events(5)

    assert [(target, data["action"]) for target, data in events] == [
        ("GatewayUserOrder", 1),
        ("GatewayUserTrade", 0),
        ("GatewayUserOrder", 2),
        ("GatewayUserPosition", 1),
        ("GatewayUserAccount", 1),
    ]
    pending, trade = events[0][1]["data"], events[1][1]["data"]
    assert "limitPrice" not in pending
    assert "profitAndLoss" not in trade
    assert (trade["fees"], trade["commissions"]) == (0.72, 0.5)
    assert len(trade["creationTimestamp"]) == len("2026-11-18T15:00:00.1234567+00:00")


async def test_a_close_is_pushed_with_the_opening_trade_again(client: BareClient) -> None:
    """The flat position has action 2, type 0, size 0 and its average price."""
    client.gateway.control.order(101, "MNQ", "buy", 2)
    hub = await client.hub("user", *_ALL)

    await client.call("Position/closeContract", accountId=101, contractId=_MNQ)
    events = await hub.events(6)

    targets = [target.removeprefix("GatewayUser") for target, _ in events]
    assert targets == ["Order", "Order", "Trade", "Trade", "Position", "Account"]
    assert [data["data"].get("profitAndLoss") for _, data in events[2:4]] == [-1, None]
    closed = events[4][1]
    assert (closed["action"], closed["data"]["type"], closed["data"]["size"]) == (2, 0, 0)
    assert closed["data"]["averagePrice"] == 20000.25


@pytest.mark.parametrize(
    ("mode", "shapes"),
    [
        ("wrapped", ["dict action", "dict action"]),
        ("bare", ["dict id", "dict id"]),
        ("flat", ["dict action", "dict id"]),
        ("list", ["list", "list"]),
    ],
)
async def test_user_events_can_be_wrapped_in_several_ways(
    mode: Literal["wrapped", "bare", "flat", "list"], shapes: list[str]
) -> None:
    """Orders and trades are wrapped, bare, half and half, or in a list."""
    async with SimulatedGateway(_settings(mode)) as gateway, BareClient(gateway) as client:
        hub = await client.hub("user", ("SubscribeOrders", 101), ("SubscribeTrades", 101))
        gateway.control.order(101, "MNQ", "buy", 1)
        events = await hub.events(2)

    assert [_shape(data) for _, data in events] == shapes


def _shape(data: Any) -> str:
    return "list" if isinstance(data, list) else f"dict {next(iter(data))}"


async def test_only_what_was_subscribed_is_sent(client: BareClient) -> None:
    """Nothing of another account, nothing after unsubscribing."""
    hub = await client.hub("user", ("SubscribePositions", 102), ("SubscribeTrades", 101))
    await hub.invoke("UnsubscribeTrades", 101)

    client.gateway.control.order(101, "MNQ", "buy", 1)
    client.gateway.control.order(102, "MNQ", "buy", 1)
    ((target, data),) = await hub.events(1)

    assert (target, data["data"]["accountId"]) == ("GatewayUserPosition", 102)


async def test_market_events_have_the_brokers_shapes(client: BareClient) -> None:
    """A partial quote is one object; trades and depth are arrays."""
    hub = await client.hub(
        "market",
        ("SubscribeContractQuotes", _MNQ),
        ("SubscribeContractTrades", _MNQ),
    )

    client.gateway.control.quote("MNQ", bid=Decimal("19999.75"))
    client.gateway.control.quote("MNQ", last=Decimal("20000.25"), size=3)
    (_, bid), (_, last), (_, prints) = await hub.events(3)

    assert (bid["symbol"], bid["bestBid"]) == ("F.US.MNQ", 19999.75)
    assert not {"lastPrice", "bestAsk", "volume"} & bid.keys()
    assert (last["lastPrice"], last["open"], last["volume"]) == (20000.25, 20000, 4)
    assert (prints[0]["price"], prints[0]["volume"]) == (20000.25, 3)


async def test_depth_begins_with_the_whole_book(client: BareClient) -> None:
    """The first message has every level of both sides; then come changes of the best."""
    hub = await client.hub("market", ("SubscribeContractMarketDepth", _MNQ))

    client.gateway.control.quote("MNQ", ask=Decimal("20000.50"))
    (_, book), (_, change) = await hub.events(2)

    assert len(msgspec.json.encode(book)) > 10_000
    assert {each["type"] for each in book} == {1, 2}
    assert [(each["type"], each["price"]) for each in change] == [(3, 20000.5)]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (("SubscribeOrders", 101), None),
        (("SubscribeOrders",), "Failed to invoke 'SubscribeOrders' due to an error on the server."),
        (("SubscribeOrders", "101"), "Failed to invoke"),
        (("SubscribeContractQuotes", _MNQ), "Unknown hub method 'SubscribeContractQuotes'"),
        (("Heartbeat", {"t": 1}), "Unknown hub method 'Heartbeat'"),
    ],
)
async def test_a_call_with_an_id_is_completed(client: BareClient, call: tuple[Any, ...], error: str | None) -> None:
    """With a null result, or with an error that names the method."""
    hub = await client.hub("user")

    completion = await hub.invoke(*call, invocation="42")

    assert (completion["type"], completion["invocationId"]) == (3, "42")
    assert completion.get("error", "").startswith(error or "")
    assert ("result" in completion) is (error is None)


async def test_unknown_calls_without_an_id_are_ignored(client: BareClient) -> None:
    """A client's own heartbeat neither gets an answer nor ends the connection."""
    hub = await client.hub("user")

    await hub.send('{"type":1,"target":"Heartbeat","arguments":[{"t":1}]}' + SEPARATOR)
    await hub.send('{"type":6}' + SEPARATOR)

    assert (await hub.invoke("SubscribeAccounts"))["type"] == 3


async def test_records_may_be_split_and_joined(client: BareClient) -> None:
    """Half a record is kept until the rest comes; two in a frame are both heard."""
    hub = await client.hub("user")
    call = '{"type":1,"target":"SubscribeAccounts","arguments":[],"invocationId":"1"}'

    await hub.send(call[:20])
    await hub.send(call[20:] + SEPARATOR + call + SEPARATOR)

    assert [(await hub.record())["type"] for _ in range(2)] == [3, 3]


@pytest.mark.parametrize(
    "frame",
    [
        "garbage" + SEPARATOR,
        "[1,2]" + SEPARATOR,
        '{"type":"x"}' + SEPARATOR,
        "x" * 100_000,
        "x" * 10_000_000,
    ],
)
async def test_garbage_ends_one_connection_and_nothing_else(client: BareClient, frame: str) -> None:
    """The one who sends it is hung up on; the others and REST go on."""
    healthy = await client.hub("user", ("SubscribeTrades", 101))
    hub = await client.hub("user")

    with suppress(ConnectionError, aiohttp.ClientError):  # hung up on while it still sends
        await hub.send(frame)
        await hub.ended()
    client.gateway.control.order(101, "MNQ", "buy", 1)

    assert (await healthy.events(1))[0][0] == "GatewayUserTrade"


@pytest.mark.parametrize("first", ["nonsense" + SEPARATOR, '{"protocol":"messagepack","version":1}' + SEPARATOR])
async def test_a_wrong_handshake_is_told_and_ended(client: BareClient, first: str) -> None:
    """The error comes as the handshake's answer, then the end."""
    hub = await client.open("/hubs/user")

    await hub.send(first)

    assert "error" in msgspec.json.decode((await hub.frame()).rstrip(SEPARATOR))
    assert (await hub.ended()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_a_client_that_never_shakes_hands_is_hung_up_on() -> None:
    """After its time it is told so and ended."""
    settings = _settings(handshake_within=0.05)
    async with SimulatedGateway(settings) as gateway, BareClient(gateway) as client:
        hub = await client.open("/hubs/user")
        answer = await hub.frame()
        await hub.ended()

    assert answer == '{"error":"Handshake was canceled."}' + SEPARATOR


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (HangUp.CLEAN, None),
        (HangUp.ABORT, None),
        (HangUp.ERROR, {"type": 7, "error": "Connection closed with an error."}),
        (
            HangUp.ERROR_RECONNECT,
            {"type": 7, "error": "Connection closed with an error.", "allowReconnect": True},
        ),
    ],
)
async def test_a_hub_hangs_up_in_every_way(client: BareClient, how: HangUp, says: dict[str, object] | None) -> None:
    """Cleanly, by cutting the line, or with a close record first; one can come back."""
    hub = await client.hub("user")

    client.gateway.control.disconnect("user", how)
    if says is not None:
        assert await hub.record() == says
    ended = await hub.ended()
    again = await client.hub("user")

    clean = how is not HangUp.ABORT
    assert (ended.type is aiohttp.WSMsgType.CLOSE and ended.data == 1000) is clean
    assert not again.socket.closed


async def test_a_hub_can_be_down_while_rest_lives(client: BareClient) -> None:
    """New connections are 503 until the hub is up again."""
    hub = await client.hub("market")

    client.gateway.control.hub_down("market")
    await hub.ended()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        await client.hub("market")
    answers = await client.call("Account/search", onlyActiveAccounts=True)
    client.gateway.control.hub_up("market")

    assert answers["success"]
    assert not (await client.hub("market")).socket.closed


async def test_a_half_open_socket_is_silent(client: BareClient) -> None:
    """It neither answers nor sends nor ends; a new one works."""
    dead = await client.hub("user", ("SubscribeTrades", 101))
    client.gateway.control.half_open("user")
    fresh = await client.hub("user", ("SubscribeTrades", 101))

    client.gateway.control.order(101, "MNQ", "buy", 1)
    await fresh.events(1)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await dead.socket.receive()


@pytest.mark.parametrize("hub", ["user", "market"])
async def test_simulated_time_goes_to_those_who_asked(client: BareClient, hub: HubChoice) -> None:
    """At once, and at each jump or change of speed; the events skipped come after it."""
    asked = await client.hub(hub, ("SubscribeSimulatedTime",))
    silent = await client.hub("user", ("SubscribeAccounts",))

    client.gateway.control.time(now=_START + timedelta(hours=2), speed=Decimal(0))
    client.gateway.control.resend_account(101)
    events = await asked.events(2)

    assert events == [
        ("GatewaySimulatedTime", {"now": "2026-11-18T15:00:00.000000Z", "speed": "0"}),
        ("GatewaySimulatedTime", {"now": "2026-11-18T17:00:00.000000Z", "speed": "0"}),
    ]
    assert (await silent.events(1))[0][0] == "GatewayUserAccount"


async def test_a_wait_for_clients_ends_when_they_come(client: BareClient) -> None:
    """Shaking hands is enough; nothing needs to be subscribed."""
    waiting = asyncio.create_task(client.gateway.control.wait_connected("market"))

    await client.hub("market")

    await waiting


async def test_a_logout_is_broadcast(client: BareClient) -> None:
    """GatewayLogout comes unasked to everybody on the hub."""
    hub = await client.hub("user")

    client.gateway.control.logout("user")

    assert (await hub.record())["target"] == "GatewayLogout"


async def test_websocket_pings_are_answered(client: BareClient) -> None:
    """The server answers pings of the transport, though it sends none."""
    hub = await client.hub("user")

    await hub.socket.ping(b"hello")

    assert (await hub.invoke("SubscribeAccounts"))["type"] == 3


async def test_a_client_that_vanishes_leaves_no_task_behind() -> None:
    """When a client's socket simply ends, whatever the gateway ran for it ends with it."""
    before = asyncio.all_tasks()
    async with SimulatedGateway(_settings()) as gateway, BareClient(gateway) as client:
        for name in ("user", "market"):
            hub = await client.hub(name)
            hub.socket.get_extra_info("socket").shutdown(SHUT_RDWR)
        await gateway.control.wait_disconnected()

    assert asyncio.all_tasks() == before

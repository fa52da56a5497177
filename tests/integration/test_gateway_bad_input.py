"""What no client should send, over real sockets: the gateway answers as the real one does, and lives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from random import Random
from typing import Any, Final

import aiohttp
import msgspec
import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.control.control import Control
from riskd.simulator.gateway.api import ENDPOINTS
from tests.integration.gateway_client import SEPARATOR, BareClient

START = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
MNQ, LAST_MONTH, ES = "CON.F.US.MNQ.Z26", "CON.F.US.MNQ.U26", "CON.F.US.EP.Z26"
LIMIT_BUY: Final = {
    "accountId": 101,
    "contractId": MNQ,
    "type": 1,
    "side": 0,
    "size": 1,
    "limitPrice": 19990.0,
}

ODD_NUMBERS = (0, -1, 1, 2, 8, 101, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, 2**63, 10**30, 1.5, 20000.1, 1e308, 1e-30)
ODD_TEXTS = ("", "MNQ", MNQ, LAST_MONTH, "x" * 300, "\0", "ü", "2026-11-18", "2026-11-18T15:00:00.1234567+00:00")
EDGES_OF_TIME = ("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.9999999Z")


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    """Open a gateway with an account of each sort, at nine in Chicago."""
    accounts = (
        account(101),
        account(102, "combine", brackets="auto_oco"),
        account(103, "live"),
        account(104, "follower", leader_id=101),
    )
    settings = GatewaySettings(
        start=START,
        speed=Decimal(0),
        quotes={"MNQ": Decimal(20000), "ES": Decimal(6700)},
        accounts=accounts,
        limits=None,
    )
    async with SimulatedGateway(settings) as running:
        yield running


@pytest.fixture
async def client(gateway: SimulatedGateway) -> AsyncIterator[BareClient]:
    """Log a client in."""
    async with BareClient(gateway) as connected:
        yield connected


def nothing(_: Control) -> None:
    """Leave the market as it is."""


@pytest.mark.parametrize(
    ("prepare", "change", "code", "message"),
    [
        pytest.param(lambda control: control.market("closed"), {}, 5, None, id="closed market"),
        pytest.param(
            lambda control: control.market("pre_open"), {"type": 2}, 5, None, id="market order before the open"
        ),
        pytest.param(lambda control: control.market("halted"), {}, 2, None, id="halted market"),
        pytest.param(lambda control: control.expire("MNQ"), {}, 9, None, id="contract that just expired"),
        pytest.param(nothing, {"contractId": LAST_MONTH}, 9, None, id="contract of last month"),
        pytest.param(nothing, {"contractId": "MNQ"}, 8, None, id="no contract's id"),
        pytest.param(nothing, {"size": 0}, 2, "Invalid order size", id="size 0"),
        pytest.param(nothing, {"size": -1}, 2, "Invalid order size", id="size below 0"),
        pytest.param(
            nothing,
            {"limitPrice": 19990.1},
            2,
            "Invalid price. Price is not aligned to tick size.",
            id="price off the grid",
        ),
        pytest.param(nothing, {"limitPrice": None}, 2, "Invalid price", id="limit order without a limit"),
        pytest.param(nothing, {"type": 9}, 2, "Invalid order type", id="no type"),
        pytest.param(nothing, {"accountId": 999}, 1, None, id="no account"),
    ],
)
async def test_a_bad_order_is_refused_and_leaves_nothing_working(
    client: BareClient, prepare: Callable[[Control], object], change: dict[str, Any], code: int, message: str | None
) -> None:
    """HTTP 200 with the broker's number and words; the next good order is taken."""
    prepare(client.gateway.control)

    answer = await client.call("Order/place", **{**LIMIT_BUY, **change})

    assert (answer["success"], answer["errorCode"], answer["errorMessage"]) == (False, code, message)
    assert (await client.call("Order/searchOpen", accountId=101))["orders"] == []
    client.gateway.control.market("open")
    later = await client.call("Order/place", **{**LIMIT_BUY, "contractId": ES, "limitPrice": 6690.0})
    assert later["success"]


async def test_a_tag_is_good_for_one_order(client: BareClient) -> None:
    """The second is refused even when the first has ended, and the first is as it was."""
    first = await client.call("Order/place", **LIMIT_BUY, customTag="one")

    second = await client.call("Order/place", **LIMIT_BUY, customTag="one")
    await client.call("Order/cancel", accountId=101, orderId=first["orderId"])
    third = await client.call("Order/place", **LIMIT_BUY, customTag="one")

    assert [each["errorCode"] for each in (first, second, third)] == [0, 2, 2]
    assert second["errorMessage"]
    found = await client.call("Order/search", accountId=101, startTimestamp="2026-11-18T00:00:00Z")
    assert [each["status"] for each in found["orders"]] == [3]


def bad_body(rng: Random, path: str) -> dict[str, Any]:
    """Return a body with the call's keys and values that nobody meant for them."""
    body = {}
    for field in msgspec.structs.fields(ENDPOINTS[path].body):
        if rng.random() < 0.9:
            body[field.encode_name] = bad_value(rng)
    return body


def bad_value(rng: Random, depth: int = 0) -> object:
    """Return any JSON value, odd ones more often."""
    kinds: list[Callable[[], object]] = [
        lambda: rng.choice(ODD_NUMBERS),
        lambda: rng.choice(ODD_TEXTS),
        lambda: rng.choice(EDGES_OF_TIME),
        lambda: rng.choice((None, True, False)),
    ]
    if depth < 3:
        kinds += [
            lambda: [bad_value(rng, depth + 1) for _ in range(rng.randint(0, 3))],
            lambda: {key: bad_value(rng, depth + 1) for key in ("ticks", "type", "accountId")},
        ]
    return rng.choice(kinds)()


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_any_body_is_answered(client: BareClient, path: str) -> None:
    """Whatever a body holds, it is read or a problem, never an error of the server."""
    rng = Random(path)
    for _ in range(60):
        body = bad_body(rng, path)
        status = await client.status(path.removeprefix("/api/"), msgspec.json.encode(body))
        assert status in {200, 400}, body


@pytest.mark.parametrize("moment", EDGES_OF_TIME)
async def test_the_ends_of_time_can_be_asked_for(client: BareClient, moment: str) -> None:
    """A time that has no UTC in the calendar is as good as the calendar's end."""
    bars = {"contractId": MNQ, "live": False, "unit": 2, "unitNumber": 1, "limit": 5, "includePartialBar": True}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("Order/search", {"accountId": 101, "startTimestamp": moment, "endTimestamp": moment}),
        ("Trade/search", {"accountId": 101, "startTimestamp": moment, "endTimestamp": moment}),
        ("Order/v2/query", {"filter": {"accountId": 101, "createdAfter": moment, "createdBefore": moment}}),
        ("History/retrieveBars", {**bars, "startTime": moment, "endTime": moment}),
    ]

    for path, body in calls:
        assert (await client.call(path, **body))["success"], path


@pytest.mark.parametrize("unit", range(1, 7))
@pytest.mark.parametrize(("count", "code"), [(20_000, 0), (2**31 - 1, 3)])
async def test_a_bar_longer_than_the_calendar_is_refused(client: BareClient, unit: int, count: int, code: int) -> None:
    """Twenty thousand months still fit, more units do not."""
    answer = await client.call(
        "History/retrieveBars",
        contractId=MNQ,
        live=False,
        startTime="2026-11-01T00:00:00Z",
        endTime="2026-12-01T00:00:00Z",
        unit=unit,
        unitNumber=count,
        limit=5,
        includePartialBar=True,
    )

    assert answer["errorCode"] == code


DEEP = "[" * 15_000


@pytest.mark.parametrize(
    "body",
    [b'{"onlyActiveAccounts":true,"more":' + DEEP.encode(), b"\xff\xfe", b"{" * 100_000],
    ids=["deep", "no text", "many braces"],
)
async def test_a_body_that_is_a_trap_is_a_problem(client: BareClient, body: bytes) -> None:
    """Depth and bytes that are no text are refused like any other body that cannot be read."""
    assert await client.status("Account/search", body) == 400


async def test_a_body_of_ten_megabytes_is_too_large(client: BareClient) -> None:
    """It is refused by its size; the next call is answered."""
    with suppress(aiohttp.ClientError, ConnectionError):  # refused while it is still being sent
        async with client.http.post("/api/Account/search", data=BytesIO(b" " * 10_000_000)) as response:
            assert response.status == 413

    assert (await client.call("Account/search", onlyActiveAccounts=True))["success"]


@pytest.mark.parametrize("shaken", [True, False], ids=["after the handshake", "before it"])
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "text"])
@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":1,"target":"SubscribeAccounts","arguments":[' + DEEP.encode() + SEPARATOR.encode(),
        b"x" * 10_000_000,
        b"\xff\xfe" + SEPARATOR.encode(),
        SEPARATOR.encode() * 1000,
    ],
    ids=["deep", "ten megabytes", "no text", "separators only"],
)
async def test_a_frame_that_is_a_trap_ends_one_connection(
    client: BareClient, frame: bytes, *, binary: bool, shaken: bool
) -> None:
    """The one who sends it is hung up on; the others and REST go on."""
    healthy = await client.hub("user", ("SubscribeTrades", 101))
    hub = await client.hub("user") if shaken else await client.open(f"/hubs/user?access_token={client.token}")

    with suppress(ConnectionError, aiohttp.ClientError):  # hung up on while it still sends
        if binary:
            await hub.socket.send_bytes(frame)
        else:
            await hub.socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        await hub.ended()
    await client.gateway.control.wait_until(lambda: client.gateway.control.state().connections["user"] == 1)
    client.gateway.control.order(101, "MNQ", "buy", 1)

    assert (await healthy.events(1))[0][0] == "GatewayUserTrade"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GARBAGE\r\n\r\n",
        b"POST /api/Account/search HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"GET /hubs/user HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000,
    ],
    ids=["silence", "TLS", "no HTTP", "half a body", "half an upgrade", "endless header"],
)
async def test_a_stranger_on_the_line_disturbs_nobody(client: BareClient, line: bytes) -> None:
    """Bytes that are no request, or never become a whole one, cost one connection."""
    host, port = client.gateway.rest_url.removeprefix("http://").split(":")
    lines = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
    for _, writer in lines:
        writer.write(line)

    assert (await client.call("Account/search", onlyActiveAccounts=True))["success"]
    for _, writer in lines:
        writer.close()

"""The gateway's REST side over a real socket."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.gateway.api import Shape
from riskd.simulator.gateway.limits import Window
from tests.integration.gateway_client import BareClient

_START = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
_MNQ = "CON.F.US.MNQ.Z26"


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    """Open a gateway whose time stands still at nine in Chicago."""
    settings = GatewaySettings(start=_START, speed=Decimal(0), quotes={"MNQ": Decimal(20000)}, accounts=(account(101),))
    async with SimulatedGateway(settings) as running:
        yield running


@pytest.fixture
async def client(gateway: SimulatedGateway) -> AsyncIterator[BareClient]:
    """Log a client in."""
    async with BareClient(gateway) as connected:
        yield connected


async def test_login_is_refused_politely(client: BareClient) -> None:
    """Wrong credentials are HTTP 200 with a code, missing fields HTTP 400."""
    wrong = await client.login(key="another")
    missing = await client.status("Auth/loginKey", b'{"userName":"trader"}')

    assert wrong == {"token": None, "success": False, "errorCode": 3, "errorMessage": None}
    assert missing == 400


async def test_the_user_name_has_no_case(client: BareClient) -> None:
    """TRADER may log in as trader."""
    answer = await client.call("Auth/loginKey", userName="TRADER", apiKey="simulated-api-key")

    assert answer["success"]


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [("trader", "simulated-api-key", 0), ("nobody", "simulated-api-key", 1), ("trader", "x", 2)],
)
async def test_an_application_logs_in_by_password(client: BareClient, user: str, password: str, code: int) -> None:
    """The other login takes the key as password; the rest of it is not checked."""
    answer = await client.call(
        "Auth/loginApp", userName=user, password=password, deviceId="d", appId="a", verifyKey="v"
    )

    assert answer["errorCode"] == code
    assert (answer["token"] is not None) is (code == 0)


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("Bearer {}", "", 200),
        ("bearer {}", "", 200),
        ("", "?access_token={}", 200),
        ("", "", 401),
        ("Bearer nonsense", "", 401),
    ],
)
async def test_a_call_needs_a_token(client: BareClient, header: str, query: str, status: int) -> None:
    """In the header or in the query; otherwise 401 without a body."""
    headers = {"Authorization": header.format(client.token), "Content-Type": "application/json"}
    path = "/api/Account/search" + query.format(client.token)

    async with client.http.post(path, data=b'{"onlyActiveAccounts":true}', headers=headers) as got:
        assert got.status == status


async def test_a_token_expires_by_the_gateways_time(client: BareClient, gateway: SimulatedGateway) -> None:
    """After a day of the gateway's time the token is worth nothing, a renewed one is."""
    gateway.control.time(now=_START + timedelta(hours=23))
    renewed = (await client.call("Auth/validate"))["newToken"]

    gateway.control.time(now=_START + timedelta(hours=24))
    old = await client.status("Account/search", b'{"onlyActiveAccounts":true}')
    client.http.headers["Authorization"] = f"Bearer {renewed}"
    new = await client.status("Account/search", b'{"onlyActiveAccounts":true}')

    assert (old, new) == (401, 200)


async def test_logging_out_ends_the_session(client: BareClient) -> None:
    """The token is refused afterwards; validate needs no body."""
    assert await client.status("Auth/validate", b"") == 200
    assert await client.status("Auth/logout", b"") == 200
    assert await client.status("Auth/validate", b"") == 401


async def test_ping_answers_in_both_ways(client: BareClient) -> None:
    """As JSON to who accepts JSON, as bare text to others; no token is needed."""
    answers = []
    for accept in ("application/json", "text/plain"):
        headers = {"Accept": accept, "Authorization": ""}
        async with client.http.get("/api/Status/ping", headers=headers) as response:
            answers.append(await response.text())

    assert answers == ['"pong"', "pong"]


async def test_nothing_answers_while_rest_is_down(client: BareClient) -> None:
    """Not even a ping: the connection breaks."""
    client.gateway.control.rest_down()

    with pytest.raises(aiohttp.ClientError):
        await client.http.get("/api/Status/ping")
    with pytest.raises(aiohttp.ClientError):
        await client.status("Account/search")


async def test_every_answer_carries_the_gateways_time(client: BareClient, gateway: SimulatedGateway) -> None:
    """The Date header follows the simulated clock."""
    gateway.control.time(now=_START + timedelta(hours=1))

    async with client.http.post("/api/Auth/validate") as response:
        assert response.headers["Date"] == "Wed, 18 Nov 2026 16:00:00 GMT"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Account/search", b""),
        ("Account/search", b"{"),
        ("Account/search", b"[]"),
        ("Account/search", b'{"onlyActiveAccounts":"yes"}'),
        ("Order/searchOpen", b'{"accountId":99999999999}'),
        ("Order/search", b'{"accountId":101,"startTimestamp":"soon"}'),
        ("Order/place", b'{"accountId":101}'),
        ("Order/v2/query", b'{"filter":{"accountId":101},"pageSize":0}'),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_problem(client: BareClient, path: str, body: bytes) -> None:
    """HTTP 400 with a problem object that names the field, and the gateway lives on."""
    headers = {"Content-Type": "application/json"}
    async with client.http.post(f"/api/{path}", data=body, headers=headers) as response:
        problem = msgspec.json.decode(await response.read())

    assert response.status == 400
    assert response.content_type == "application/problem+json"
    assert problem["status"] == 400
    assert len(problem["errors"]) == 1


async def test_unknown_paths_are_not_found(client: BareClient) -> None:
    """A call that does not exist is 404."""
    assert await client.status("Order/cancelAll") == 404


async def test_accounts_and_contracts(client: BareClient) -> None:
    """Barred accounts are left out when asked; the live subscription has no contracts."""
    client.gateway.control.add_account(account(102, "combine", can_trade=False))

    active = await client.call("Account/search", onlyActiveAccounts=True)
    everyone = await client.call("Account/search", onlyActiveAccounts=False)
    live = await client.call("Contract/available", live=True)
    known = await client.call("Contract/searchById", contractId="CON.F.US.MNQ.U26")
    unknown = await client.call("Contract/searchById", contractId="MNQ")

    assert [each["id"] for each in active["accounts"]] == [101]
    assert [each["canTrade"] for each in everyone["accounts"]] == [True, False]
    assert live["contracts"] == []
    assert known["contract"]["activeContract"] is False
    assert (unknown["errorCode"], unknown["contract"]) == (1, None)


async def test_reads_of_an_unknown_account_say_so(client: BareClient) -> None:
    """Code 1 and no rows."""
    since = _START.isoformat()
    answers = [
        await client.call("Order/search", accountId=9, startTimestamp=since),
        await client.call("Order/searchOpen", accountId=9),
        await client.call("Position/searchOpen", accountId=9),
        await client.call("Trade/search", accountId=9, startTimestamp=since),
        await client.call("Order/v2/query", filter={"accountId": 9}),
    ]

    assert [each["errorCode"] for each in answers] == [1] * 5


async def test_orders_and_trades_are_sorted_as_the_broker_sorts_them(client: BareClient) -> None:
    """Orders oldest first, trades newest first; REST nulls are explicit."""
    first = await _place(client, type=2, side=0, size=1, customTag="a")
    await _place(client, type=1, side=0, size=1, limitPrice=19000)
    await client.call("Position/closeContract", accountId=101, contractId=_MNQ)
    since = _START.isoformat()

    orders = (await client.call("Order/search", accountId=101, startTimestamp=since))["orders"]
    trades = (await client.call("Trade/search", accountId=101, startTimestamp=since))["trades"]
    one = await client.call("Order/searchById", accountId=101, orderId=first["orderId"])
    newest = await client.call("Order/v2/query", filter={"accountId": 101}, pageSize=1)

    assert [each["id"] for each in orders] == sorted(each["id"] for each in orders)
    assert [each["profitAndLoss"] for each in trades] == [-0.5, None]
    assert orders[0] == one["order"]
    assert orders[0]["limitPrice"] is None
    assert orders[0]["customTag"] == "a"
    assert "parentOrderId" not in orders[0]
    assert newest["orders"][0]["id"] == orders[-1]["id"]


async def test_an_order_query_filters_pages_and_counts(client: BareClient) -> None:
    """By status and contract, a page at a time, with the whole count if wanted."""
    for price in (19000, 19001, 19002):
        await _place(client, type=1, side=0, size=1, limitPrice=price)
    await _place(client, type=2, side=0, size=1)

    answer = await client.call(
        "Order/v2/query",
        filter={"accountId": 101, "statuses": [1, 8], "contractId": _MNQ},
        pageSize=2,
        pageOffset=1,
        sortBy=1,
        sortDirection=0,
        includeTotalCount=True,
    )

    assert [each["limitPrice"] for each in answer["orders"]] == [19001, 19002]
    assert answer["totalCount"] == 3


async def test_a_rejected_order_has_an_id_and_no_success(client: BareClient) -> None:
    """The reply of a rejected order names it; searching finds it with status 5."""
    client.gateway.control.market("closed")

    answer = await _place(client, type=2, side=0, size=1)
    found = await client.call("Order/searchById", accountId=101, orderId=answer["orderId"])

    assert (answer["success"], answer["errorCode"], answer["errorMessage"]) == (False, 5, None)
    assert found["order"]["status"] == 5


async def test_bars_come_newest_first_and_with_their_errors(client: BareClient) -> None:
    """The limit keeps the most recent; each wrong argument has its number."""
    asked: dict[str, Any] = {
        "contractId": _MNQ,
        "live": False,
        "startTime": (_START - timedelta(hours=3)).isoformat(),
        "endTime": _START.isoformat(),
        "unit": 2,
        "unitNumber": 15,
        "limit": 5,
        "includePartialBar": False,
    }
    bars = (await client.call("History/retrieveBars", **asked))["bars"]
    codes = [
        (await client.call("History/retrieveBars", **asked | wrong))["errorCode"]
        for wrong in (
            {"contractId": "MNQ"},
            {"live": True},
            {"unit": 0},
            {"unitNumber": 0},
            {"limit": 20_001},
        )
    ]

    assert [each["t"][11:16] for each in bars] == ["14:45", "14:30", "14:15", "14:00", "13:45"]
    assert codes == [1, 1, 2, 3, 4]


async def test_the_rate_limits_hold() -> None:
    """Past the limit a call is 429, bars on an account of their own; login counts too."""
    settings = GatewaySettings(limits=(Window(1, 60), Window(3, 60)))
    async with SimulatedGateway(settings) as strict, BareClient(strict) as client:
        body = b'{"onlyActiveAccounts":true}'
        statuses = [await client.status("Account/search", body) for _ in range(3)]
        bars = [await client.status("History/retrieveBars") for _ in range(2)]

    assert statuses == [200, 200, 429]
    assert bars == [400, 429]


async def test_records_can_be_fuller_or_poorer_than_documented() -> None:
    """Commissions over REST, no display name, and keys that nobody knows, on demand."""
    shape = Shape(rest_commissions=True, display_name=False, extra_keys=True)
    settings = GatewaySettings(shape=shape, quotes={"MNQ": Decimal(20000)})
    async with SimulatedGateway(settings) as gateway, BareClient(gateway) as client:
        gateway.control.order(101, "MNQ", "buy", 1)
        position = (await client.call("Position/searchOpen", accountId=101))["positions"][0]
        since = "2026-01-01T00:00:00Z"
        trade = (await client.call("Trade/search", accountId=101, startTimestamp=since))["trades"][0]

    assert "contractDisplayName" not in position
    assert trade["commissions"] == 0.25
    assert "madeUpKey" in trade


async def _place(client: BareClient, **order: object) -> Any:
    return await client.call("Order/place", accountId=101, contractId=_MNQ, **order)

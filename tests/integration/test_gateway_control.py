"""The control calls: by Python and by HTTP, and what becomes of withheld requests."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.control.base import ControlError
from riskd.simulator.control.http import ENDPOINTS
from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.faults.handling import Outcome
from tests.integration.gateway_client import BareClient

_START = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
_MNQ = "CON.F.US.MNQ.Z26"


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    """Open a gateway whose time stands still."""
    settings = GatewaySettings(
        start=_START,
        speed=Decimal(0),
        quotes={"MNQ": Decimal(20000)},
        accounts=(account(101), account(102)),
        options=ExchangeOptions(repeat_accounts=(0, 0)),
    )
    async with SimulatedGateway(settings) as running:
        yield running


@pytest.fixture
async def client(gateway: SimulatedGateway) -> AsyncIterator[BareClient]:
    """Log a client in."""
    async with BareClient(gateway) as connected:
        yield connected


async def test_everything_python_can_do_http_can_do_too(client: BareClient) -> None:
    """A trading day by hand over HTTP: orders, fills, prices, corrections, accounts, time."""
    steps: list[tuple[str, dict[str, Any]]] = [
        ("order", {"account": 101, "contract": "MNQ", "side": "buy", "size": 2}),
        ("fill", {"account": 101, "contract": "MNQZ6", "side": "sell", "size": 1, "price": "20001"}),
        (
            "working",
            {"account": 101, "contract": _MNQ, "side": "sell", "size": 9, "limit": "30000"},
        ),
        ("quote", {"contract": "MNQ", "bid": "19999.75"}),
        ("price", {"contract": "MNQ", "price": "20002"}),
        ("walk", {"contract": "MNQ", "per_second": 1}),
        ("stop_prices", {}),
        ("carry_in", {"account": 102, "contract": "MNQ", "size": -1, "price": "19990"}),
        ("account", {"account": 102, "balance": "49000.50", "can_trade": False}),
        ("resend_account", {"account": 102}),
        ("add_account", {"account": {"id": 103, "name": "X", "kind": "live"}}),
        ("market", {"state": "halted", "contract": "MNQ"}),
        ("matching", {"on": False}),
        ("options", {"slippage_ticks": 2}),
        ("hold", {"calls": ["close"]}),
        ("faults", {"faults": [{"kind": "latency"}], "seed": 3}),
        ("faults", {}),
        ("disconnect", {"hub": "user", "how": "abort"}),
        ("hub_down", {"hub": "market"}),
        ("hub_up", {}),
        ("half_open", {}),
        ("rest_up", {}),
        ("logout", {}),
        ("time", {"now": "2026-11-18T16:00:00Z"}),
        ("expire", {"contract": "MNQ"}),
        ("requests", {"call": "loginKey"}),
        ("state", {}),
        ("expire_tokens", {}),
    ]

    answers = {name: await client.control(name, **body) for name, body in steps}

    assert [name for name, answer in answers.items() if not answer["ok"]] == []
    assert {name for name, _ in steps} <= {*ENDPOINTS, "options"}
    state = answers["state"]["result"]
    assert state["positions"] == {"101": {_MNQ: 1}, "102": {_MNQ: -1}, "103": {}}
    assert state["accounts"][1]["balance"] == "49000.50"
    assert state["now"] == "2026-11-18T16:00:00Z"
    assert len(answers["requests"]["result"]) == 1


@pytest.mark.parametrize(
    ("call", "body", "why"),
    [
        ("nonsense", {}, "no such call"),
        ("order", {"account": 101}, "missing required field"),
        (
            "order",
            {"account": 9, "contract": "MNQ", "side": "buy", "size": 1},
            "no account 9",
        ),
        ("price", {"contract": "XXX", "price": "1"}, "no contract 'XXX'"),
        ("price", {"contract": "MNQ", "price": "1", "prize": 2}, "prize"),
        ("quote", {"contract": "MNQ", "bid": "abc"}, "bid"),
        ("quote", {"contract": "MNQ", "bid": "NaN"}, "NaN is not a price"),
        (
            "fill",
            {"account": 101, "contract": "MNQ", "side": "buy", "size": 0, "price": "1"},
            "a fill of 0 contracts is none",
        ),
        (
            "fill",
            {"account": 101, "contract": "MNQ", "side": "buy", "size": 1, "price": "Infinity"},
            "Infinity is not a number",
        ),
        (
            "carry_in",
            {"account": 101, "contract": "MNQ", "size": 0, "price": "1"},
            "0 contracts cannot be carried in",
        ),
        ("void_trade", {"trade_id": 1}, "no trade 1"),
        ("end_order", {"order_id": 1}, "no order 1"),
        ("outcome", {}, "no withheld request"),
        ("time", {"now": "2020-01-01T00:00:00Z"}, "time cannot go back"),
        ("time", {"speed": "-1"}, "negative"),
        ("options", {"slipage": 1}, "no such option: slipage"),
        ("options", {"slippage_ticks": "x"}, "slippage_ticks"),
    ],
)
async def test_a_control_call_that_makes_no_sense_is_told_why(
    client: BareClient, call: str, body: dict[str, Any], why: str
) -> None:
    """One sentence with the call's name, and nothing happened."""
    answer = await client.control(call, **body)

    assert not answer["ok"]
    assert why in answer["error"]


async def test_python_callers_get_the_same_refusals(gateway: SimulatedGateway) -> None:
    """An error of the control, not of the exchange's insides."""
    with pytest.raises(ControlError, match="no account 9"):
        gateway.control.fill(9, "MNQ", "buy", 1, Decimal(20000))


@pytest.mark.parametrize(
    ("outcome", "answer", "flat"),
    [
        ("accepted", "success", True),
        ("rejected", "code 5", False),
        ("dropped", "broken", False),
        ("dropped_applied", "broken", True),
        ("silent", "nothing", False),
        ("silent_applied", "nothing", True),
        ("status", "HTTP 503", False),
    ],
)
async def test_a_withheld_close_ends_as_decided(
    client: BareClient, outcome: Outcome, answer: str, *, flat: bool
) -> None:
    """Answered, refused, broken off or never answered; before or after it took effect."""
    control = client.gateway.control
    control.order(101, "MNQ", "buy", 2)
    control.hold(["close"])

    asking = asyncio.create_task(_close(client))
    held = await control.wait_held("close")
    control.outcome(outcome, number=held.number, code=5)

    assert await asking == answer
    assert (control.position(101, "MNQ") == 0) is flat


async def _close(client: BareClient) -> str:
    body = {"accountId": 101, "contractId": _MNQ}
    try:
        async with (
            asyncio.timeout(0.2),
            client.http.post("/api/Position/closeContract", json=body) as response,
        ):
            if response.status != 200:
                return f"HTTP {response.status}"
            reply = await response.json()
            return "success" if reply["success"] else f"code {reply['errorCode']}"
    except TimeoutError:
        return "nothing"
    except aiohttp.ClientError:
        return "broken"


async def test_stopping_lets_go_of_withheld_requests() -> None:
    """A gateway that ends does not wait for a decision; the request's connection breaks."""
    gateway = SimulatedGateway(GatewaySettings(quotes={"MNQ": Decimal(20000)}))
    await gateway.start()
    async with BareClient(gateway) as client:
        await client.hub("user", ("SubscribeAccounts",))
        gateway.control.hold(["close"])
        asking = asyncio.create_task(_close(client))
        await gateway.control.wait_held("close")

        async with asyncio.timeout(1):
            await gateway.stop()

        assert await asking == "broken"


async def test_withheld_requests_are_decided_in_order(client: BareClient) -> None:
    """The oldest of a call first; a cancel does not wait for a close."""
    control = client.gateway.control
    control.order(101, "MNQ", "buy", 1)
    order = control.working(101, "MNQ", "sell", 1, limit=Decimal(30000)).order_id
    control.hold()

    closing = asyncio.create_task(_close(client))
    await control.wait_held("close")
    cancelling = asyncio.create_task(client.call("Order/cancel", accountId=101, orderId=order))
    await control.wait_held("cancel")
    control.outcome("accepted", call="cancel")
    cancelled = await cancelling
    control.outcome("rejected", code=7)

    assert cancelled["success"]
    assert await closing == "code 7"
    assert control.held() == []


async def test_the_broker_tells_how_many_closes_it_saw(client: BareClient) -> None:
    """Each request is kept with its time, body and answer."""
    client.gateway.control.order(101, "MNQ", "buy", 1)

    await _close(client)
    await _close(client)
    seen = client.gateway.control.requests("closeContract")

    assert [each.json for each in seen] == [{"accountId": 101, "contractId": _MNQ}] * 2
    assert ['"success":true' in each.reply for each in seen] == [True, False]
    assert [each.at for each in seen] == [_START, _START]


async def test_waits_end_when_it_happens(client: BareClient) -> None:
    """A wait for a request, an answer, a position and flatness ends by the event."""
    control = client.gateway.control
    control.order(101, "MNQ", "buy", 2)

    waiting = asyncio.gather(
        control.wait_request("closeContract"),
        control.wait_answered("closeContract"),
        control.wait_position(101, "MNQ", 0),
        control.wait_flat(101),
    )
    await _close(client)
    request, answered, _, _ = await waiting

    assert request is answered
    with pytest.raises(TimeoutError):
        await control.wait_request("cancel", within=0.01)


async def test_a_jump_of_time_plays_what_was_skipped(client: BareClient) -> None:
    """Prices of the skipped hour come at their own times, and orders meet them."""
    control = client.gateway.control
    control.walk("MNQ", per_second=1, drift_ticks=-40)
    stop = control.order(101, "MNQ", "sell", 1, type="stop", stop=Decimal(19980)).order_id

    control.time(now=_START + timedelta(hours=1))

    filled = next(each for each in control.state().orders if each.id == stop)
    assert filled.filled == 1
    assert _START < filled.updated_at < _START + timedelta(hours=1)


async def test_a_fill_by_hand_keeps_to_its_order(gateway: SimulatedGateway) -> None:
    """More than is left, and a trade id that is taken, are refused."""
    control = gateway.control
    order = control.working(101, "MNQ", "buy", 2, limit=Decimal(19000)).order_id
    first = control.fill(101, "MNQ", "buy", 1, Decimal(19000), order_id=order, trade_id=77)

    with pytest.raises(ControlError, match="only 1 left"):
        control.fill(101, "MNQ", "buy", 2, Decimal(19000), order_id=order)
    with pytest.raises(ControlError, match="trade 77 is booked already"):
        control.fill(101, "MNQ", "buy", 1, Decimal(19000), order_id=order, trade_id=77)

    assert first.trade_ids == (77,)


async def test_a_closed_market_is_silent_by_itself(gateway: SimulatedGateway) -> None:
    """Generated prices neither show nor fill while the market is closed, and go on after it."""
    control = gateway.control
    control.walk("MNQ", per_second=10)
    control.market("closed")

    control.time(now=_START + timedelta(minutes=1))
    silent = control.state().prices[_MNQ]
    control.market("open")
    control.time(now=_START + timedelta(minutes=2))

    assert silent["bid"] == Decimal(20000)
    assert control.state().prices[_MNQ]["bid"] != Decimal(20000)


async def test_rest_can_be_down_while_the_hubs_live(client: BareClient) -> None:
    """Each request breaks; the hub goes on; after a while REST is back by itself."""
    hub = await client.hub("user", ("SubscribeTrades", 101))
    client.gateway.control.rest_down(seconds=0.05)

    with pytest.raises(aiohttp.ClientError):
        await client.call("Account/search", onlyActiveAccounts=True)
    client.gateway.control.order(101, "MNQ", "buy", 1)
    await hub.events(1)
    await client.gateway.control.wait_until(lambda: not client.gateway.rest.down)

    assert (await client.call("Account/search", onlyActiveAccounts=True))["success"]

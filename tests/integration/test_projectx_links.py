"""Losing the gateway and finding it again: hubs, login, REST, and what was missed meanwhile."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from riskd.domain.commands import RequestSnapshot
from riskd.domain.events import (
    ConnectionChanged,
    Fill,
    Link,
    PositionReported,
    QuoteReported,
    SnapshotReported,
)
from riskd.simulator import GatewaySettings, SimulatedGateway
from riskd.simulator.faults.rules import HttpError
from riskd.simulator.gateway.connection import HangUp
from tests.integration.projectx_rig import Rig, connected, settings_for

TUESDAY = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
MNQ = "CON.F.US.MNQ.M26"
PLAIN = GatewaySettings(quotes={"MNQ": Decimal("20000.00")}, start=TUESDAY)


@asynccontextmanager
async def connecting(
    gateway: SimulatedGateway, **changes: float | str
) -> AsyncIterator[tuple[Rig, asyncio.Task[None]]]:
    """Yield an adapter that is trying to connect."""
    rig = Rig(settings_for(gateway, (), **changes))
    task = asyncio.create_task(rig.broker.connect())
    try:
        yield rig, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rig.broker.close()


def request(request_id: str) -> RequestSnapshot:
    """Return a request for everything of the day."""
    return RequestSnapshot(account="101", request_id=request_id, since=TUESDAY - timedelta(hours=1))


@pytest.mark.parametrize("how", HangUp)
async def test_a_lost_user_hub_is_found_again_with_what_was_missed(
    how: HangUp,
) -> None:
    """The loss is told, a trade made meanwhile is in the snapshot that comes before the return, and events go on."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        seen = len(rig.ear.heard)
        gateway.control.disconnect("user", how)
        missed = gateway.control.order(101, "MNQ", "buy", 2)
        down = await rig.ear.link(Link.USER_HUB, up=False, after=seen)
        await rig.ear.link(Link.USER_HUB, up=True, after=seen)
        assert down.detail
        events = [r.event for r in rig.ear.heard[seen:] if isinstance(r.event, ConnectionChanged | SnapshotReported)]
        assert [type(e) for e in events] == [ConnectionChanged, SnapshotReported, ConnectionChanged]
        (snapshot,) = rig.ear.all(SnapshotReported, after=seen)
        assert (snapshot.request_id, [p.quantity for p in snapshot.positions]) == ("reconnect", [2])
        assert [f.trade_id for f in snapshot.fills] == [str(missed.trade_ids[0])]
        gateway.control.order(101, "MNQ", "sell", 2)
        await rig.ear.one(PositionReported, lambda p: p.quantity == 0)
        assert rig.broker.malformed == 0


async def test_a_lost_market_hub_is_subscribed_again() -> None:
    """The contracts that matter give prices again after a reconnect, and the user hub is not touched."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        rig.broker.watch(MNQ)
        await gateway.control.wait_subscribed("GatewayQuote", MNQ)
        seen = len(rig.ear.heard)
        gateway.control.disconnect("market", HangUp.ABORT)
        await rig.ear.link(Link.MARKET_HUB, up=False, after=seen)
        await rig.ear.link(Link.MARKET_HUB, up=True, after=seen)
        gateway.control.price("MNQ", Decimal("20010.00"))
        await rig.ear.one(QuoteReported)
        assert {c.link for c in rig.ear.all(ConnectionChanged, after=seen)} == {Link.MARKET_HUB}


async def test_a_hub_that_refuses_for_a_while_is_tried_again() -> None:
    """Reconnecting goes on through refusals and tells each new reason once."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        seen = len(rig.ear.heard)
        gateway.control.hub_down("user")
        await rig.ear.one(ConnectionChanged, lambda c: "HTTP 503" in c.detail, after=seen)
        gateway.control.hub_up("user")
        await rig.ear.link(Link.USER_HUB, up=True, after=seen)
        details = [c.detail for c in rig.ear.all(ConnectionChanged, after=seen) if not c.up]
        assert len(details) == len(set(details))


async def test_a_hub_that_is_dead_on_an_open_line_is_given_up() -> None:
    """A connection over which nothing comes any more, not even pings, counts as lost."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, hub_silence_s=0.2, hub_ping_s=0.1) as rig:
        seen = len(rig.ear.heard)
        gateway.control.half_open("user")
        down = await rig.ear.link(Link.USER_HUB, up=False, after=seen)
        assert "silent" in down.detail
        await rig.ear.link(Link.USER_HUB, up=True, after=seen)


async def test_wrong_credentials_are_one_clear_sentence() -> None:
    """The reason and what to check are told once; riskd keeps trying, slowly, and shows no key."""
    async with (
        SimulatedGateway(PLAIN) as gateway,
        connecting(gateway, api_key="not-the-key", refused_login_retry_s=0.05) as (rig, task),
    ):
        await gateway.control.wait_answered("loginKey", count=3)
        (said,) = rig.ear.all(ConnectionChanged)
        assert (said.link, said.up) == (Link.LOGIN, False)
        assert said.detail == (
            "the gateway refused the login of trader: user name or API key is wrong; "
            "check the user name and the API key"
        )
        assert not task.done()
        assert "not-the-key" not in str(rig.notes.lines)


async def test_a_gateway_that_comes_up_later_is_found() -> None:
    """Riskd says that it cannot reach its broker, keeps trying, and is not reconciled before it has reached it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    gateway = SimulatedGateway(GatewaySettings(port=port, quotes={"MNQ": Decimal("20000.00")}))
    hubs = {
        "user_hub_url": f"http://127.0.0.1:{port}/hubs/user",
        "market_hub_url": f"http://127.0.0.1:{port}/hubs/market",
    }
    rig = Rig(settings_for(gateway, (), rest_url=f"http://127.0.0.1:{port}", **hubs))
    task = asyncio.create_task(rig.broker.connect())
    try:
        down = await rig.ear.link(Link.LOGIN, up=False)
        assert down.detail == f"cannot reach http://127.0.0.1:{port}: Connection refused; riskd keeps trying"
        assert not task.done()
        assert rig.ear.all(SnapshotReported) == []
        async with gateway:
            await rig.ear.link(Link.USER_HUB, up=True, within=10)
            await task
            assert [s.request_id for s in rig.ear.all(SnapshotReported)] == ["start"]
            await rig.broker.close()
    finally:
        await rig.broker.close()


async def test_a_token_is_renewed_before_it_ends() -> None:
    """The hubs are connected anew with the fresh token, nothing is told to be down, and nothing is missed."""
    short = msgspec.structs.replace(PLAIN, token_life=timedelta(seconds=10), speed=Decimal(20))
    async with SimulatedGateway(short) as gateway, connected(gateway) as rig:
        seen = len(rig.ear.heard)
        await gateway.control.wait_answered("validate")
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "reconnect")
        gateway.control.order(101, "MNQ", "buy", 1)
        await rig.ear.one(Fill)
        assert [c for c in rig.ear.all(ConnectionChanged, after=seen) if not c.up] == []
        assert len(gateway.control.requests("loginKey")) == 1


async def test_a_leap_of_simulated_time_ages_the_token() -> None:
    """A day that passes in a moment ends the login, which is renewed without anybody asking."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        gateway.control.time(now=TUESDAY + timedelta(days=2))
        await gateway.control.wait_answered("loginKey", count=2)
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "reconnect")


async def test_a_read_with_a_dead_token_logs_in_again() -> None:
    """A 401 costs one login and no answer."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        gateway.control.expire_tokens()
        rig.broker.request_snapshot(request("7"))
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "7")
        assert len(gateway.control.requests("loginKey")) == 2


async def test_a_hub_that_refuses_the_token_gets_a_fresh_one() -> None:
    """A connection that comes back after the session has ended is told, and mended by one login."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        seen = len(rig.ear.heard)
        gateway.control.expire_tokens()
        gateway.control.disconnect("market", HangUp.ABORT)
        down = await rig.ear.one(ConnectionChanged, lambda c: "HTTP 401" in c.detail, after=seen)
        assert down.link is Link.MARKET_HUB
        await rig.ear.link(Link.MARKET_HUB, up=True, after=seen)
        assert len(gateway.control.requests("loginKey")) == 2


async def test_a_logout_by_the_gateway_is_told_and_answered_with_a_login() -> None:
    """Somebody else may have used the login; riskd takes it back and reconciles."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        seen = len(rig.ear.heard)
        gateway.control.logout("user")
        down = await rig.ear.link(Link.LOGIN, up=False, after=seen)
        assert "ended the login" in down.detail
        await rig.ear.link(Link.LOGIN, up=True, after=seen)
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "reconnect")
        assert len(gateway.control.requests("loginKey")) == 2


@pytest.mark.parametrize(
    ("fault", "clause"),
    [
        (HttpError(calls=("Trade/search",), status=503, times=3), "HTTP 503"),
        (HttpError(calls=("Trade/search",), status=429, retry_after=0, times=1), "HTTP 429"),
    ],
    ids=["server error", "too many"],
)
async def test_a_failing_read_is_told_and_repeated_until_it_succeeds(fault: HttpError, clause: str) -> None:
    """A snapshot that was asked for comes, however often its reads fail, and the link says what is wrong."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        seen = len(rig.ear.heard)
        gateway.control.faults((fault,))
        rig.broker.request_snapshot(request("7"))
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "7")
        said = [c for c in rig.ear.all(ConnectionChanged, after=seen) if c.link is Link.REST]
        assert [c.up for c in said] == [False, True]
        assert clause in said[0].detail


async def test_a_single_failed_read_is_simply_repeated() -> None:
    """A hiccup that the next attempt gets past is no news."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        seen = len(rig.ear.heard)
        gateway.control.faults((HttpError(calls=("Position/searchOpen",), status=500, times=1),))
        rig.broker.request_snapshot(request("7"))
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "7")
        assert rig.ear.all(ConnectionChanged, after=seen) == []


async def test_a_gateway_without_the_newer_query_is_read_all_the_same() -> None:
    """Where Order/v2/query does not exist, open orders and the last day's orders together take its place."""
    async with SimulatedGateway(PLAIN) as gateway:
        gateway.control.faults((HttpError(calls=("v2/query",), status=404),))
        order = gateway.control.order(101, "MNQ", "buy", 1, type="limit", limit=Decimal("19000.00"))
        gateway.control.order(101, "MNQ", "sell", 1)
        async with connected(gateway) as rig:
            (snapshot,) = rig.ear.all(SnapshotReported)
            assert [o.order_id for o in snapshot.orders] == [str(order.order_id)]
            rig.broker.request_snapshot(request("7"))
            await rig.ear.one(SnapshotReported, lambda s: s.request_id == "7")
            assert len(gateway.control.requests("Order/v2/query")) == 1


async def test_requests_that_nobody_can_answer_do_not_pile_up() -> None:
    """While REST is down only the newest questions are kept, and they are answered when it is back."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        gateway.control.rest_down()
        for number in range(9):
            rig.broker.request_snapshot(request(str(number)))
        await rig.ear.link(Link.REST, up=False)
        gateway.control.rest_up()
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "8", within=10)
        answered = [s.request_id for s in rig.ear.all(SnapshotReported)]
        assert answered == ["start", "0", "6", "7", "8"]


async def test_nothing_is_left_behind_by_closing() -> None:
    """After close no task of the adapter runs and no connection to the gateway is open."""
    async with SimulatedGateway(PLAIN) as gateway:
        async with connected(gateway):
            pass
        await gateway.control.wait_until(lambda: gateway.control.state().connections == {"user": 0, "market": 0})
        assert [t for t in asyncio.all_tasks() if t.get_name().startswith("riskd")] == []

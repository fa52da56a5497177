"""Addresses that cannot be connected to, and texts from the gateway that no request can carry."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from riskd.adapters.projectx.budget import Budget, Purpose
from riskd.adapters.projectx.close_channel import CloseChannel, NotSent, Result
from riskd.adapters.projectx.errors import Unreachable
from riskd.adapters.projectx.links import Links
from riskd.adapters.projectx.rest import Rest
from riskd.adapters.projectx.session import Session
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.domain.events import ConnectionChanged, Link
from riskd.simulator import SimulatedGateway
from tests.integration.projectx_rig import Ear, Notes, Rig, settings_for
from tests.integration.test_projectx_reads import good

NO_HOSTS = ("http://gateway..example", "https://gateway..example", "https://.example", f"http://{'a' * 64}.example")


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """Yield the address of a server that gives one answer to everything."""
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def at(rest_url: str) -> ProjectXSettings:
    """Return the settings of a gateway at an address."""
    return ProjectXSettings(
        rest_url=rest_url,
        user_hub_url="",
        market_hub_url="",
        username="u",
        api_key="k",
        send_patience_s=0.2,
        retry_delays_s=(0.05,),
    )


@pytest.mark.parametrize("url", NO_HOSTS)
async def test_a_host_that_cannot_be_one_is_unreachable(url: str) -> None:
    """The name cannot even be looked up, which is one sentence and no failure of riskd's."""
    rest = Rest(at(url), Budget(), lambda _: None)
    try:
        with pytest.raises(Unreachable, match=r"cannot reach \S+: no host can have this name"):
            await rest.post("/api/Auth/loginKey", {}, token="", purpose=Purpose.READ)
    finally:
        await rest.close()


@pytest.mark.parametrize("url", [*NO_HOSTS, "http://gätewäy.invalid:81/päth"])
async def test_a_command_to_a_host_that_cannot_be_one_is_not_sent(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends like any that found no connection, and the host is tried again at the usual pace."""
    tried = 0
    really = asyncio.get_running_loop().create_connection

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal tried
        tried += 1
        return await really(*arguments, **options)

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", counted)
    channel = CloseChannel(at(url), may_ping=lambda: True, on_date=lambda _: None)
    channel.authorize("token")
    channel.open()
    try:
        ended: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        channel.send("/api/Position/closeContract", b"{}", ended.set_result, first=True)
        async with asyncio.timeout(5):
            result = await ended
        assert isinstance(result, NotSent)
        assert "cannot connect to" in result.why
        await asyncio.sleep(0.2)
        assert tried <= 10
    finally:
        await channel.close()


@pytest.mark.parametrize("token", ["t\u00f6ken", "to ken", "token\r\nHost: elsewhere", "\x00"])
async def test_a_token_that_no_header_can_carry_is_no_login(token: str) -> None:
    """It is told as a failed login; put into a header, it would break every command or smuggle another header in."""

    async def log_in(_: web.Request) -> web.Response:
        return good(token=token)

    ear, notes = Ear(), Notes()
    async with serving(log_in) as url:
        rest = Rest(at(url), Budget(), lambda _: None)
        session = Session(at(url), rest, Links(ear.publish, notes, held=False), notes)
        login = asyncio.create_task(session.login())
        said = await ear.one(ConnectionChanged)
        login.cancel()
        await rest.close()
    assert (said.link, said.up, session.token) == (Link.LOGIN, False, "")
    assert said.detail == "the gateway gave a token that cannot be sent; riskd keeps trying"


async def test_a_date_in_any_letters_is_read_past() -> None:
    """One in letters that no header should have is none; the answer beside it counts."""

    async def answer(_: web.Request) -> web.Response:
        response = good(token="t")
        response.headers["Date"] = "\u6628\u65e5"
        return response

    async with serving(answer) as url:
        rest = Rest(at(url), Budget(), lambda _: None)
        reply = await rest.post("/api/Auth/loginKey", {}, token="", purpose=Purpose.READ)
        await rest.close()
    assert reply.token == "t"


async def test_a_hub_whose_host_cannot_be_one_is_down() -> None:
    """It is a lost link with its reason like any other."""
    async with SimulatedGateway() as gateway:
        rig = Rig(settings_for(gateway, user_hub_url="wss://gateway..example/hubs/user"))
        connecting = asyncio.create_task(rig.broker.connect())
        lost = await rig.ear.link(Link.USER_HUB, up=False)
        connecting.cancel()
        await rig.broker.close()
    assert lost.detail.startswith("cannot reach wss://gateway..example/hubs/user: no host can have this name")

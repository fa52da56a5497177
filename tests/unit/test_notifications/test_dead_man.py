"""The dead-man's switch: a sign of life that comes as long as riskd protects, at a real server on this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from riskd.notifications.dead_man import DeadMan, DeadManPing, Sign

PROTECTS = Sign("riskd protects 101")


class Switch:
    """A service that counts signs of life."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.status = 200
        self.url = ""
        self._heard = asyncio.Event()

    async def hear(self, request: web.Request) -> web.Response:
        """Take one sign."""
        self.bodies.append(await request.text())
        self._heard.set()
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    async def heard(self, count: int) -> None:
        """Wait for so many signs."""
        async with asyncio.timeout(5):
            while len(self.bodies) < count:
                self._heard.clear()
                await self._heard.wait()


@asynccontextmanager
async def switch() -> AsyncIterator[Switch]:
    """Serve until the block ends."""
    found = Switch()
    app = web.Application()
    app.router.add_post("/{tail:.*}", found.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/hunter2"
    try:
        yield found
    finally:
        await runner.cleanup()


@asynccontextmanager
async def pinging(url: str, sign: Callable[[], Sign]) -> AsyncIterator[None]:
    """Send signs until the block ends."""
    task = asyncio.create_task(DeadManPing(DeadMan(url, every_s=0.005), sign).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def said(lines: Iterable[MutableMapping[str, object]]) -> list[str]:
    """Return what was logged of signs; threads of other tests may log as well."""
    return [str(line["text"]) for line in lines if line["event"] == "dead man's ping"]


async def test_the_sign_comes_again_and_again() -> None:
    """Each is a POST whose body says who is protected."""
    async with switch() as service, pinging(service.url, lambda: PROTECTS):
        await service.heard(3)
    assert service.bodies[:3] == ["riskd protects 101"] * 3


async def test_no_sign_comes_while_something_is_not_protected() -> None:
    """Silence is what tells: nothing is sent until all is well, and the log says why, once."""
    signs = [Sign("101 cannot be seen", protects=False)] * 2
    with capture_logs() as lines:
        async with switch() as service, pinging(service.url, lambda: signs.pop() if signs else PROTECTS):
            await service.heard(2)
    assert not signs
    assert said(lines) == ["withheld: 101 cannot be seen", "delivered again"]


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_service_that_refuses_is_asked_again(status: int) -> None:
    """It is logged once, without the address, and goes on."""
    with capture_logs() as lines:
        async with switch() as service, pinging(service.url, lambda: PROTECTS):
            service.status = status
            await service.heard(2)
            service.status = 200
            await service.heard(4)
    assert said(lines) == [f"not delivered: answered {status}", "delivered again"]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/ping/hunter2", "http://127.0.0.1:99999/hunter2", "http://[/hunter2"]
)
async def test_a_service_that_is_gone_harms_nothing(address: str) -> None:
    """The signs go on, and the log does not show the address, even where it is none."""
    asked = asyncio.Event()
    times = iter(range(3))

    def sign() -> Sign:
        if next(times, None) is None:
            asked.set()
        return PROTECTS

    with capture_logs() as lines:
        async with pinging(address, sign), asyncio.timeout(5):
            await asked.wait()
    (line,) = said(lines)
    assert line.startswith("not delivered: ")
    assert "hunter2" not in str(lines)


def test_the_address_is_not_shown() -> None:
    """Whoever logs the settings does not log the secret."""
    assert "hunter2" not in repr(DeadMan("https://ping.example/hunter2"))

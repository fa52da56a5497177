"""A web server on this machine that keeps what is posted to it, for notifications to arrive at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class Webhook:
    """What has arrived so far, and where to send it."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.url = ""
        self._arrived = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """Keep one message."""
        self.bodies.append(await request.text())
        self._arrived.set()
        return web.Response()

    async def containing(self, text: str, *, within_s: float = 40.0) -> str:
        """Wait for a message with this text in it."""
        async with asyncio.timeout(within_s):
            while True:
                for body in self.bodies:
                    if text in body:
                        return body
                self._arrived.clear()
                await self._arrived.wait()


@asynccontextmanager
async def webhook(port: int = 0) -> AsyncIterator[Webhook]:
    """Serve until the block ends, on any free port unless one is given."""
    hook = Webhook()
    app = web.Application()
    app.router.add_post("/{tail:.*}", hook.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    assert runner.addresses
    hook.url = f"json://127.0.0.1:{runner.addresses[0][1]}/alerts"
    try:
        yield hook
    finally:
        await runner.cleanup()

"""Every REST request that reached the gateway, and a way to wait for one."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import msgspec


class Received(msgspec.Struct, kw_only=True):
    """One REST request: what came, and what was answered (status 0: nothing yet, or never)."""

    number: int
    at: datetime
    method: str
    path: str
    body: str
    status: int = 0
    reply: str = ""
    held: bool = False

    @property
    def json(self) -> object:
        """Return the body as data; None when it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None

    def is_call(self, call: str) -> bool:
        """Return whether this is a call, by the end of its path, such as closeContract."""
        return self.path.casefold().endswith(call.casefold())


class Bell:
    """Wakes those who wait until something is true, whenever anything changed."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def ring(self) -> None:
        """Let everybody whose condition now holds go on."""
        still: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        for condition, future in self._waiting:
            if future.done():
                continue
            if condition():
                future.set_result(None)
            else:
                still.append((condition, future))
        self._waiting = still

    async def until(self, condition: Callable[[], bool], *, within: float) -> None:
        """Return once a condition holds; TimeoutError when it does not within some seconds."""
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((condition, future))
        async with asyncio.timeout(within):
            await future


class RequestLog:
    """The newest requests in the order they came: at least `keep`, at most twice as many."""

    def __init__(self, bell: Bell, *, keep: int = 50_000) -> None:
        """Start empty; ring a bell at every request and every answer."""
        self.count = 0
        self._received: list[Received] = []
        self._keep = keep
        self._bell = bell

    def begin(self, at: datetime, *, method: str, path: str, body: bytes) -> Received:
        """Note a request as it comes in."""
        self.count += 1
        if len(self._received) >= 2 * self._keep:
            del self._received[: self._keep]
        entry = Received(
            number=self.count,
            at=at,
            method=method,
            path=path,
            body=body.decode("utf-8", "replace"),
        )
        self._received.append(entry)
        self._bell.ring()
        return entry

    def end(self, entry: Received, *, status: int, reply: bytes) -> None:
        """Note what was answered."""
        entry.status, entry.reply = status, reply.decode("utf-8", "replace")
        self._bell.ring()

    def changed(self) -> None:
        """Tell those who wait that a request's fate changed."""
        self._bell.ring()

    def find(self, call: str | None = None, *, after: int = 0) -> list[Received]:
        """Return the requests of a call (all calls if None) that came after a number."""
        forgotten = self.count - len(self._received)
        later = self._received[max(after - forgotten, 0) :]
        return [entry for entry in later if call is None or entry.is_call(call)]

"""The way of a command to the gateway: written to a warm connection in the same call stack that decided it.

A few HTTP/1.1 connections are opened before they are needed and kept alive. ``send`` writes one complete request to an
idle one; there is no task, queue or await between the decision and the bytes. Each connection carries one request at a
time, so that an answer can belong to one request only, and is thrown away with a request that it did not answer.

Nothing is ever written twice. What could not be written (no connection in time) ends as ``NotSent``; what was written
and not answered ends as ``NoAnswer``, and it is for the engine to look what became of it. The classic hole of warm
connections is one that the server has just closed: the bytes go out and nobody reads them. Connections are used or
pinged often enough that this is rare, and one whose closing has arrived but not been read yet is noticed before the
write.
"""

import asyncio
import contextlib
import select
import ssl
from collections import deque
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, urlsplit

import httptools
import msgspec

from riskd.adapters.projectx.errors import os_reason
from riskd.adapters.projectx.settings import ProjectXSettings

MAX_CONNECTIONS: Final = 8
_MAX_ANSWER_BYTES: Final = 1024 * 1024
_FIRST_FINAL_STATUS: Final = 200
_LONGEST_REOPEN_S: Final = 4.0
_CAN_POLL: Final = hasattr(select, "poll")


class Answer(msgspec.Struct, frozen=True):
    """The gateway's complete answer to one request."""

    status: int
    body: bytes
    date: datetime | None = None
    retry_after_s: float | None = None


class NotSent(msgspec.Struct, frozen=True):
    """Not a byte of the request has left this machine."""

    why: str


class NoAnswer(msgspec.Struct, frozen=True):
    """The request was written, and no proper answer came."""

    why: str


Result = Answer | NotSent | NoAnswer
Done = Callable[[Result], None]


class _Request(msgspec.Struct):
    """A request that waits for a connection."""

    data: bytes
    done: Done
    first: bool
    expiry: asyncio.TimerHandle | None = None


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection, for one request at a time."""

    def __init__(
        self, *, timeout_s: float, on_idle: "Callable[[Connection], None]", on_lost: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._answer: Answer | None = None
        self._reusable = True
        self._done: Done | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._poller: Callable[[], bool] = lambda: False
        self.transport: asyncio.WriteTransport | None = None
        self.idle_since = self._loop.time()

    @property
    def usable(self) -> bool:
        """Tell whether a request may be written now.

        Shape: an idle connection on which something has arrived is about to be closed by the gateway.
        """
        if self._done is not None or self.transport is None or self.transport.is_closing():
            return False
        return not self._poller()

    def send(self, data: bytes, done: Done) -> bool:
        """Write one request and return True; False when the system took none of it, and it may go elsewhere."""
        if self.transport is None:
            return False
        self._headers.clear()
        self._body.clear()
        self._answer = None
        self._done = done
        self.transport.write(data)
        if self.transport.is_closing():
            self._done = None
            return False
        self._timer = self._loop.call_later(self._timeout_s, self._expire)
        return True

    def abort(self) -> None:
        """Drop the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the new connection into use."""
        if not isinstance(transport, asyncio.WriteTransport):
            raise TypeError(f"{transport!r} cannot be written to")
        self.transport = transport
        self._poller = _readable(transport)
        self.idle_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        """Read the answer, or take what nobody asked for as the end of the connection."""
        if self._done is None:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._answer is None:
                self._fail(f"the gateway's answer is no HTTP: {error}")
                return
            self._reusable = False
        self._hand_over()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report what was under way and let the pool replace the connection."""
        self._fail("the connection was lost before the answer came" + (f": {exc}" if exc else ""))
        self._on_lost()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header; called by the parser."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body; called by the parser."""
        self._body.append(body)
        if sum(map(len, self._body)) > _MAX_ANSWER_BYTES:
            self._fail("the gateway's answer has no end")

    def on_message_begin(self) -> None:
        """Notice an answer that nobody asked for behind the one that was; called by the parser."""
        if self._answer is not None:
            self._reusable = False

    def on_message_complete(self) -> None:
        """Keep the answer until all that came with it has been read; called by the parser."""
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS or self._answer is not None:
            return
        self._reusable = self._parser.should_keep_alive()
        self._answer = Answer(
            status=status,
            body=b"".join(self._body),
            date=http_date(self._headers.get(b"date")),
            retry_after_s=seconds(self._headers.get(b"retry-after")),
        )

    def _hand_over(self) -> None:
        """Report the answer, if it is complete, and make the connection free.

        Shape: outside the parser, for what the answer causes may be written to this very connection.
        """
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if not self._reusable:
            self.abort()
        self.idle_since = self._loop.time()
        self._finish(answer)
        if self.usable:
            self._on_idle(self)

    def _expire(self) -> None:
        self._fail(f"the gateway did not answer within {self._timeout_s:g} s")

    def _fail(self, why: str) -> None:
        self.abort()
        self._finish(NoAnswer(why))

    def _finish(self, result: Result) -> None:
        done, self._done = self._done, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if done is not None:
            done(result)


class CloseChannel:
    """A small pool of warm connections to the gateway."""

    def __init__(
        self,
        settings: ProjectXSettings,
        *,
        may_ping: Callable[[], bool],
        on_date: Callable[[datetime], None],
    ) -> None:
        url = urlsplit(settings.rest_url)
        self._settings = settings
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._ssl = ssl.create_default_context() if url.scheme == "https" else None
        self._prefix = quote(url.path.rstrip("/"), safe="/%")
        self._netloc = _in_ascii(url.netloc.rpartition("@")[2])
        self._may_ping = may_ping
        self._on_date = on_date
        self._authorization = ""
        self._heads: dict[str, bytes] = {}
        self._ping = self._render_ping()
        self._connections: list[Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._last_failure = ""
        self._waiting: deque[_Request] = deque()
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    def authorize(self, token: str) -> None:
        """Use another token from now on."""
        self._authorization = f"Authorization: Bearer {token}\r\n"
        self._heads.clear()

    @property
    def warm(self) -> int:
        """Return how many connections a request could be written to now."""
        return sum(connection.usable for connection in self._connections)

    def send(self, path: str, body: bytes, done: Done, *, first: bool) -> None:
        """Write a request now if a connection is free, else as soon as one is; ``first`` goes before what waits.

        Shape: ``done`` is called exactly once, never before this returns.
        """
        data = b"%b%d\r\n\r\n%b" % (self._head(path), len(body), body)
        if not self._write(data, done):
            self._wait(_Request(data, done, first))

    def open(self) -> None:
        """Begin to keep connections warm."""
        self._keeper = asyncio.create_task(self._keep_warm(), name="riskd close channel")

    async def close(self) -> None:
        """Drop all connections; what waits ends unsent."""
        tasks = [task for task in (self._keeper, *self._opening) if task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._give_up("riskd is stopping")
        for connection in self._connections:
            connection.abort()
        self._connections.clear()

    def _head(self, path: str) -> bytes:
        head = self._heads.get(path)
        if head is None:
            text = (
                f"POST {self._prefix}{path} HTTP/1.1\r\nHost: {self._netloc}\r\n{self._authorization}"
                "Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: "
            )
            head = self._heads[path] = text.encode("ascii")
        return head

    def _render_ping(self) -> bytes:
        text = (
            f"GET {self._prefix}/api/Status/ping HTTP/1.1\r\nHost: {self._netloc}\r\nAccept: application/json\r\n\r\n"
        )
        return text.encode("ascii")

    def _write(self, data: bytes, done: Done) -> bool:
        # The connection used last is the one most surely alive.
        return any(connection.usable and connection.send(data, done) for connection in reversed(self._connections))

    def _wait(self, request: _Request) -> None:
        loop = asyncio.get_running_loop()
        if self._keeper is None:
            loop.call_soon(request.done, NotSent("the connections to the gateway are not open"))
            return
        if request.first:
            place = next((i for i, other in enumerate(self._waiting) if not other.first), len(self._waiting))
            self._waiting.insert(place, request)
        else:
            self._waiting.append(request)
        request.expiry = loop.call_later(self._settings.send_patience_s, self._lose_patience, request)
        self._wanted.set()

    def _lose_patience(self, request: _Request) -> None:
        if request in self._waiting:
            self._waiting.remove(request)
            reason = f" ({self._last_failure})" if self._last_failure else ""
            request.done(
                NotSent(f"no connection to the gateway was free within {self._settings.send_patience_s:g} s{reason}")
            )

    def _give_up(self, why: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        for request in waiting:
            if request.expiry is not None:
                request.expiry.cancel()
            request.done(NotSent(why))

    def _idle(self, connection: Connection) -> None:
        """Use a connection that has become free for what waits, and remember it as the freshest."""
        with contextlib.suppress(ValueError):
            self._connections.remove(connection)
        self._connections.append(connection)
        if self._waiting:
            request = self._waiting.popleft()
            if request.expiry is not None:
                request.expiry.cancel()
            if not connection.send(request.data, request.done):
                self._wait(request)

    def _lost(self) -> None:
        self._connections = [c for c in self._connections if c.transport is None or not c.transport.is_closing()]
        self._wanted.set()

    async def _keep_warm(self) -> None:
        while True:
            self._wanted.clear()
            self._open_missing()
            self._ping_one()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.warm_every_s / 4):
                    await self._wanted.wait()

    def _open_missing(self) -> None:
        wanted = self._settings.warm_connections + len(self._waiting)
        missing = min(wanted, MAX_CONNECTIONS) - len(self._connections) - len(self._opening)
        if self._failures:
            missing = min(missing, 1 - len(self._opening))
        for _ in range(missing):
            task = asyncio.create_task(self._open_one(), name="riskd close channel: connect")
            self._opening.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._wanted.set()

    async def _open_one(self) -> None:
        if self._failures:
            # Cheap, and a close may need it: never as slow as other retries become.
            await asyncio.sleep(min(self._settings.retry_delay(self._failures), _LONGEST_REOPEN_S))
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                connection = await self._connect()
        except (OSError, ValueError) as error:
            self._failures += 1
            self._last_failure = f"{self._netloc}: {os_reason(error)}"
            if not self._connections:
                self._give_up(f"cannot connect to {self._last_failure}")
            return
        self._failures = 0
        self._last_failure = ""
        self._idle(connection)

    async def _connect(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(timeout_s=self._settings.command_timeout_s, on_idle=self._idle, on_lost=self._lost),
            self._host,
            self._port,
            ssl=self._ssl,
        )
        return connection

    def _ping_one(self) -> None:
        """Ask the longest idle connection for a sign of life, unless it is the only one that is free."""
        due = asyncio.get_running_loop().time() - self._settings.warm_every_s
        usable = [connection for connection in self._connections if connection.usable]
        stale = [connection for connection in usable if connection.idle_since <= due]
        if stale and (len(usable) > 1 or self._settings.warm_connections == 1) and self._may_ping():
            min(stale, key=lambda connection: connection.idle_since).send(self._ping, self._pinged)

    def _pinged(self, result: Result) -> None:
        if isinstance(result, Answer) and result.date is not None:
            self._on_date(result.date)


def _in_ascii(netloc: str) -> str:
    """Return a host and port as a header may hold them, whatever will come of connecting there."""
    try:
        return netloc.encode("idna").decode("ascii")
    except UnicodeError:
        return netloc.encode("ascii", "replace").decode("ascii")


def http_date(value: bytes | None) -> datetime | None:
    """Return the time of an HTTP date header, aware UTC; None where it is missing or no date."""
    if value is None:
        return None
    try:
        at = parsedate_to_datetime(value.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return None
    return at if at.tzinfo is not None else None


def seconds(value: bytes | None) -> float | None:
    """Return the seconds of a Retry-After header; None where it is missing or a date."""
    return float(value) if value is not None and value.isdigit() else None


def _readable(transport: asyncio.BaseTransport) -> Callable[[], bool]:
    """Return a quick question to the system: has anything arrived here that is not read yet."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return lambda: False
    if _CAN_POLL:
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        return lambda: bool(poller.poll(0))
    return lambda: bool(select.select([sock.fileno()], [], [], 0)[0])

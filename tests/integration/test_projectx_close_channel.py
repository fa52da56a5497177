"""The way of a command to the gateway, against a peer that answers well, badly, late or not at all."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.adapters.projectx.close_channel import Answer, CloseChannel, Connection, NoAnswer, NotSent, Result
from riskd.adapters.projectx.settings import ProjectXSettings
from tests.integration.projectx_rig import localhost_identity, needs_openssl

PATH = "/api/Position/closeContract"
BODY = b'{"success":true,"errorCode":0}'
DATE = "Fri, 20 Nov 2026 15:05:00 GMT"


def ok(body: bytes = BODY, *headers: str) -> bytes:
    """Return a complete HTTP answer."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", f"Date: {DATE}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Peer:
    """A gateway whose every byte the test decides."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0)
        self.sockets: list[socket.socket] = []

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def accept(self) -> socket.socket:
        """Take the next connection."""
        async with asyncio.timeout(5):
            accepted, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        accepted.settimeout(0)
        self.sockets.append(accepted)
        return accepted

    async def request(self, accepted: socket.socket) -> bytes:
        """Read what is sent next on a connection."""
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(accepted, 65536)

    async def answer(self, accepted: socket.socket, data: bytes) -> None:
        """Send something back."""
        await asyncio.get_running_loop().sock_sendall(accepted, data)

    def arrived(self) -> list[bytes]:
        """Return what has arrived on each connection, without giving the event loop a chance to run."""
        found = []
        for accepted in self.sockets:
            try:
                found.append(accepted.recv(65536))
            except OSError:
                found.append(b"")
        return found

    def stop_listening(self) -> None:
        """Refuse new connections."""
        self._listener.close()

    def close(self) -> None:
        """Let go of everything."""
        self._listener.close()
        for accepted in self.sockets:
            accepted.close()


class Results:
    """The outcomes of requests, in the order they came."""

    def __init__(self) -> None:
        """Begin empty."""
        self.all: list[Result] = []
        self._more = asyncio.Event()

    def __call__(self, result: Result) -> None:
        """Take one outcome."""
        self.all.append(result)
        self._more.set()

    async def wait(self, count: int = 1) -> list[Result]:
        """Wait until there are so many."""
        async with asyncio.timeout(5):
            while len(self.all) < count:
                self._more.clear()
                await self._more.wait()
        return self.all


def settings_of(url: str) -> ProjectXSettings:
    """Return settings for a peer."""
    return ProjectXSettings(rest_url=url, user_hub_url="", market_hub_url="", username="", api_key="")


@asynccontextmanager
async def channel_to(
    peer: Peer,
    connections: int = 2,
    *,
    timeout_s: float = 2.0,
    patience_s: float = 1.0,
    warm_every_s: float = 3600.0,
    dates: list[datetime] | None = None,
) -> AsyncIterator[CloseChannel]:
    """Yield a warm channel to a peer."""
    plain = replace(
        settings_of(peer.url),
        command_timeout_s=timeout_s,
        send_patience_s=patience_s,
        warm_connections=connections,
        warm_every_s=warm_every_s,
    )
    seen = [] if dates is None else dates
    channel = CloseChannel(plain, may_ping=lambda: True, on_date=seen.append)
    channel.authorize("the-token")
    channel.open()
    try:
        for _ in range(connections):
            await peer.accept()
        await until_warm(channel, connections)
        yield channel
    finally:
        await channel.close()
        peer.close()


async def until_warm(channel: CloseChannel, connections: int) -> None:
    """Let the loop run until exactly so many connections are ready."""
    async with asyncio.timeout(5):
        while channel.warm != connections:  # noqa: ASYNC110 - a read-only count has no event to wait for
            await asyncio.sleep(0)


async def test_the_bytes_are_on_the_wire_when_send_returns() -> None:
    """No turn of the event loop lies between the decision and the bytes of a close."""
    peer, results = Peer(), Results()
    async with channel_to(peer) as channel:
        channel.send(PATH, b'{"accountId":101}', results, first=True)
        (request,) = [data for data in peer.arrived() if data]
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/Position/closeContract HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer the-token\r\n" in head
    assert b"\r\nContent-Length: 17" in head
    assert body == b'{"accountId":101}'


async def test_an_answer_comes_back_whole_and_the_connection_is_used_again() -> None:
    """Status, body and the broker's date are handed over; the warmest connection is taken next."""
    peer, results = Peer(), Results()
    async with channel_to(peer) as channel:
        for _ in range(3):
            channel.send(PATH, b"{}", results, first=True)
            (used,) = [sock for sock, data in zip(peer.sockets, peer.arrived(), strict=True) if data]
            await peer.answer(used, ok())
            await results.wait(len(results.all) + 1)
    assert results.all == [Answer(200, BODY, datetime(2026, 11, 20, 15, 5, tzinfo=UTC))] * 3
    assert len(peer.sockets) == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n',
            Answer(200, b'{"a":1}'),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Answer(200, b"{}")),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Answer(503, b"")),
        (
            b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
            Answer(429, b"", retry_after_s=7.0),
        ),
        (b"HTTP/1.1 200 OK\r\nDate: yesterday\r\nContent-Length: 0\r\n\r\n", Answer(200, b"")),
    ],
    ids=["chunked", "after continue", "server error", "too many", "odd date"],
)
async def test_every_proper_answer_is_understood(answer: bytes, expected: Answer) -> None:
    """Bodies come with a length or in chunks, and an interim answer is not the answer."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 1) as channel:
        channel.send(PATH, b"{}", results, first=True)
        await peer.answer(peer.sockets[0], answer)
        assert await results.wait() == [expected]


@pytest.mark.parametrize(
    ("answer", "clause"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"succ', "lost before the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "lost before the answer"),
        (b"", "lost before the answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "no HTTP"),
    ],
    ids=["half body", "half head", "nothing", "another protocol", "impossible length"],
)
async def test_what_is_no_answer_leaves_it_open(answer: bytes, clause: str) -> None:
    """A request that was written and not properly answered may or may not have taken effect."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 1) as channel:
        channel.send(PATH, b"{}", results, first=True)
        await peer.answer(peer.sockets[0], answer)
        peer.sockets[0].close()
        (result,) = await results.wait()
        assert isinstance(result, NoAnswer)
        assert clause in result.why
        # The lost connection is replaced, and the request is not repeated on the new one.
        fresh = await peer.accept()
        await until_warm(channel, 1)
        with pytest.raises(BlockingIOError):
            fresh.recv(1)


async def test_silence_ends_in_time_and_a_late_answer_belongs_to_nobody() -> None:
    """The connection of an unanswered request is thrown away, so that its answer cannot be taken for another's."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 1, timeout_s=0.05) as channel:
        channel.send(PATH, b'{"first":1}', results, first=True)
        (result,) = await results.wait()
        assert result == NoAnswer("the gateway did not answer within 0.05 s")
        await peer.accept()
        await until_warm(channel, 1)
        channel.send(PATH, b'{"second":2}', results, first=True)
        with contextlib.suppress(OSError):
            await peer.answer(peer.sockets[0], ok(b"late"))
        await peer.answer(peer.sockets[1], ok(b"in time"))
        _, second = await results.wait(2)
    assert isinstance(second, Answer)
    assert second.body == b"in time"


@pytest.mark.parametrize("how", ["finished", "reset"])
async def test_a_connection_that_has_just_been_closed_is_not_written_to(how: str) -> None:
    """The end of an idle connection has arrived but was not read yet: the request takes another one, once."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 2) as channel:
        channel.send(PATH, b"{}", results, first=True)
        (used,) = [sock for sock, data in zip(peer.sockets, peer.arrived(), strict=True) if data]
        await peer.answer(used, ok())
        await results.wait()
        # The connection used last is the one that would be taken. From here on the loop does not run.
        if how == "reset":
            used.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        used.close()
        peer.sockets.remove(used)
        channel.send(PATH, b'{"again":1}', results, first=True)
        (request,) = peer.arrived()
        assert request.endswith(b'{"again":1}')
        await peer.answer(peer.sockets[0], ok(b"done"))
        _, result = await results.wait(2)
    assert isinstance(result, Answer)
    assert result.body == b"done"


async def test_lost_and_closing_connections_are_replaced() -> None:
    """The pool is as large again after the gateway closed one, said that it would, or spoke unasked."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 2) as channel:
        peer.sockets[0].close()
        await peer.accept()
        await until_warm(channel, 2)
        await peer.answer(peer.sockets[1], b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.accept()
        await until_warm(channel, 2)
        channel.send(PATH, b"{}", results, first=True)
        (used,) = [sock for sock, data in zip(peer.sockets, peer.arrived(), strict=True) if data]
        await peer.answer(used, ok(BODY, "Connection: close"))
        assert isinstance((await results.wait())[0], Answer)
        await peer.accept()
        await until_warm(channel, 2)


async def test_an_answer_too_many_belongs_to_nobody() -> None:
    """A second answer behind the first is not taken for that of the request which the first one caused."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 1) as channel:

        def ask_again(result: Result) -> None:
            results(result)
            channel.send(PATH, b"second", results, first=True)

        channel.send(PATH, b"first", ask_again, first=True)
        await peer.request(peer.sockets[0])
        await peer.answer(peer.sockets[0], ok(b"1") + ok(b"nobody's"))
        second = await peer.accept()
        assert (await peer.request(second)).endswith(b"second")
        await peer.answer(second, ok(b"2"))
        bodies = [result.body for result in await results.wait(2) if isinstance(result, Answer)]
    assert bodies == [b"1", b"2"]


async def test_more_requests_than_connections_all_get_through_closes_first() -> None:
    """A burst waits for free connections without a request being lost, repeated or overtaken by a lesser one."""
    peer, results = Peer(), Results()
    served: list[bytes] = []

    async def serve(accepted: socket.socket) -> None:
        while request := await peer.request(accepted):
            served.append(request.partition(b"\r\n\r\n")[2])
            await peer.answer(accepted, ok())

    async with channel_to(peer, 1) as channel:
        for number in range(12):
            channel.send("/api/Order/cancel", b"cancel %d" % number, results, first=False)
        for number in range(3):
            channel.send(PATH, b"close %d" % number, results, first=True)
        only = peer.sockets[0]
        peer.stop_listening()
        server = asyncio.create_task(serve(only))
        assert {type(result) for result in await results.wait(15)} == {Answer}
        server.cancel()
    expected = ["cancel 0", "close 0", "close 1", "close 2", *(f"cancel {n}" for n in range(1, 12))]
    assert [body.decode() for body in served] == expected


async def test_a_gateway_that_is_gone_is_told_at_once() -> None:
    """With no connection left and none to be had, nothing was sent, and the sentence says why."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 1) as channel:
        peer.stop_listening()
        peer.sockets[0].close()
        await until_warm(channel, 0)
        channel.send(PATH, b"{}", results, first=True)
        assert results.all == []
        (result,) = await results.wait()
    assert isinstance(result, NotSent)
    assert "cannot connect to 127.0.0.1" in result.why or "no connection to the gateway" in result.why


async def test_patience_ends_unsent() -> None:
    """A request that found every connection busy for too long has certainly not been sent."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 1, patience_s=0.05) as channel:
        peer.stop_listening()
        channel.send(PATH, b"first", results, first=True)
        channel.send(PATH, b"second", results, first=True)
        (result,) = await results.wait()
        assert isinstance(result, NotSent)
        (seen,) = peer.arrived()
        assert seen.endswith(b"first")
        assert b"second" not in seen


async def test_a_stopped_channel_ends_what_waits() -> None:
    """Every request gets its one outcome, even when riskd stops."""
    peer, results = Peer(), Results()
    async with channel_to(peer, 1) as channel:
        peer.stop_listening()
        channel.send(PATH, b"written", results, first=True)
        channel.send(PATH, b"waiting", results, first=True)
    await results.wait(2)
    assert {type(result) for result in results.all} == {NoAnswer, NotSent}


async def test_idle_connections_are_pinged_one_by_one() -> None:
    """A harmless request keeps a connection alive and brings the broker's time; one stays free for a close."""
    peer, dates = Peer(), list[datetime]()
    async with channel_to(peer, 2, warm_every_s=0.04, dates=dates) as channel:
        seen = [asyncio.create_task(peer.request(accepted)) for accepted in peer.sockets]
        done, _ = await asyncio.wait(seen, return_when=asyncio.FIRST_COMPLETED, timeout=5)
        (pinged,) = done
        assert pinged.result().startswith(b"GET /api/Status/ping HTTP/1.1\r\n")
        assert b"the-token" not in pinged.result()
        assert channel.warm == 1
        await peer.answer(peer.sockets[seen.index(pinged)], ok(b'"pong"'))
        (other,) = [task for task in seen if task is not pinged]
        async with asyncio.timeout(5):
            assert (await other).startswith(b"GET /api/Status/ping")
        assert dates == [datetime(2026, 11, 20, 15, 5, tzinfo=UTC)]


@needs_openssl
async def test_an_encrypted_connection_is_as_warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS the certificate is checked, open connections are used, and session tickets disturb nothing."""
    identity = localhost_identity(tmp_path, monkeypatch)
    connections, requests = 0, list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                requests.append(await reader.readuntil(b"\r\n\r\n{}"))
                writer.write(ok())
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=identity, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]
    results = Results()
    channel = CloseChannel(
        replace(settings_of(f"https://localhost:{port}"), warm_connections=2),
        may_ping=lambda: True,
        on_date=lambda _: None,
    )
    async with server:
        channel.open()
        await until_warm(channel, 2)
        for count in range(1, 5):
            channel.send(PATH, b"{}", results, first=True)
            await results.wait(count)
        await channel.close()
    assert {type(result) for result in results.all} == {Answer}
    assert (connections, len(requests)) == (2, 4)


class Wire(asyncio.WriteTransport):
    """A transport that goes nowhere, or breaks when it is written to."""

    def __init__(self, *, breaks: bool = False) -> None:
        """Begin open."""
        super().__init__()
        self.closed = False
        self._breaks = breaks

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Forget it."""
        self.closed = self._breaks

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Close it."""
        self.closed = True

    def abort(self) -> None:
        """Close it."""
        self.closed = True


async def test_a_write_that_the_system_refuses_is_not_sent() -> None:
    """Not a byte was taken, so the request may go over another connection, and this one reports nothing."""
    results = Results()
    connection = Connection(timeout_s=1.0, on_idle=lambda _: None, on_lost=lambda: None)
    assert not connection.send(b"request", results)
    connection.connection_made(Wire(breaks=True))
    assert connection.usable
    assert not connection.send(b"request", results)
    connection.connection_lost(None)
    assert results.all == []


async def test_an_answer_without_end_is_given_up() -> None:
    """A gateway that never stops talking does not fill the memory."""
    results = Results()
    connection = Connection(timeout_s=1.0, on_idle=lambda _: None, on_lost=lambda: None)
    connection.connection_made(Wire())
    connection.send(b"request", results)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")
    for _ in range(20):
        connection.data_received(b"x" * 100_000)
    assert results.all == [NoAnswer("the gateway's answer has no end")]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """Return one loop for all examples."""
    with asyncio.Runner() as one:
        yield one


@settings(max_examples=50)
@given(cuts=st.lists(st.integers(0, 200), max_size=6), noise=st.binary(max_size=60), chunked=st.booleans())
def test_an_answer_is_the_same_however_it_is_cut(
    runner: asyncio.Runner, cuts: list[int], noise: bytes, *, chunked: bool
) -> None:
    """Where the network cuts an answer makes no difference, and neither does what its body holds."""
    if chunked:
        parts = b"".join(b"%x\r\n%b\r\n" % (1, noise[i : i + 1]) for i in range(len(noise)))
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"
    else:
        data = ok(noise)
    assert [result.body for result in heard(runner, data, cuts) if isinstance(result, Answer)] == [noise]


@settings(max_examples=100)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=3))
def test_no_answer_can_break_the_connection_into_two_outcomes(
    runner: asyncio.Runner, data: bytes, cuts: list[int]
) -> None:
    """Whatever arrives, a request has one outcome."""
    assert len(heard(runner, b"HTTP/1.1 " + data, cuts)) == 1


def heard(runner: asyncio.Runner, data: bytes, cuts: list[int]) -> list[Result]:
    """Return the outcomes of one request that is answered with these bytes and then the end."""

    async def play() -> list[Result]:
        results: list[Result] = []
        connection = Connection(timeout_s=1.0, on_idle=lambda _: None, on_lost=lambda: None)
        connection.connection_made(Wire())
        connection.send(b"request", results.append)
        start = 0
        for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            connection.data_received(data[start:cut])
            start = cut
        connection.connection_lost(None)
        return results

    return runner.run(play())

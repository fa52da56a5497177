"""One client's socket on a hub: handshake, calls in, records out."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

import msgspec
from aiohttp import WSMsgType, web

from riskd.simulator.gateway import signalr
from riskd.simulator.gateway.signalr import Message, ProtocolFailed, RecordReader

_QUEUE_LIMIT_BYTES = 64 * 1024 * 1024
_NORMAL_CLOSURE = 1000


class HangUp(StrEnum):
    """How the server ends a connection."""

    CLEAN = "clean"
    ABORT = "abort"
    ERROR = "error"
    ERROR_RECONNECT = "error_reconnect"


class Subscription(msgspec.Struct, frozen=True):
    """A kind of event, of one account or contract where it has one."""

    target: str
    key: int | str | None = None


class Connection:
    """A connected client, and the records on their way to it."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, on_ready: Callable[[], None]) -> None:
        """Speak through an upgraded request; `on_ready` is told when hands were shaken."""
        self.ready = False
        self.mute = False
        self._on_ready = on_ready
        self._socket = socket
        self._request = request
        self._queue: list[bytes] = []
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._ending: HangUp | None = None
        self._writer = asyncio.create_task(self._write())

    def send(self, record: bytes) -> None:
        """Queue a record; a client that never reads is dropped."""
        if self.mute or self._ending is not None:
            return
        self._queue.append(record)
        self._queued_bytes += len(record)
        if self._queued_bytes > _QUEUE_LIMIT_BYTES:
            self.hang_up(HangUp.ABORT)
        self._wake.set()

    def play_dead(self) -> None:
        """Leave the socket open: send nothing more, read nothing more, not even pings."""
        self.mute = True
        if self._request.transport is not None and self._request.transport.is_reading():
            self._request.transport.pause_reading()

    def hang_up(self, how: HangUp) -> None:
        """End the connection after what is queued (at once when it is to be aborted)."""
        if how is HangUp.ABORT:
            self._ending = how
            self._abort()
        elif self._ending is None:
            if how is not HangUp.CLEAN:
                text = "Connection closed with an error."
                self.send(signalr.close(text, allow_reconnect=how is HangUp.ERROR_RECONNECT))
            self._ending = how
        self._wake.set()

    async def converse(self, call: Callable[[Message], None], *, handshake_within: float) -> None:
        """Shake hands, then hand every call over, until the client or the server hangs up."""
        reader = RecordReader()
        try:
            async with asyncio.timeout(handshake_within) as patience:
                await self._listen(reader, call, patience)
        except ProtocolFailed as failure:
            self._refuse(str(failure))
        except TimeoutError:
            self._refuse("Handshake was canceled.")
        except asyncio.CancelledError:
            # The socket just ended and the server's handler with it: nobody is left to write to.
            self._writer.cancel()
            raise
        self.hang_up(HangUp.CLEAN)
        with suppress(asyncio.CancelledError):
            await self._writer

    async def _listen(self, reader: RecordReader, call: Callable[[Message], None], patience: asyncio.Timeout) -> None:
        async for frame in self._socket:
            if frame.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            data = frame.data.encode() if frame.type is WSMsgType.TEXT else frame.data
            for record in reader.feed(data):
                if self.mute:
                    continue
                if self.ready:
                    call(signalr.read_message(record))
                else:
                    self._shake_hands(record)
                    patience.reschedule(None)

    def _shake_hands(self, record: bytes) -> None:
        signalr.read_handshake(record)
        self.send(signalr.HANDSHAKE_ACCEPTED)
        self.ready = True
        self._on_ready()

    def _refuse(self, error: str) -> None:
        if self.ready:
            self.send(signalr.close(error, allow_reconnect=False))
        else:
            self.send(signalr.handshake_refused(error))

    async def _write(self) -> None:
        """Send what is queued, all that waits in one frame, as the real server does under load."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting = b"".join(self._queue)
            self._queue.clear()
            self._queued_bytes = 0
            try:
                if waiting:
                    await self._socket.send_frame(waiting, WSMsgType.TEXT)
            except (ConnectionError, RuntimeError):
                return
            if self._ending is not None and not self._queue:
                if self._ending is not HangUp.ABORT:
                    await self._socket.close(code=_NORMAL_CLOSURE)
                return

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

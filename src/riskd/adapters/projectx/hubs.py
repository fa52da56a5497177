"""One SignalR hub, kept connected: what it says is acted on inside the callback that received it.

``Connection`` is one socket's life. A frame is cut, decoded and handed on in the call that picows makes for it; there
is no queue and no task in between. ``Hub`` opens one connection after the other: subscribe, let the tenant catch up,
report the link as up, wait for the end, begin again. A connection that riskd itself replaces is let go only when its
successor is subscribed: what is said in between is heard twice rather than not at all.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Final, Literal, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
import picows

from riskd.adapters.projectx import signalr, wire
from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.errors import os_reason
from riskd.adapters.projectx.session import Session
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.domain.decoding import UNDECODABLE
from riskd.domain.events import Link

Call = tuple[str, tuple[str | int, ...]]

_ANSWER_S: Final = 5.0
_STEADY_AFTER_S: Final = 10.0
_UNAUTHORIZED: Final = 401
_DATA: Final = (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION)

# picows logs what it receives while connecting; the URL has the token in it.
_SILENT: Final = logging.getLogger("riskd.picows")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class HubLost(Exception):
    """The hub could not be reached, or not be used, or is gone; says why."""


class TokenRefused(HubLost):
    """The hub does not accept the token."""


class Tenant(Protocol):
    """Whoever listens on a hub."""

    def invoked(self, target: str, arguments: msgspec.Raw) -> None:
        """Act on one event, inside the read that brought it."""
        ...

    def garbled(self, why: str) -> None:
        """Take note of a record that could not be read at all."""
        ...

    def subscriptions(self) -> Sequence[Call]:
        """Return what to subscribe after every connect."""
        ...

    async def catch_up(self) -> None:
        """Read what was missed; the link counts as up when this returns."""
        ...

    def came_back(self) -> None:
        """Take note that the link is reported up after it had been down."""
        ...


class Connection(picows.WSListener):
    """One socket to one hub, from the handshake to its end."""

    def __init__(self, settings: ProjectXSettings, tenant: Tenant) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._tenant = tenant
        self._splitter = signalr.Splitter()
        self._transport: picows.WSTransport | None = None
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._last_id = 0
        self._heard_at = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._shaken = False
        self.handshake: asyncio.Future[str] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()

    def call(self, target: str, arguments: tuple[str | int, ...]) -> asyncio.Future[str]:
        """Call a hub method; the future holds the gateway's error text, empty when all is well."""
        self._last_id += 1
        call_id = str(self._last_id)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers[call_id] = answer
        self._send(signalr.invocation(target, arguments, call_id))
        return answer

    def drop(self, why: str) -> None:
        """End the connection and say why."""
        if not self.lost.done():
            self.lost.set_result(why)
        if not self.handshake.done():
            self.handshake.set_result(why)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(why)
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.disconnect()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Greet the hub; called by picows."""
        self._transport = transport
        self._send(signalr.HANDSHAKE)
        self._beat()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Act on a frame; called by picows from inside the read."""
        self._heard_at = monotonic()
        if frame.msg_type in _DATA:
            self._feed(frame.get_payload_as_bytes())
        elif frame.msg_type is picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            self.drop(f"the gateway closed the connection ({frame.get_close_code().name})")

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Note the end; called by picows."""
        self.drop("the connection was lost")

    def _feed(self, data: bytes) -> None:
        try:
            records = self._splitter.feed(data)
        except signalr.RecordTooLong as error:
            self.drop(str(error))
            return
        for record in records:
            if self.lost.done():
                return
            self._hear(record)

    def _hear(self, data: bytes) -> None:
        try:
            record = wire.RECORD.decode(data)
        except UNDECODABLE as error:
            self._tenant.garbled(f"{error}: {data[:200].decode('utf-8', 'replace')}")
            return
        if not self._shaken:
            self._shake(record)
        elif record.type == signalr.INVOCATION:
            self._tenant.invoked(record.target or "", record.arguments)
        elif record.type == signalr.COMPLETION:
            answer = self._answers.pop(record.invocation_id or "", None)
            if answer is not None and not answer.done():
                answer.set_result(record.error or "")
        elif record.type == signalr.CLOSE:
            self.drop(f"the gateway ended the connection: {record.error or 'it gave no reason'}")

    def _shake(self, record: wire.Record) -> None:
        self._shaken = True
        if record.error is not None:
            self.drop(f"the gateway refused the handshake: {record.error}")
        elif not self.handshake.done():
            self.handshake.set_result("")

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(picows.WSMsgType.TEXT, data)

    def _beat(self) -> None:
        """Ping, and find out when the gateway has fallen silent."""
        silent_s = monotonic() - self._heard_at
        if silent_s >= self._settings.hub_silence_s:
            self.drop(f"the gateway has been silent for {silent_s:.0f} s")
            return
        if self._shaken:
            self._send(signalr.PING)
        next_beat = min(self._settings.hub_ping_s, max(self._settings.hub_silence_s - silent_s, 0.01))
        self._timer = asyncio.get_running_loop().call_later(next_beat, self._beat)


class Hub:
    """Keeps one hub connected and subscribed."""

    def __init__(self, link: Link, url: str, tenant: Tenant, *, context: Context, session: Session) -> None:
        self._link = link
        self._url = url
        self._tenant = tenant
        self._settings = context.settings
        self._links = context.links
        self._log = context.log
        self._session = session
        # A gateway that is not simulated answers that it does not know the method, which is all the same.
        self._optional: Iterable[Call] = [("SubscribeSimulatedTime", ())] if context.settings.on_this_machine else []
        self._connection: Connection | None = None
        self._replace = asyncio.Event()
        self._why = ""
        self._was_up = False
        self.tried = asyncio.Event()

    async def keep(self) -> None:
        """Connect again and again, for ever."""
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            if failures:
                await asyncio.sleep(self._settings.retry_delay(failures))
            began = loop.time()
            why = await self._live()
            failures = 1 if loop.time() - began >= _STEADY_AFTER_S else failures + 1
            self._links.down(self._link, why)
            self.tried.set()

    async def _live(self) -> str:
        """Live through one connection and its planned successors, and return why the last one ended."""
        token = self._new_token()
        try:
            connection = await self._begin(token)
            self._report_up()
            while await self._is_to_be_replaced(connection):
                self._log.info("hub_connection_renewed", link=self._link.value, why=self._why)
                token = self._new_token()
                connection = await self._begin(token)
            return await connection.lost
        except TokenRefused as error:
            self._links.down(self._link, str(error))
            await self._session.replace(token)
            return str(error)
        except HubLost as error:
            return str(error)
        finally:
            self._let_go()

    def _report_up(self) -> None:
        again, self._was_up = self._was_up, True
        self._links.up(self._link)
        self.tried.set()
        if again:
            self._tenant.came_back()

    def _new_token(self) -> str:
        """Return the token for a new connection; a fresher one that comes while it opens asks for the next."""
        self._replace.clear()
        return self._session.token

    async def _begin(self, token: str) -> Connection:
        """Open a connection and subscribe on it; the one before is let go when this is done or has failed.

        Errors: HubLost, TokenRefused.
        """
        connection = await self._open(token)
        before, self._connection = self._connection, connection
        try:
            await self._make_ready(connection)
        finally:
            if before is not None:
                before.drop("riskd has a newer one")
        return connection

    async def _is_to_be_replaced(self, connection: Connection) -> bool:
        """Wait until a connection ends or another one is wanted; return whether it still stands."""
        wanted = asyncio.ensure_future(self._replace.wait())
        try:
            either: list[asyncio.Future[str] | asyncio.Future[Literal[True]]] = [connection.lost, wanted]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            wanted.cancel()
        return not connection.lost.done()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.drop("riskd let go of it")
            self._connection = None

    def call(self, target: str, *arguments: str | int) -> None:
        """Call a hub method now if connected; what has to survive a reconnect belongs to the subscriptions."""
        if self._connection is not None:
            self._connection.call(target, arguments).add_done_callback(lambda answer: self._log_error(target, answer))

    def restart(self, why: str) -> None:
        """Open a new connection in place of this one, without calling the link down in between."""
        self._why = why
        self._replace.set()

    async def _open(self, token: str) -> Connection:
        connection = Connection(self._settings, self._tenant)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await picows.ws_connect(
                    lambda: connection,
                    _socket_url(self._url, token),
                    websocket_handshake_timeout=self._settings.connect_timeout_s,
                    logger_name=_SILENT,
                    max_redirects=0,
                )
                why = await connection.handshake
        except (OSError, UnicodeError, picows.WSError) as error:
            connection.drop("the connection was not completed")
            raise _lost(self._url, error) from error
        if why:
            raise HubLost(why)
        return connection

    async def _make_ready(self, connection: Connection) -> None:
        """Subscribe to everything, then catch up on what was missed, as long as the connection lasts."""
        optional = [connection.call(*call) for call in self._optional]
        wanted = [connection.call(*call) for call in self._tenant.subscriptions()]
        answers = [*optional, *wanted]
        if answers:
            _, late = await asyncio.wait(answers, timeout=_ANSWER_S)
            if late:
                self._log.warning("hub_does_not_confirm", link=self._link.value, calls=len(late))
        if connection.lost.done():
            raise HubLost(connection.lost.result())
        refusals = [answer.result() for answer in wanted if answer.done() and answer.result()]
        if refusals:
            raise HubLost(f"the gateway refused a subscription: {refusals[0]}")
        await self._race(connection)

    async def _race(self, connection: Connection) -> None:
        catching_up = asyncio.ensure_future(self._tenant.catch_up())
        try:
            first: list[asyncio.Future[None] | asyncio.Future[str]] = [catching_up, connection.lost]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not catching_up.done():
                catching_up.cancel()
        if connection.lost.done():
            raise HubLost(connection.lost.result())
        await catching_up

    def _log_error(self, target: str, answer: asyncio.Future[str]) -> None:
        if not answer.cancelled() and answer.result():
            self._log.warning("hub_call_failed", link=self._link.value, target=target, why=answer.result())


def _socket_url(url: str, token: str) -> str:
    """Return the WebSocket address of a hub; browsers' way of passing the token is the documented one."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path, f"access_token={quote(token)}", ""))


def _lost(url: str, error: Exception) -> HubLost:
    if isinstance(error, picows.WSInvalidStatusError) and error.response is not None:
        status = int(error.response.status)
        kind = TokenRefused if status == _UNAUTHORIZED else HubLost
        return kind(f"the gateway answered {url} with HTTP {status}")
    if isinstance(error, TimeoutError):
        return HubLost(f"no answer from {url}")
    if isinstance(error, OSError | UnicodeError):
        return HubLost(f"cannot reach {url}: {os_reason(error)}")
    return HubLost(f"{url} does not speak WebSocket ({type(error).__name__})")

"""The two SignalR hubs: who subscribed to what, and what is sent to whom."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Literal, TypeAlias

from aiohttp import web

from riskd.simulator.gateway import signalr
from riskd.simulator.gateway.connection import Connection, HangUp, Subscription
from riskd.simulator.gateway.signalr import Message

HubName: TypeAlias = Literal["user", "market"]

TIME_TARGET = "GatewaySimulatedTime"
_PING_EVERY_S = 15.0
_NOBODY: tuple[Connection, ...] = ()
# method without its Subscribe/Unsubscribe -> event, and the type of its argument
_TOPICS: dict[HubName, dict[str, tuple[str, type | None]]] = {
    "user": {
        "Accounts": ("GatewayUserAccount", None),
        "Orders": ("GatewayUserOrder", int),
        "Positions": ("GatewayUserPosition", int),
        "Trades": ("GatewayUserTrade", int),
        "SimulatedTime": (TIME_TARGET, None),
    },
    "market": {
        "ContractQuotes": ("GatewayQuote", str),
        "ContractTrades": ("GatewayTrade", str),
        "ContractMarketDepth": ("GatewayDepth", str),
        "SimulatedTime": (TIME_TARGET, None),
    },
}


class Hub:
    """One hub and its connections."""

    def __init__(
        self,
        name: HubName,
        on_subscribe: Callable[[Connection, Subscription], None],
        on_change: Callable[[], None],
        *,
        handshake_within: float = 15.0,
    ) -> None:
        """Serve a hub.

        `on_subscribe` may greet a connection that asked for something; `on_change` hears that
        clients came or went.
        """
        self.name = name
        self.connections: set[Connection] = set()
        self._subscribers: dict[Subscription, dict[Connection, None]] = {}
        self.down = False
        self._on_subscribe = on_subscribe
        self._on_change = on_change
        self._handshake_within = handshake_within

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take a WebSocket and stay with it until it ends."""
        socket = web.WebSocketResponse(autoping=True, compress=False, max_msg_size=1024 * 1024, timeout=2.0)
        await socket.prepare(request)
        connection = Connection(socket, request, self._on_change)
        self.connections.add(connection)
        try:
            await connection.converse(
                lambda message: self._call(connection, message),
                handshake_within=self._handshake_within,
            )
        finally:
            self._forget(connection)
            self._on_change()
        return socket

    async def keep_alive(self) -> None:
        """Send every client a SignalR ping from time to time, for ever."""
        while True:
            await asyncio.sleep(_PING_EVERY_S)
            for connection in self._ready():
                connection.send(signalr.PING_RECORD)

    def wanted(self, subscription: Subscription) -> Collection[Connection]:
        """Return the connections that asked for something."""
        return self._subscribers.get(subscription, _NOBODY)

    def publish(self, subscription: Subscription, record: bytes) -> None:
        """Send a record to all who asked for it."""
        for connection in tuple(self.wanted(subscription)):
            connection.send(record)

    def broadcast(self, record: bytes) -> None:
        """Send a record to every client."""
        for connection in self._ready():
            connection.send(record)

    def hang_up(self, how: HangUp) -> None:
        """End every connection."""
        for connection in tuple(self.connections):
            connection.hang_up(how)

    def ready_count(self) -> int:
        """Return how many clients have shaken hands."""
        return len(self._ready())

    def play_dead(self) -> None:
        """Leave every connection open and dead: nothing is sent, nothing heard."""
        for connection in self.connections:
            connection.play_dead()

    def _forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        for subscription in tuple(self._subscribers):
            self._unsubscribe(connection, subscription)

    def _unsubscribe(self, connection: Connection, subscription: Subscription) -> None:
        subscribers = self._subscribers.get(subscription, {})
        subscribers.pop(connection, None)
        if not subscribers:
            self._subscribers.pop(subscription, None)

    def _ready(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.ready]

    def _call(self, connection: Connection, message: Message) -> None:
        if message.type == signalr.CLOSE:
            connection.hang_up(HangUp.CLEAN)
        if message.type != signalr.INVOCATION:
            return
        error = self._invoke(connection, message)
        if message.invocation_id is not None:
            connection.send(signalr.completion(message.invocation_id, error))

    def _invoke(self, connection: Connection, message: Message) -> str | None:
        """Carry out a call and return what was wrong with it."""
        verb, _, name = message.target.partition("ubscribe")
        topic = _TOPICS[self.name].get(name) if verb in {"S", "Uns"} else None
        if topic is None:
            return f"Unknown hub method '{message.target}'"
        target, wants = topic
        keys = message.arguments
        if (wants is None and keys) or (wants is not None and not _fits(keys, wants)):
            return f"Failed to invoke '{message.target}' due to an error on the server."
        subscription = Subscription(target, _key(keys))
        if verb == "Uns":
            self._unsubscribe(connection, subscription)
        else:
            self._subscribers.setdefault(subscription, {})[connection] = None
            self._on_subscribe(connection, subscription)
        return None


def time_record(now: datetime, speed: object) -> bytes:
    """Return the record that tells a client the gateway's simulated time."""
    stamp = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06}Z"
    return signalr.event(TIME_TARGET, {"now": stamp, "speed": str(speed)})


def _fits(keys: list[object], wanted: type) -> bool:
    return len(keys) == 1 and type(keys[0]) is wanted


def _key(keys: list[object]) -> int | str | None:
    key = keys[0] if keys else None
    return key if isinstance(key, int | str) else None

"""The adapter's hubs against a peer that may put anything into a frame."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import picows
import pytest

from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.domain.events import (
    AnyEvent,
    ConnectionChanged,
    Fill,
    Link,
    PositionReported,
    QuoteReported,
    SnapshotReported,
)
from riskd.simulator import GatewaySettings, SimulatedGateway
from tests.integration.projectx_rig import Rig, localhost_identity, needs_openssl, settings_for

TUESDAY = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
MNQ = "CON.F.US.MNQ.M26"
PLAIN = GatewaySettings(quotes={"MNQ": Decimal("20000.00")}, start=TUESDAY)
END = b"\x1e"
POSITION = {"accountId": 101, "contractId": MNQ, "type": 1, "size": 2, "averagePrice": 20000.25}
TRADE = {"id": 7, "accountId": 101, "contractId": MNQ, "price": 20000.25, "side": 0, "size": 2, "fees": 0.72}


def event(target: str, *arguments: object) -> bytes:
    """Return a hub event as one record."""
    return json.dumps({"type": 1, "target": target, "arguments": arguments}).encode() + END


class Client(picows.WSListener):
    """One connection of the adapter, seen from the other end."""

    def __init__(self, peer: "HubPeer") -> None:
        """Belong to a peer."""
        super().__init__()
        self._peer = peer
        self.transport: picows.WSTransport | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Take the connection."""
        self.transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Answer handshake and calls."""
        if frame.msg_type is picows.WSMsgType.CLOSE:
            transport.disconnect()
            return
        for record in frame.get_payload_as_bytes().split(END)[:-1]:
            self._peer.hear(self, json.loads(record))

    def send(self, data: bytes, kind: picows.WSMsgType = picows.WSMsgType.TEXT, *, fin: bool = True) -> None:
        """Put bytes into a frame."""
        assert self.transport is not None
        self.transport.send(kind, data, fin=fin)


class HubPeer:
    """A hub that confirms every subscription and then says what the test wants."""

    def __init__(self) -> None:
        """Begin without clients."""
        self.clients: list[Client] = []
        self.called: list[tuple[str, list[object]]] = []
        self.greeting = b"{}" + END
        self.refuse: dict[str, str] = {}
        self.url = ""
        self._more = asyncio.Event()

    def hear(self, client: Client, record: dict[str, object]) -> None:
        """Take one record of the adapter."""
        if "protocol" in record:
            client.send(self.greeting)
        elif record.get("type") == 1:
            target = str(record["target"])
            arguments = record["arguments"]
            assert isinstance(arguments, list)
            self.called.append((target, arguments))
            completion = {"type": 3, "invocationId": record["invocationId"], "result": None}
            if target in self.refuse:
                completion["error"] = self.refuse[target]
            client.send(json.dumps(completion).encode() + END)
        self._more.set()

    async def until(self, satisfied: Callable[[], bool]) -> None:
        """Wait for what the adapter sends."""
        async with asyncio.timeout(5):
            while not satisfied():
                self._more.clear()
                await self._more.wait()

    def accept(self, request: picows.WSUpgradeRequest) -> Client:
        """Take a new connection."""
        assert b"?access_token=" in request.path
        client = Client(self)
        self.clients.append(client)
        return client


@asynccontextmanager
async def listening(identity: ssl.SSLContext | None = None) -> AsyncIterator[HubPeer]:
    """Yield a hub peer on a free port, encrypted if it has an identity."""
    peer = HubPeer()
    server = await picows.ws_create_server(peer.accept, "127.0.0.1", 0, ssl=identity)
    where = "http://127.0.0.1" if identity is None else "https://localhost"
    peer.url = f"{where}:{server.sockets[0].getsockname()[1]}/hubs/user"
    try:
        yield peer
    finally:
        server.close()
        for client in peer.clients:
            if client.transport is not None:
                client.transport.disconnect()
        await server.wait_closed()


@asynccontextmanager
async def speaking(peer: HubPeer, *, both: bool = False) -> AsyncIterator[tuple[Rig, asyncio.Task[None]]]:
    """Yield an adapter whose user hub (or both) is the peer and whose REST is a gateway without any trades."""
    async with SimulatedGateway(PLAIN) as gateway:
        plain = settings_for(gateway)
        rig = Rig(replace(plain, user_hub_url=peer.url, market_hub_url=peer.url if both else plain.market_hub_url))
        task = asyncio.create_task(rig.broker.connect())
        try:
            yield rig, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await rig.broker.close()


@asynccontextmanager
async def conversation() -> AsyncIterator[tuple[Rig, Client]]:
    """Yield a connected adapter and the other end of its user hub."""
    async with listening() as peer, speaking(peer) as (rig, task):
        async with asyncio.timeout(10):
            await task
        yield rig, peer.clients[-1]


async def test_every_account_is_subscribed_in_all_its_kinds() -> None:
    """Accounts, and orders, positions and trades of each watched account."""
    async with listening() as peer, speaking(peer) as (_, task):
        await task
        assert peer.called == [
            ("SubscribeSimulatedTime", []),
            ("SubscribeAccounts", []),
            ("SubscribeOrders", [101]),
            ("SubscribePositions", [101]),
            ("SubscribeTrades", [101]),
        ]


async def test_several_records_in_one_frame_keep_their_order() -> None:
    """Records of one frame are events one after the other, and pings between them are nothing."""
    async with conversation() as (rig, hub):
        hub.send(
            event("GatewayUserTrade", TRADE)
            + b'{"type":6}'
            + END
            + event("GatewayUserPosition", {"action": 1, "data": POSITION})
            + event("GatewayUserTrade", TRADE | {"id": 8})
        )
        await rig.ear.one(Fill, lambda f: f.trade_id == "8")
        told = [type(r.event).__name__ for r in rig.ear.heard if isinstance(r.event, Fill | PositionReported)]
        assert told == ["Fill", "PositionReported", "Fill"]


async def test_a_record_may_be_spread_over_frames_and_fragments() -> None:
    """Neither frames nor fragments say where a record ends."""
    async with conversation() as (rig, hub):
        record = event("GatewayUserTrade", TRADE)
        hub.send(record[:30])
        hub.send(record[30:50], fin=False)
        hub.send(record[50:60], picows.WSMsgType.CONTINUATION, fin=False)
        hub.send(record[60:], picows.WSMsgType.CONTINUATION)
        fill = await rig.ear.one(Fill)
        assert (fill.trade_id, fill.quantity) == ("7", 2)
        assert rig.broker.malformed == 0


@pytest.mark.parametrize(
    ("garbage", "line"),
    [
        (b"{", "user_record_unreadable"),
        (b"not json at all", "user_record_unreadable"),
        (b"\xff\xfe\x00", "user_record_unreadable"),
        (b'{"type":"one","target":5}', "user_record_unreadable"),
        (b'{"type":1,"target":"GatewayUserTrade","arguments":{}}', "user_event_unreadable"),
        (b'{"type":1,"target":"GatewayUserTrade","arguments":[{"accountId":101}]}', "user_event_unreadable"),
        (b'{"type":1,"target":"GatewayUserTrade"}', "user_event_unreadable"),
        (event("GatewayUserOrder", [None, {"action": 1, "data": {"accountId": 101}}])[:-1], "user_event_unreadable"),
    ],
)
async def test_what_cannot_be_read_is_one_sentence_and_a_look_by_rest(garbage: bytes, line: str) -> None:
    """A malformed or half message costs neither the connection nor the fact: the account is read instead."""
    async with conversation() as (rig, hub):
        seen = len(rig.ear.heard)
        hub.send(garbage + END + event("GatewayUserTrade", TRADE))
        snapshot = await rig.ear.one(SnapshotReported, after=seen)
        assert (snapshot.account, snapshot.request_id) == ("101", "")
        assert [f.trade_id for f in rig.ear.all(Fill)] == ["7"]
        assert rig.broker.malformed > 0
        assert line in [name for level, name, _ in rig.notes.lines if level == "error"]
        assert rig.ear.all(ConnectionChanged, after=seen) == []


async def test_a_storm_of_garbage_causes_no_storm_of_reads() -> None:
    """A thousand unreadable messages ask for one look at the account."""
    async with conversation() as (rig, hub):
        seen = len(rig.ear.heard)
        for _ in range(1000):
            hub.send(event("GatewayUserTrade", {"accountId": 101}))
        hub.send(event("GatewayUserTrade", TRADE))
        await rig.ear.one(Fill)
        await rig.ear.one(SnapshotReported, after=seen)
        assert rig.broker.malformed == 1000
        assert len(rig.ear.all(SnapshotReported, after=seen)) == 1


@pytest.mark.parametrize(
    "record",
    [
        event("GatewayDepth", MNQ, [{"price": 1, "volume": 2, "type": 4}] * 300),
        event("GatewaySomethingNew", {"a": 1}),
        event("GatewayUserPosition", POSITION | {"accountId": 999}),
        b'{"type":2,"invocationId":"1"}' + END,
        b'{"type":3,"invocationId":"nobody"}' + END,
        b'{"type":99}' + END,
        b"{}" + END,
    ],
    ids=["depth", "new target", "foreign account", "stream item", "foreign answer", "new type", "empty"],
)
async def test_what_is_of_no_concern_is_ignored(record: bytes) -> None:
    """Depth, new targets, other accounts and new record types are neither events nor errors."""
    async with conversation() as (rig, hub):
        seen = len(rig.ear.heard)
        hub.send(record + event("GatewayUserTrade", TRADE))
        await rig.ear.one(Fill)
        assert [type(r.event) for r in rig.ear.heard[seen:]] == [Fill]
        assert rig.broker.malformed == 0


async def test_a_quote_on_the_wrong_hub_is_ignored() -> None:
    """Prices come from the market hub only."""
    async with conversation() as (rig, hub):
        hub.send(event("GatewayQuote", MNQ, {"lastPrice": 1.0}) + event("GatewayUserTrade", TRADE))
        await rig.ear.one(Fill)
        assert rig.ear.all(QuoteReported) == []


@pytest.mark.parametrize(
    ("last_words", "clause"),
    [
        (b'{"type":7,"error":"Connection closed with an error.","allowReconnect":true}' + END, "closed with an error"),
        (b'{"type":7}' + END, "gave no reason"),
        (b"x" * (5 * 1024 * 1024), "without ending the record"),
    ],
    ids=["with a reason", "without", "endless record"],
)
async def test_the_end_of_a_connection_says_why(last_words: bytes, clause: str) -> None:
    """A close by the protocol, and one that riskd makes itself, give their reason and are followed by a new one."""
    async with conversation() as (rig, hub):
        seen = len(rig.ear.heard)
        hub.send(last_words)
        down = await rig.ear.link(Link.USER_HUB, up=False, after=seen)
        assert clause in down.detail
        await rig.ear.link(Link.USER_HUB, up=True, after=seen)


async def test_nothing_is_heard_after_the_last_word() -> None:
    """What follows a close in the same frame belongs to no connection any more."""
    async with conversation() as (rig, hub):
        seen = len(rig.ear.heard)
        hub.send(b'{"type":7}' + END + event("GatewayUserTrade", TRADE))
        await rig.ear.link(Link.USER_HUB, up=True, after=seen)
        assert rig.ear.all(Fill) == []


async def test_a_refused_handshake_is_told_and_tried_again() -> None:
    """The gateway's own words are passed on, and riskd is not connected before it is."""
    async with listening() as peer:
        peer.greeting = b'{"error":"The protocol is not supported."}' + END
        async with speaking(peer) as (rig, task):
            down = await rig.ear.link(Link.USER_HUB, up=False)
            assert down.detail == "the gateway refused the handshake: The protocol is not supported."
            assert not task.done()
            assert rig.ear.all(SnapshotReported) == []
            peer.greeting = b"{}" + END
            await task
            assert [s.request_id for s in rig.ear.all(SnapshotReported)] == ["start"]


async def test_a_refused_subscription_is_no_connection() -> None:
    """An account whose orders nobody reports is not taken for watched."""
    async with listening() as peer:
        peer.refuse = {"SubscribeOrders": "not yours", "SubscribeSimulatedTime": "unknown method"}
        async with speaking(peer) as (rig, task):
            down = await rig.ear.link(Link.USER_HUB, up=False)
            assert down.detail == "the gateway refused a subscription: not yours"
            assert rig.ear.all(SnapshotReported) == []
            del peer.refuse["SubscribeOrders"]
            await task


async def test_a_gateway_here_that_is_not_simulated_sets_the_time_by_its_answers() -> None:
    """Once its hubs have shown that they know no simulated time, the Date header is believed, before any snapshot."""
    async with listening() as peer, speaking(peer, both=True) as (rig, task):
        observed: list[int] = []

        def note(said: AnyEvent) -> None:
            if isinstance(said, SnapshotReported):
                observed.append(len(rig.clock.observed))

        rig.ear.on_event = note
        await task
        assert rig.clock.simulated == []
        assert observed[0] > 0


async def test_a_gateway_elsewhere_cannot_set_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a gateway on this machine is asked for simulated time, and only its word counts."""
    monkeypatch.setattr(ProjectXSettings, "on_this_machine", False)
    async with listening() as peer, speaking(peer, both=True) as (rig, task):
        await task
        assert "SubscribeSimulatedTime" not in [target for target, _ in peer.called]
        for client in peer.clients:
            client.send(event("GatewaySimulatedTime", {"now": "2030-01-01T00:00:00Z", "speed": "60"}))
            client.send(event("GatewayUserTrade", TRADE))
        await rig.ear.one(Fill)
        assert rig.clock.simulated == []
        assert rig.clock.observed


async def test_garbage_on_the_market_hub_costs_one_quote() -> None:
    """A price that cannot be read is counted and logged; the next one is taken, and no account is read for it."""
    async with listening() as peer, speaking(peer, both=True) as (rig, task):
        await task
        rig.broker.watch(MNQ)
        await peer.until(lambda: ("SubscribeContractQuotes", [MNQ]) in peer.called)
        seen = len(rig.ear.heard)
        for client in peer.clients:
            client.send(b"{" + END + event("GatewayQuote", MNQ, None) + event("GatewayQuote", MNQ, {"bestBid": "NaN"}))
            client.send(
                event("GatewayQuote", MNQ, {"bestBid": 20001.25}) + event("GatewayTrade", MNQ, [{"price": 20002}])
            )
        await rig.ear.one(QuoteReported, lambda q: q.last == 20002)
        assert [q.bid for q in rig.ear.all(QuoteReported)] == [Decimal("20001.25"), None]
        assert {name for _, name, _ in rig.notes.lines} >= {"market_record_unreadable", "quote_unreadable"}
        assert rig.ear.all(ConnectionChanged, after=seen) == []


@needs_openssl
async def test_an_encrypted_hub_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An https address becomes an encrypted WebSocket, whose certificate is checked."""
    async with listening(localhost_identity(tmp_path, monkeypatch)) as peer, speaking(peer) as (rig, task):
        await task
        peer.clients[-1].send(event("GatewayUserTrade", TRADE))
        assert (await rig.ear.one(Fill)).trade_id == "7"


@needs_openssl
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An impostor is told apart from the broker, and hears no token."""
    identity = localhost_identity(tmp_path, monkeypatch)
    monkeypatch.delenv("SSL_CERT_FILE")
    async with listening(identity) as peer, speaking(peer) as (rig, task):
        down = await rig.ear.link(Link.USER_HUB, up=False)
        assert "certificate" in down.detail
        assert peer.clients == []
        assert not task.done()


async def test_simulated_time_that_cannot_be_read_is_ignored() -> None:
    """A broken clock message leaves the time as it is."""
    async with conversation() as (rig, hub):
        before = list(rig.clock.simulated)
        for broken in ({}, {"now": "tomorrow", "speed": 1}, {"now": "2026-03-17T15:00:00Z", "speed": "fast"}):
            hub.send(event("GatewaySimulatedTime", broken))
        hub.send(event("GatewayUserTrade", TRADE))
        await rig.ear.one(Fill)
        assert rig.clock.simulated == before


async def test_a_wrong_kind_of_server_is_told_plainly() -> None:
    """Something that speaks no WebSocket is named, without the token in the sentence."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        peer = HubPeer()
        peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hubs/user"
        async with speaking(peer) as (rig, _):
            down = await rig.ear.link(Link.USER_HUB, up=False)
            assert down.detail == f"the gateway answered {peer.url} with HTTP 200"
            assert "access_token" not in down.detail

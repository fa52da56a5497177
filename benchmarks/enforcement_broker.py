"""The far end of the enforcement benchmark: as much of a broker as riskd needs to see, as quick as Python allows.

Blocking sockets and one selector in a process of its own, so that what is measured is riskd and not a simulator. It
answers every REST call with one body that has all that any of them asks for, takes every subscription, and keeps no
books but the positions that it has reported.
"""

import selectors
import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from benchmarks.transport_server import text_frame, upgrade

MNQ: Final = "CON.F.US.MNQ.H26"
ES: Final = "CON.F.US.EP.H26"
OPENED: Final = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
"""When the simulated session begins: a Tuesday, 09:30 in Chicago."""
PATIENCE_S: Final = 10.0
END: Final = b"\x1e"

_TICKS: Final = {MNQ: ("F.US.MNQ", "MNQH6", "0.25", "0.5"), ES: ("F.US.EP", "ESH6", "0.25", "12.5")}
_CLOSES: Final = frozenset({"/api/Position/closeContract", "/api/Position/partialCloseContract"})
_DONE: Final = b'{"success":true,"errorCode":0,"errorMessage":null}'
_INVOCATION: Final = 1
_HEAD_END: Final = b"\r\n\r\n"
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class CloseRequest(msgspec.Struct, rename="camel"):
    """What riskd asks to be closed; all of it where no size is given."""

    account_id: int
    contract_id: str
    size: int | None = None


class _Question(msgspec.Struct, rename="camel"):
    account_id: int = 0


class Asked(msgspec.Struct, frozen=True):
    """A close request, and when its last byte had arrived (nanoseconds of this process's clock)."""

    path: str
    body: bytes
    at_ns: int
    peer: "Peer"


class _Call(msgspec.Struct, rename={"invocation_id": "invocationId"}):
    type: int | None = None
    target: str = ""
    invocation_id: str | None = None


class Peer:
    """One connection: HTTP until it has become a hub, and then that hub's name says which."""

    def __init__(self, connection: socket.socket) -> None:
        """Begin with nothing received."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.data = b""
        self.hub = ""


class Broker:
    """Serves one riskd and sends it what its trader and the market do."""

    def __init__(self, listener: socket.socket, accounts: Iterable[int]) -> None:
        """Serve these accounts, all flat."""
        self.accounts = tuple(accounts)
        self.asked: list[Asked] = []
        self.held: dict[tuple[int, str], int] = {}
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._hubs: dict[str, Peer] = {}
        self._began = time.monotonic()
        self._last_id = 1000

    # --- serving -----------------------------------------------------------------------------------------------

    def serve(self, until: Callable[[], bool], *, for_s: float = PATIENCE_S) -> bool:
        """Serve until a condition holds; tell whether it does before the time is over."""
        ends = time.monotonic() + for_s
        while not until():
            left_s = ends - time.monotonic()
            if left_s <= 0:
                return False
            for key, _ in self._selector.select(left_s):
                key.data()
        return True

    def close(self) -> None:
        """Hang up."""
        for key in tuple(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        peer = Peer(connection)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._hear, peer))

    def _hear(self, peer: Peer) -> None:
        data = peer.socket.recv(65536)
        if not data:
            self._selector.unregister(peer.socket)
            peer.socket.close()
            return
        peer.data += data
        if peer.hub:
            self._hear_hub(peer)
        else:
            self._hear_http(peer)

    def _hear_http(self, peer: Peer) -> None:
        head, separator, body = peer.data.partition(_HEAD_END)
        if not separator:
            return
        lines = head.lower()
        length = int(lines.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        arrived_ns = time.perf_counter_ns()
        peer.data = b""
        path = head.split(b" ", 2)[1].decode()
        if b"upgrade: websocket" in lines:
            peer.hub = path.partition("?")[0].rpartition("/")[2]
            peer.socket.sendall(upgrade(head + _HEAD_END))
        elif path in _CLOSES:
            self.asked.append(Asked(path, body, arrived_ns, peer))
        else:
            self._answer(peer, self._everything(msgspec.json.decode(body or b"{}", type=_Question).account_id))

    def _hear_hub(self, peer: Peer) -> None:
        while (message := _unmasked(peer)) is not None:
            for record in message.split(END)[:-1]:
                self._hear_record(peer, msgspec.json.decode(record, type=_Call))

    def _hear_record(self, peer: Peer, call: _Call) -> None:
        if call.type is None:
            self._hubs[peer.hub] = peer
            peer.socket.sendall(text_frame(b"{}" + END))
        elif call.type == _INVOCATION:
            done = {"type": 3, "invocationId": call.invocation_id, "result": None}
            peer.socket.sendall(text_frame(_encode(done) + END))
            if call.target == "SubscribeSimulatedTime":
                said = {"now": f"{self.now():%Y-%m-%dT%H:%M:%S.%f}Z", "speed": "1"}
                peer.socket.sendall(text_frame(event("GatewaySimulatedTime", said)))

    def accept_close(self, asked: Asked) -> None:
        """Answer that a close has been accepted."""
        self._answer(asked.peer, _DONE)

    @staticmethod
    def _answer(peer: Peer, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        peer.socket.sendall(head + body)

    def _everything(self, account: int) -> bytes:
        """Return one answer to any question; the positions are those of one account."""
        return _encode(
            {
                "success": True,
                "errorCode": 0,
                "errorMessage": None,
                "token": "x" * 300,
                "accounts": [self.account(number) for number in self.accounts],
                "contracts": [_contract(contract) for contract in _TICKS],
                "orders": [],
                "positions": [self.position(*key) for key, size in self.held.items() if size and key[0] == account],
                "trades": [],
            }
        )

    # --- what is sent ------------------------------------------------------------------------------------------

    def send(self, hub: str, frames: bytes) -> None:
        """Send frames on a hub."""
        self._hubs[hub].socket.sendall(frames)

    @property
    def ready(self) -> bool:
        """Tell whether both hubs are connected."""
        return len(self._hubs) == 2

    def now(self) -> datetime:
        """Return the simulated time, which runs as fast as the real one."""
        return OPENED + timedelta(seconds=time.monotonic() - self._began)

    def stamp(self) -> str:
        """Return the simulated time as the hubs write it."""
        return f"{self.now():%Y-%m-%dT%H:%M:%S.%f}7+00:00"

    def next_id(self) -> int:
        """Return an id that was not used before."""
        self._last_id += 1
        return self._last_id

    def account(self, number: int) -> dict[str, object]:
        """Return an account's record."""
        name = f"PRAC-V2-000000-{number:08}"
        return {"id": number, "name": name, "balance": 50000, "canTrade": True, "isVisible": True, "simulated": True}

    def position(self, account: int, contract: str) -> dict[str, object]:
        """Return a position's record."""
        size = self.held.get((account, contract), 0)
        return {
            "id": account,
            "accountId": account,
            "contractId": contract,
            "contractDisplayName": _TICKS[contract][1],
            "creationTimestamp": self.stamp(),
            "type": (1 if size > 0 else 2) if size else 0,
            "size": abs(size),
            "averagePrice": Decimal("21000.00"),
        }


def event(target: str, *arguments: object) -> bytes:
    """Return one record that calls a client's handler."""
    return _encode({"type": _INVOCATION, "target": target, "arguments": arguments}) + END


def user_event(kind: str, action: int, data: dict[str, object]) -> bytes:
    """Return a frame with a user event, wrapped as production wraps it and without what is null."""
    said = {key: value for key, value in data.items() if value is not None}
    return text_frame(event(f"GatewayUser{kind}", {"action": action, "data": said}))


def quote(contract: str, price: Decimal, stamp: str) -> bytes:
    """Return a frame with a quote of every price and the day's figures, as one with a print has."""
    tick = Decimal(_TICKS[contract][2])
    data = {
        "symbol": _TICKS[contract][0],
        "lastPrice": price,
        "bestBid": price,
        "bestAsk": price + tick,
        "change": Decimal("-12.25"),
        "changePercent": Decimal("-0.06"),
        "open": Decimal("21012.5"),
        "high": Decimal("21050.75"),
        "low": Decimal("20990.0"),
        "volume": 412345,
        "lastUpdated": stamp,
        "timestamp": stamp,
    }
    return text_frame(event("GatewayQuote", contract, data))


def _contract(contract: str) -> dict[str, object]:
    symbol, name, tick_size, tick_value = _TICKS[contract]
    return {
        "id": contract,
        "name": name,
        "description": name,
        "tickSize": Decimal(tick_size),
        "tickValue": Decimal(tick_value),
        "activeContract": True,
        "symbolId": symbol,
    }


def _unmasked(peer: Peer) -> bytes | None:
    """Take one client frame off what was received and return its payload, None until it is whole."""
    data = peer.data
    if len(data) < 2:
        return None
    size, start = data[1] & 0x7F, 2
    if size == 126:
        size, start = int.from_bytes(data[2:4]), 4
    end = start + 4 + size
    if len(data) < end:
        return None
    mask, masked = data[start : start + 4], data[start + 4 : end]
    peer.data = data[end:]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))

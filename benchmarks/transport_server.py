"""The far end of the transport benchmark: a broker that is as quick as Python allows.

Blocking sockets in a process of its own, so that what is measured is the client. One trial: write
a quote frame that breaches, wait until the whole close request has arrived, take the time between
the two on this side's clock, answer. The pause before each trial lets the client fall asleep in
its event loop, as a client that waits for a broker does.
"""

import base64
import hashlib
import select
import socket
import ssl
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from benchmarks.pinning import pin_to

CONTRACT = "CON.F.US.MNQ.Z26"
ACCOUNT = 101
BREACH_PRICE = "21000.25"
CLOSE_PATH = "/api/Position/closeContract"
CLOSE_BODY = b'{"accountId":101,"contractId":"CON.F.US.MNQ.Z26"}'

WARM_UP = 50
PAUSE_S = 0.002
_QUOTE = (
    '{{"type":1,"target":"GatewayQuote","arguments":["{contract}",{{"symbol":"F.US.MNQ",'
    '"lastPrice":{price},"bestBid":{price},"bestAsk":{ask},"change":-12.25,"changePercent":-0.06,'
    '"open":21012.5,"high":21050.75,"low":20990.0,"volume":412345,'
    '"lastUpdated":"2026-11-20T15:05:00.1234567+00:00",'
    '"timestamp":"2026-11-20T15:05:00.1234567+00:00"}}]}}\x1e'
)
_ANSWER_BODY = b'{"success":true,"errorCode":0,"errorMessage":null}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(_ANSWER_BODY)).encode()
    + b"\r\n\r\n"
    + _ANSWER_BODY
)
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for localhost and its key."""

    certificate: Path
    key: Path


def serve(
    results: Connection, *, trials: int, core: int | None, certificate: Certificate | None, pause_s: float = PAUSE_S
) -> None:
    """Serve one client: report the port, then the latencies in nanoseconds, one per trial.

    Shape: the trials begin with the hub's handshake; an API connection may be made before or with the first request.
    """
    pin_to(core)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        results.send(listener.getsockname()[1])
        with _FarEnd(listener, certificate, pause_s) as far_end:
            for _ in range(WARM_UP):
                far_end.trial()
            results.send([far_end.trial() for _ in range(trials)])


class _FarEnd:
    def __init__(self, listener: socket.socket, certificate: Certificate | None, pause_s: float) -> None:
        self._listener = listener
        self._pause_s = pause_s
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.certificate, certificate.key)
        self._frame = text_frame(_QUOTE.format(contract=CONTRACT, price=BREACH_PRICE, ask="21000.50").encode())
        self._api: socket.socket | None = None
        self._hub = self._hub_after_api()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End both connections; the client then ends itself."""
        self._hub.close()
        if self._api is not None:
            self._api.close()

    def trial(self) -> int:
        """Return the nanoseconds from the frame that breaches to the end of the close request."""
        time.sleep(self._pause_s)
        started = time.perf_counter_ns()
        self._hub.sendall(self._frame)
        if self._api is None:
            self._api = self._accepted()
        body = _read_request(self._api)
        took = time.perf_counter_ns() - started
        if body != CLOSE_BODY:
            message = f"not the close request: {body!r}"
            raise ValueError(message)
        self._api.sendall(_ANSWER)
        return took

    def _hub_after_api(self) -> socket.socket:
        """Accept connections until the hub's; one that is made before it is the API's and silent so far."""
        connection = self._accepted()
        if select.select([connection, self._listener], [], [])[0] != [connection]:
            self._api, connection = connection, self._accepted()
        connection.sendall(upgrade(_read_head(connection)))
        _received(connection)  # the handshake: the client is ready
        return connection

    def _accepted(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)


def _read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    return data


def _read_request(connection: socket.socket) -> bytes:
    data = _read_head(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += _received(connection)
    return body


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(4096)
    if not data:
        message = "the client hung up in the middle of a trial"
        raise ConnectionError(message)
    return data


def upgrade(request: bytes) -> bytes:
    """Return the answer that turns a request into a WebSocket."""
    key = request.lower().index(b"sec-websocket-key:") + len(b"sec-websocket-key:")
    offered = request[key:].partition(b"\r\n")[0].strip()
    accepted = base64.b64encode(hashlib.sha1(offered + _WEBSOCKET_GUID).digest())  # noqa: S324 - RFC 6455 says SHA-1
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
    )


def text_frame(payload: bytes) -> bytes:
    """Return a text frame as a server sends it."""
    size = len(payload)
    return b"\x81" + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2)) + payload

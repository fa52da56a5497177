"""The near end of the transport benchmark: the least that a client of the broker has to do.

Each client holds a hub connection and an API connection, decodes every quote into decimals,
compares its price with the breach price and sends the close request. No rules, no journal, no
positions: what remains is what the libraries cost.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from decimal import Decimal

import aiohttp
import msgspec
import picows

from benchmarks.transport_server import BREACH_PRICE, CLOSE_BODY, CLOSE_PATH

HANDSHAKE = b'{"protocol":"json","version":1}\x1e'
HUB_PATH = "/hubs/market"
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer " + "x" * 300}


class QuoteData(msgspec.Struct, rename="camel"):
    """What riskd reads of a quote."""

    last_price: Decimal | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None


class Quote(msgspec.Struct, tag="GatewayQuote", tag_field="target"):
    """One record of the market hub."""

    arguments: tuple[str, QuoteData]


_decode = msgspec.json.Decoder(Quote).decode
_BREACH = Decimal(BREACH_PRICE)


def breached(frame: bytes | memoryview) -> bool:
    """Decode a frame with one record and compare its price."""
    _, data = _decode(frame[:-1]).arguments
    return data.last_price is not None and data.last_price <= _BREACH


def rendered_request(host: str) -> bytes:
    """Return the close request as bytes, as it can be made when the position is opened."""
    lines = [f"POST {CLOSE_PATH} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(CLOSE_BODY)}"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + CLOSE_BODY


class Api(asyncio.Protocol):
    """A warm connection to the API that takes requests as bytes and counts the answers."""

    def __init__(self) -> None:
        """Begin unconnected."""
        self.answers = 0

    def data_received(self, data: bytes) -> None:
        """Count the answers."""
        self.answers += data.startswith(b"HTTP/1.1 200")


class Hub(picows.WSListener):
    """Decide inside the frame's callback and write at once: no task, no queue, no await between."""

    def __init__(self, send: Callable[[bytes], None], request: bytes) -> None:
        """Send `request` on every breach."""
        self._send = send
        self._request = request

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Decide and send."""
        if frame.msg_type == picows.WSMsgType.TEXT and breached(frame.get_payload_as_memoryview()):
            self._send(self._request)


async def picows_rendered(host: str, tls: ssl.SSLContext | None) -> None:
    """Receive with picows, send pre-rendered bytes over a bare connection."""
    send = await _api(host, tls)
    transport, _ = await picows.ws_connect(
        lambda: Hub(send, rendered_request(host)), _url("ws", host, tls), ssl_context=tls
    )
    transport.send(picows.WSMsgType.TEXT, HANDSHAKE)
    await transport.wait_disconnected()


async def aiohttp_rendered(host: str, tls: ssl.SSLContext | None) -> None:
    """Receive with aiohttp, send pre-rendered bytes over a bare connection."""
    send = await _api(host, tls)
    request = rendered_request(host)
    async with aiohttp.ClientSession() as session, session.ws_connect(_url("ws", host, tls), ssl=tls or True) as hub:
        await hub.send_str(HANDSHAKE.decode())
        async for message in hub:
            if breached(message.data.encode()):
                send(request)


async def aiohttp_both(host: str, tls: ssl.SSLContext | None) -> None:
    """Receive and send with aiohttp."""
    close_url = _url("http", host, tls, CLOSE_PATH)
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.ws_connect(_url("ws", host, tls), ssl=tls or True) as hub,
    ):
        await hub.send_str(HANDSHAKE.decode())
        async for message in hub:
            if breached(message.data.encode()):
                async with session.post(close_url, data=CLOSE_BODY, ssl=tls or True) as answer:
                    await answer.read()


async def _api(host: str, tls: ssl.SSLContext | None) -> Callable[[bytes], None]:
    name, _, port = host.partition(":")
    transport, _ = await asyncio.get_running_loop().create_connection(Api, name, int(port), ssl=tls)
    return transport.write


def _url(scheme: str, host: str, tls: ssl.SSLContext | None, path: str = HUB_PATH) -> str:
    return f"{scheme}{'' if tls is None else 's'}://{host}{path}"


Client = Callable[[str, ssl.SSLContext | None], Awaitable[None]]

"""A bare client of the gateway: HTTP calls and hub records, nothing between them and the wire."""

import asyncio
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from riskd.simulator import SimulatedGateway

SEPARATOR = "\x1e"
HELLO = '{"protocol":"json","version":1}' + SEPARATOR


class BareClient:
    """Speaks to one gateway, logged in once asked to."""

    def __init__(self, gateway: SimulatedGateway) -> None:
        self.gateway = gateway
        self.token = ""
        self.http = aiohttp.ClientSession(gateway.rest_url)
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def __aenter__(self) -> Self:
        """Log in."""
        await self.login()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up, without waiting for sockets that are dead."""
        for socket in self._sockets:
            await socket.close()
        await self.http.close()

    async def login(self, *, key: str | None = None) -> Any:
        """Log in and keep the token."""
        gateway = self.gateway
        answer = await self.call("Auth/loginKey", userName=gateway.username, apiKey=key or gateway.api_key)
        self.token = answer["token"] or ""
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        return answer

    async def call(self, path: str, **body: object) -> Any:
        """Return the data that a call answers with status 200."""
        async with self.http.post(f"/api/{path}", json=body) as response:
            assert response.status == 200, await response.text()
            return msgspec.json.decode(await response.read())

    async def status(self, path: str, data: bytes = b"{}") -> int:
        """Return the HTTP status of a call."""
        headers = {"Content-Type": "application/json"}
        async with self.http.post(f"/api/{path}", data=data, headers=headers) as response:
            return response.status

    async def control(self, call: str, /, **body: object) -> Any:
        """Return what a control call answers, whatever its status."""
        async with self.http.post(f"{self.gateway.control_url}/{call}", json=body) as response:
            return msgspec.json.decode(await response.read())

    async def open(self, url: str, headers: dict[str, str] | None = None) -> "HubSocket":
        """Open a socket and say nothing."""
        patience = aiohttp.ClientWSTimeout(ws_close=0.05)
        socket = await self.http.ws_connect(url, headers=headers, timeout=patience)
        self._sockets.append(socket)
        return HubSocket(socket)

    async def hub(self, name: str, *calls: tuple[Any, ...]) -> "HubSocket":
        """Open a hub directly and subscribe; each call is a method and its arguments."""
        hub = await self.open(f"/hubs/{name}?access_token={self.token}")
        await hub.send(HELLO)
        assert await hub.frame() == "{}" + SEPARATOR
        for method, *arguments in calls:
            await hub.invoke(method, *arguments)
        return hub


class HubSocket:
    """One open socket of a hub."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._records: list[str] = []

    async def send(self, text: str) -> None:
        """Send a frame as it is."""
        await self.socket.send_str(text)

    async def invoke(self, method: str, *arguments: object, invocation: str = "i") -> Any:
        """Call a method and return its completion."""
        call = {"type": 1, "target": method, "arguments": arguments, "invocationId": invocation}
        await self.send(msgspec.json.encode(call).decode() + SEPARATOR)
        kept: list[str] = []
        while (record := await self.record()).get("type") != 3:
            kept.append(msgspec.json.encode(record).decode())
        self._records = kept + self._records
        return record

    async def frame(self) -> str:
        """Return the next frame as it is."""
        async with asyncio.timeout(5):
            message = await self.socket.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return str(message.data)

    async def record(self) -> Any:
        """Return the next record."""
        if not self._records:
            self._records = [each for each in (await self.frame()).split(SEPARATOR) if each]
        return msgspec.json.decode(self._records.pop(0))

    async def events(self, count: int) -> list[tuple[str, Any]]:
        """Return the next events: targets and the last argument."""
        records = [await self.record() for _ in range(count)]
        return [(each["target"], each["arguments"][-1]) for each in records]

    async def ended(self) -> aiohttp.WSMessage:
        """Return how the socket ended, skipping what came before."""
        async with asyncio.timeout(5):
            message = await self.socket.receive()
            while message.type is aiohttp.WSMsgType.TEXT:
                message = await self.socket.receive()
        return message

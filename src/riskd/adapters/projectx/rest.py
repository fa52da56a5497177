"""HTTP to the gateway, for everything that is not a command: one session, retried reads, the broker's clock.

Commands go by the close channel. Everything here may be asked again freely, and is, where only the way failed.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import aiohttp
import msgspec
import stamina

from riskd.adapters.projectx import wire
from riskd.adapters.projectx.budget import Budget, Purpose
from riskd.adapters.projectx.close_channel import http_date, seconds
from riskd.adapters.projectx.errors import (
    GatewayError,
    NotLoggedIn,
    Refused,
    TooManyRequests,
    Unreachable,
    Unreadable,
    os_reason,
)
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.domain.decoding import UNDECODABLE

Value = str | int | bool | list[int] | None
Body = Mapping[str, Value | Mapping[str, Value]]

_ATTEMPTS: Final = 3
_RETRY_AFTER_S: Final = 5.0
_ENCODER: Final = msgspec.json.Encoder()
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_SERVER_ERRORS: Final = 500


class Rest:
    """Posts one body to one path and returns the decoded envelope."""

    def __init__(self, settings: ProjectXSettings, budget: Budget, on_date: Callable[[datetime], None]) -> None:
        self._settings = settings
        self._base = settings.rest_url.rstrip("/")
        self._budget = budget
        self._on_date = on_date
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Drop the connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, path: str, body: Body, *, token: str, purpose: Purpose) -> wire.Reply:
        """Ask once more where only the way failed; return the answer of a success.

        Errors: any GatewayError; those of the way (Unreachable) only after the last attempt.
        """
        attempts = stamina.retry_context(on=Unreachable, attempts=_ATTEMPTS, wait_initial=0.1, wait_jitter=0)
        async for attempt in attempts:
            with attempt:
                return await self._post_once(path, body, token=token, purpose=purpose)
        raise AssertionError("the last attempt raises")  # pragma: no cover - what retry_context promises

    async def _post_once(self, path: str, body: Body, *, token: str, purpose: Purpose) -> wire.Reply:
        await self._afford(purpose)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = _ENCODER.encode(body)
        try:
            async with self._opened().post(
                self._base + path, data=data, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(f"cannot reach {self._base}: {_plain(error)}") from error
        return self._read(path, response, answer)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=self._settings.read_timeout_s, connect=self._settings.connect_timeout_s
                ),
                headers={"Accept": "application/json", "Content-Type": "application/json"},
            )
        return self._session

    async def _afford(self, purpose: Purpose) -> None:
        loop = asyncio.get_running_loop()
        while not self._budget.take(purpose, loop.time()):  # noqa: ASYNC110 - the budget says how long
            await asyncio.sleep(self._budget.wait(purpose, loop.time()))

    def _read(self, path: str, response: aiohttp.ClientResponse, body: bytes) -> wire.Reply:
        at = http_date(_header(response, "Date"))
        if at is not None:
            self._on_date(at)
        if response.status != _OK:
            raise self._failure(path, response)
        try:
            reply = wire.REPLY.decode(body)
        except UNDECODABLE as error:
            raise Unreadable(f"the gateway's answer to {path} cannot be read: {error}") from error
        if reply.success is not True:
            raise _refusal(path, reply)
        return reply

    def _failure(self, path: str, response: aiohttp.ClientResponse) -> GatewayError:
        status = response.status
        if status == _UNAUTHORIZED:
            return NotLoggedIn(f"the gateway answered {path} with HTTP 401: the login is not valid any more")
        if status == _TOO_MANY:
            asked_s = seconds(_header(response, "Retry-After"))
            pause_s = _RETRY_AFTER_S if asked_s is None else asked_s
            self._budget.pause(asyncio.get_running_loop().time() + pause_s)
            return TooManyRequests(f"the gateway answered {path} with HTTP 429: too many requests")
        if status >= _SERVER_ERRORS:
            return Unreachable(f"the gateway failed with HTTP {status}")
        return Refused(f"the gateway answered {path} with HTTP {status}", status)


def _header(response: aiohttp.ClientResponse, name: str) -> bytes:
    return response.headers.get(name, "").encode("ascii", "replace")


def _refusal(path: str, reply: wire.Reply) -> GatewayError:
    if reply.success is None:
        return Unreadable(f"the gateway's answer to {path} does not say whether it succeeded")
    number = reply.error_code or 0
    reason = f": {reply.error_message}" if reply.error_message else ""
    return Refused(f"the gateway refused {path} with error {number}{reason}", number)


def _plain(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return os_reason(error.os_error)
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return os_reason(error)
    return str(error) or "no answer in time"

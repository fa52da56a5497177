"""The dead-man's switch: a sign of life to a service that tells somebody when it stops coming.

It is sent from the event loop that enforces, so that a loop that hangs is missed like a process that is gone.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

if TYPE_CHECKING:
    from aiohttp import ClientSession

EVERY_S: Final = 60.0
_WAIT_S: Final = 10.0
_OK: Final = 300
"""Every answer below it means that the service has heard the sign."""


class DeadMan(msgspec.Struct, frozen=True):
    """Where the sign of life goes and how often; the URL is a secret."""

    url: str
    every_s: float = EVERY_S

    def __repr__(self) -> str:
        """Leave the URL out."""
        return f"DeadMan(every_s={self.every_s})"


class Sign(msgspec.Struct, frozen=True):
    """What riskd says of itself now; without ``protects`` nothing is sent, and ``text`` says why."""

    text: str
    protects: bool = True


class DeadManPing:
    """Sends the sign of life for as long as riskd protects what it is to protect."""

    def __init__(self, settings: DeadMan, sign: Callable[[], Sign]) -> None:
        """Ask ``sign`` before each one."""
        self._settings = settings
        self._sign = sign
        self._said = ""
        self._log = structlog.get_logger("riskd.notifications")

    async def run(self) -> None:
        """Send one now and then one after another, until cancelled."""
        from aiohttp import ClientSession, ClientTimeout  # noqa: PLC0415 - slow to import, and not all have a switch

        async with ClientSession(timeout=ClientTimeout(total=_WAIT_S)) as session:
            while True:
                sign = self._sign()
                if sign.protects:
                    await self._send(session, sign.text)
                else:
                    self._say(f"withheld: {sign.text}")
                await asyncio.sleep(self._settings.every_s)

    async def _send(self, session: "ClientSession", text: str) -> None:
        from aiohttp import ClientError  # noqa: PLC0415 - as above

        try:
            async with session.post(self._settings.url, data=text.encode(), allow_redirects=False) as answer:
                failed = "" if answer.status < _OK else f"answered {answer.status}"
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            # Its words may repeat the address, which is a secret.
            failed = type(error).__name__
        self._say(f"not delivered: {failed}" if failed else "")

    def _say(self, trouble: str) -> None:
        """Log what changed: the service itself tells people when no sign comes."""
        if trouble == self._said:
            return
        if trouble:
            self._log.warning("dead man's ping", text=trouble)
        else:
            self._log.info("dead man's ping", text="delivered again")
        self._said = trouble

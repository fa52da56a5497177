"""The login: one token for everything, renewed before it ends."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from riskd.adapters.projectx import wire
from riskd.adapters.projectx.budget import Purpose
from riskd.adapters.projectx.errors import GatewayError, NotLoggedIn, Refused, Unreadable
from riskd.adapters.projectx.links import Links
from riskd.adapters.projectx.log import Log
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.domain.decoding import UNDECODABLE
from riskd.domain.events import Link

if TYPE_CHECKING:  # aiohttp is half of the import time; it is loaded when somebody connects
    from riskd.adapters.projectx.rest import Body, Rest

_FULL_LIFE_S: Final = 24 * 3600.0
_REASONS: Final = {
    1: "it does not know the user",
    2: "the password is wrong",
    3: "user name or API key is wrong",
    7: "agreements have to be signed on the platform's web page first",
    9: "the user has no API subscription",
    10: "API keys are switched off for the user",
}


class _Claims(msgspec.Struct):
    exp: int | None = None
    iat: int | None = None


class Session:
    """Holds the token, gets a new one when it is refused or grows old."""

    def __init__(self, settings: ProjectXSettings, rest: "Rest", links: Links, log: Log) -> None:
        self._settings = settings
        self._rest = rest
        self._links = links
        self._log = log
        self._lock = asyncio.Lock()
        self._since = 0.0
        self._lasts_s = _FULL_LIFE_S
        self._speed = 1.0
        self._renewed = asyncio.Event()
        self.token = ""
        self.on_token: Callable[[], None] = lambda: None

    async def login(self) -> None:
        """Log in, trying for as long as it takes; a refusal is tried again slowly, a dead line ever more slowly."""
        async with self._lock:
            await self._login()

    async def replace(self, token: str) -> None:
        """Log in again because a token was refused, unless somebody has done so already."""
        async with self._lock:
            if self.token == token:
                await self._login()
            self._links.up(Link.LOGIN)

    async def call(self, path: str, body: "Body", purpose: Purpose = Purpose.READ) -> wire.Reply:
        """Post with the token; where it is refused, log in again once.

        Errors: any GatewayError.
        """
        token = self.token
        try:
            return await self._rest.post(path, body, token=token, purpose=purpose)
        except NotLoggedIn:
            await self.replace(token)
            return await self._rest.post(path, body, token=self.token, purpose=purpose)

    async def keep_fresh(self) -> None:
        """Get a new token before the old one ends, for ever."""
        while True:
            self._renewed.clear()
            try:
                async with asyncio.timeout_at(self._due()):
                    await self._renewed.wait()
            except TimeoutError:
                await self._renew()

    def simulate(self, speed: float, *, leapt_s: float) -> None:
        """Let the token age as a simulated gateway's time runs and leaps."""
        self._speed = speed
        self._lasts_s -= leapt_s
        self._renewed.set()

    def _due(self) -> float | None:
        """Return when to renew by the loop's time, None while a simulated time stands still."""
        if self._lasts_s <= 0:
            return self._since
        return self._since + self._lasts_s / self._speed if self._speed else None

    async def _renew(self) -> None:
        async with self._lock:
            try:
                reply = await self._rest.post("/api/Auth/validate", {}, token=self.token, purpose=Purpose.READ)
            except GatewayError as error:
                self._log.info("token_not_renewed", why=str(error))
                await self._login()
                return
            if reply.new_token and _can_be_sent(reply.new_token):
                self._accept(reply.new_token)
            else:
                await self._login()

    async def _login(self) -> None:
        failures = 0
        while True:
            failures += 1
            try:
                self._accept(await self._ask())
            except Refused as error:
                reason = _REASONS.get(error.number, str(error))
                self._links.down(
                    Link.LOGIN,
                    f"the gateway refused the login of {self._settings.username}: {reason}; "
                    "check the user name and the API key",
                )
                await asyncio.sleep(self._settings.refused_login_retry_s)
            except GatewayError as error:
                self._links.down(Link.LOGIN, f"{error}; riskd keeps trying")
                await asyncio.sleep(self._settings.retry_delay(failures))
            else:
                return

    async def _ask(self) -> str:
        body: Body = {"userName": self._settings.username, "apiKey": self._settings.api_key}
        reply = await self._rest.post("/api/Auth/loginKey", body, token="", purpose=Purpose.READ)
        if not reply.token:
            raise Refused("the gateway accepted the login and gave no token", 0)
        if not _can_be_sent(reply.token):
            raise Unreadable("the gateway gave a token that cannot be sent")
        return reply.token

    def _accept(self, token: str) -> None:
        life_s = token_life(token)
        self.token = token
        self._since = asyncio.get_running_loop().time()
        # A quarter of a short life, so that a token is always renewed well before its end.
        self._lasts_s = life_s - min(self._settings.renew_before_s, life_s / 4)
        self._renewed.set()
        self._links.up(Link.LOGIN)
        self.on_token()


def _can_be_sent(token: str) -> bool:
    """Tell whether a header can carry a token without becoming two, and a query without a word left over."""
    return token.isascii() and token.isprintable() and " " not in token


def token_life(token: str) -> float:
    """Return the seconds that a fresh JWT lives, a day where it does not say."""
    try:
        middle = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)), type=_Claims)
    except (IndexError, binascii.Error, *UNDECODABLE):
        return _FULL_LIFE_S
    if claims.exp is None or claims.iat is None or claims.exp <= claims.iat:
        return _FULL_LIFE_S
    return float(claims.exp - claims.iat)

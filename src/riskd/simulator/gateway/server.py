"""The REST side: sessions, limits, bodies and faults around the calls of the API."""

import asyncio
import time
from collections.abc import Callable
from email.utils import format_datetime
from typing import TypeVar

import msgspec
from aiohttp import web

from riskd.simulator.exchange.codes import LoginCode, SessionCode
from riskd.simulator.exchange.events import Event
from riskd.simulator.faults.handling import NORMAL, Handling
from riskd.simulator.gateway import bodies, wire
from riskd.simulator.gateway.api import ENDPOINTS, Api, envelope
from riskd.simulator.gateway.clock import GatewayClock
from riskd.simulator.gateway.hold import Hold
from riskd.simulator.gateway.limits import RateLimit, Window
from riskd.simulator.gateway.request_log import Received, RequestLog
from riskd.simulator.gateway.settings import GatewaySettings
from riskd.simulator.gateway.tokens import TokenOffice

_BARS_PATH = "/api/History/retrieveBars"
_JSON = "application/json; charset=utf-8"
_PROBLEM = "application/problem+json; charset=utf-8"
_NO_END = b"9999-12-31T23:59:59.9999999"
"""The last moment of .NET clients; in microseconds it would be rounded off the calendar."""


class _Unreadable(Exception):
    """A body that the model binder refuses: field and reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class RestServer:
    """Answers REST requests on the API's behalf."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        api: Api,
        clock: GatewayClock,
        log: RequestLog,
        carry: Callable[[tuple[Event, ...]], None],
    ) -> None:
        """Serve one API."""
        self.api = api
        self.log = log
        self.hold = Hold()
        self.down = False
        self.fault: Callable[[str], Handling] = lambda _path: NORMAL
        self.catch_up: Callable[[], None] = lambda: None
        self.tokens = TokenOffice(lifetime=settings.token_life, key=f"{settings.seed}:{settings.api_key}".encode())
        self._settings = settings
        self._clock = clock
        self._carry = carry
        self._bars_limit, self._limit = _limits(settings.limits)
        self._forever = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the published API."""
        return [
            web.get("/api/Status/ping", self._ping),
            web.post("/api/{tail:.*}", self._post),
        ]

    def stop(self) -> None:
        """Let go of the requests that are withheld or never answered."""
        self.hold.let_go()
        self._forever.set()

    def session(self, request: web.Request) -> SessionCode:
        """Return whether a request carries a good token, in its header or its query."""
        return self.tokens.check(_token(request), self._clock.now())

    async def _ping(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return self._drop(request)
        accepts = request.headers.get("Accept", "")
        if "json" in accepts:
            return self._plain(200, b'"pong"', _JSON)
        return self._plain(200, b"pong", "text/plain; charset=utf-8")

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        entry = self.log.begin(self._clock.now(), method=request.method, path=request.path, body=body)
        if self.down:
            return self._drop(request)
        refusal = self._refuse_early(request)
        if refusal is not None:
            return self._answer(entry, refusal)
        handling = await self._handling(entry)
        if handling.before_ms:
            await asyncio.sleep(handling.before_ms / 1000)
        response = self._apply(request, body, handling)
        if handling.after_ms:
            await asyncio.sleep(handling.after_ms / 1000)
        return await self._send(request, entry, response, handling)

    def _refuse_early(self, request: web.Request) -> web.Response | None:
        """Refuse what is over the rate limit, has no session, or is no call at all."""
        limit = self._bars_limit if request.path == _BARS_PATH else self._limit
        if limit is not None:
            wait = limit.admit(real=time.monotonic(), simulated=self._clock.now().timestamp())
            if wait is not None:
                return self._plain(429, b"")
        if request.path.startswith("/api/Auth/login"):
            return None
        if self.session(request) is not SessionCode.SUCCESS:
            return self._plain(401, b"")
        if request.path not in ENDPOINTS and request.path not in self._session_calls():
            return self._plain(404, b"")
        return None

    async def _handling(self, entry: Received) -> Handling:
        call = self.hold.name_of(entry.path)
        if call is None:
            return self.fault(entry.path)
        entry.held = True
        waiting = asyncio.ensure_future(self.hold.decision(call, number=entry.number, body=entry.body))
        await asyncio.sleep(0)
        self.log.changed()
        return await waiting

    def _apply(self, request: web.Request, body: bytes, handling: Handling) -> web.Response:
        if handling.outcome == "status":
            headers = {} if handling.retry_after is None else {"Retry-After": str(handling.retry_after)}
            return self._plain(handling.status, b"", headers=headers)
        if handling.outcome == "rejected":
            code = handling.code if handling.code is not None else 2
            return self._json(envelope(code, handling.message))
        if not handling.applies:
            return self._plain(200, b"")
        self.api.exchange.close_terms = handling.close_terms
        try:
            return self._call(request, body)
        except _Unreadable as problem:
            return self._problem(problem)
        finally:
            self.api.exchange.close_terms = None

    async def _send(
        self, request: web.Request, entry: Received, response: web.Response, handling: Handling
    ) -> web.StreamResponse:
        if handling.outcome.startswith("dropped"):
            return self._drop(request)
        if handling.outcome.startswith("silent"):
            await self._forever.wait()
            return self._drop(request)
        return self._answer(entry, response)

    def _answer(self, entry: Received, response: web.Response) -> web.Response:
        text = response.body if isinstance(response.body, bytes) else b""
        self.log.end(entry, status=response.status, reply=text)
        return response

    def _call(self, request: web.Request, body: bytes) -> web.Response:
        session_call = self._session_calls().get(request.path)
        if session_call is not None:
            return self._json(session_call(request, body))
        endpoint = ENDPOINTS[request.path]
        asked = _decode(body, endpoint.body)
        self.catch_up()
        answer = endpoint.handle(self.api, asked, self._clock.now())
        self._carry(answer.events)
        return self._json(answer.record)

    # ------------------------------------------------------------------ sessions

    def _session_calls(self) -> dict[str, Callable[[web.Request, bytes], wire.Record]]:
        return {
            "/api/Auth/loginKey": self._login_key,
            "/api/Auth/loginApp": self._login_app,
            "/api/Auth/validate": self._validate,
            "/api/Auth/logout": self._logout,
        }

    def _login_key(self, request: web.Request, body: bytes) -> wire.Record:
        asked = _decode(body, bodies.LoginKey)
        if asked.user_name.casefold() != self._settings.username.casefold():
            return {"token": None} | envelope(LoginCode.INVALID_CREDENTIALS)
        if asked.api_key != self._settings.api_key:
            return {"token": None} | envelope(LoginCode.INVALID_CREDENTIALS)
        return self._opened()

    def _login_app(self, request: web.Request, body: bytes) -> wire.Record:
        asked = _decode(body, bodies.LoginApp)
        if asked.user_name.casefold() != self._settings.username.casefold():
            return {"token": None} | envelope(LoginCode.USER_NOT_FOUND)
        if asked.password != self._settings.api_key:
            return {"token": None} | envelope(LoginCode.PASSWORD_VERIFICATION_FAILED)
        return self._opened()

    def _opened(self) -> wire.Record:
        token = self.tokens.issue(self._settings.username, self._clock.now())
        return {"token": token} | envelope()

    def _validate(self, request: web.Request, body: bytes) -> wire.Record:
        token = self.tokens.issue(self._settings.username, self._clock.now())
        return {"newToken": token} | envelope()

    def _logout(self, request: web.Request, body: bytes) -> wire.Record:
        self.tokens.revoke(_token(request) or "")
        return envelope()

    # ------------------------------------------------------------------ answers

    def _json(self, record: wire.Record) -> web.Response:
        return self._plain(200, wire.encode(record), _JSON)

    def _problem(self, problem: _Unreadable) -> web.Response:
        record = {
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
            "title": "One or more validation errors occurred.",
            "status": 400,
            "errors": {problem.field: [problem.reason]},
            "traceId": f"00-{self.log.count:032x}-{0:016x}-00",
        }
        return self._plain(400, wire.encode(record), _PROBLEM)

    def _plain(
        self,
        status: int,
        body: bytes,
        content_type: str | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        more = {"Date": format_datetime(self._clock.now(), usegmt=True), "Server": "Kestrel"}
        if content_type is not None:
            more["Content-Type"] = content_type
        return web.Response(status=status, body=body, headers=more | (headers or {}))

    def _drop(self, request: web.Request) -> web.Response:
        """Break the connection without an answer."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)


def _limits(windows: tuple[Window, Window] | None) -> tuple[RateLimit | None, RateLimit | None]:
    if windows is None:
        return None, None
    return RateLimit(windows[0]), RateLimit(windows[1])


def _token(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() == "bearer" and token:
        return token.strip()
    return request.query.get("access_token")


_B = TypeVar("_B", bound=bodies.Body)


def _decode(body: bytes, wanted: type[_B]) -> _B:
    try:
        return msgspec.json.decode(body.replace(_NO_END, _NO_END[:-1]), type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = str(error)
        field = text.partition(" - at `")[2].removesuffix("`") or "$"
        raise _Unreadable(field, text.partition(" - at `")[0]) from None

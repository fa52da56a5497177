"""The broker's side as its clients see it: REST and two hubs on one port of 127.0.0.1."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from random import Random
from types import TracebackType
from typing import Self

from aiohttp import web

from riskd.simulator.exchange.codes import SessionCode
from riskd.simulator.exchange.contracts import ContractBook
from riskd.simulator.exchange.events import Event
from riskd.simulator.exchange.exchange import Exchange
from riskd.simulator.exchange.model import Account
from riskd.simulator.faults.rules import HubChoice
from riskd.simulator.gateway.api import Api
from riskd.simulator.gateway.carrier import Carrier
from riskd.simulator.gateway.clock import GatewayClock
from riskd.simulator.gateway.connection import Connection, HangUp, Subscription
from riskd.simulator.gateway.hubs import TIME_TARGET, Hub, HubName, time_record
from riskd.simulator.gateway.kernel import Kernel
from riskd.simulator.gateway.opening import Opening
from riskd.simulator.gateway.request_log import Bell, RequestLog
from riskd.simulator.gateway.server import RestServer
from riskd.simulator.gateway.settings import GatewaySettings
from riskd.simulator.market.bars import BarStore

_HOST = "127.0.0.1"


class Gateway:
    """A broker in this process; an async context manager. Must be made inside a running event loop."""

    def __init__(self, settings: GatewaySettings | None = None) -> None:
        """Set a gateway up; `start` or the context manager opens it."""
        self.settings = settings or GatewaySettings()
        contracts = ContractBook()
        self._opening = Opening(self.settings, contracts)
        self.clock = GatewayClock(start=self._opening.start, speed=self.settings.speed)
        self.bell = Bell()
        self.log = RequestLog(self.bell)
        self.exchange = Exchange(rng=Random(self.settings.seed), options=self.settings.options, contracts=contracts)
        bars = BarStore(self.settings.seed)
        self.kernel = Kernel(self.exchange, self.clock, bars, self.carry)
        api = Api(self.exchange, bars, self.settings.shape)
        patience = self.settings.handshake_within
        self._hubs: dict[HubName, Hub] = {
            "user": Hub("user", self._greet, self.bell.ring, handshake_within=patience),
            "market": Hub("market", self._greet, self.bell.ring, handshake_within=patience),
        }
        self.carrier = Carrier(
            user=self._hubs["user"],
            market=self._hubs["market"],
            api=api,
            user_events=self.settings.user_events,
        )
        self.rest = RestServer(settings=self.settings, api=api, clock=self.clock, log=self.log, carry=self.carry)
        self.rest.catch_up = self.kernel.catch_up
        self.carrier.pace = self._pace
        self._tasks: list[asyncio.Task[None]] = []
        self._timers: list[asyncio.TimerHandle] = []
        self._runner: web.AppRunner | None = None
        self._port = self.settings.port
        self._negotiated = 0

    # ------------------------------------------------------------------ where it is

    @property
    def rest_url(self) -> str:
        """Return the base of the REST calls, without /api."""
        return f"http://{_HOST}:{self._port}"

    @property
    def user_hub_url(self) -> str:
        """Return the user hub's address."""
        return f"{self.rest_url}/hubs/user"

    @property
    def market_hub_url(self) -> str:
        """Return the market hub's address."""
        return f"{self.rest_url}/hubs/market"

    @property
    def username(self) -> str:
        """Return who may log in."""
        return self.settings.username

    @property
    def api_key(self) -> str:
        """Return the key to log in with."""
        return self.settings.api_key

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Return the accounts as they are now."""
        return tuple(self.exchange.books.accounts.values())

    @property
    def oddities(self) -> list[str]:
        """Return what is odd about the recorded prices, such as long gaps."""
        return [
            f"{self.settings.price_files[name]}, {oddity}"
            for name, recording in self._opening.recordings.items()
            for oddity in recording.oddities
        ]

    # ------------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        """Open the gateway."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.stop()

    async def start(self) -> None:
        """Open the accounts and the port, and start the market."""
        self.prepare()
        application = web.Application(client_max_size=1024 * 1024)
        application.add_routes(self.routes())
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, self.settings.port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._tasks = [asyncio.create_task(self.kernel.run())]
        self._tasks += [asyncio.create_task(hub.keep_alive()) for hub in self._hubs.values()]

    def prepare(self) -> None:
        """Open the accounts and the market, before the port is."""
        for account in self.settings.accounts:
            self.exchange.add_account(account)
        self._opening.begin(self.kernel)

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered on the port."""
        return [
            *self.rest.routes(),
            web.post("/hubs/{hub:user|market}/negotiate", self._negotiate),
            web.get("/hubs/{hub:user|market}", self._connect),
        ]

    async def stop(self) -> None:
        """Hang up on everybody and give the port back."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        for timer in self._timers:
            timer.cancel()
        self.carrier.stop()
        self.rest.stop()
        for hub in self._hubs.values():
            hub.hang_up(HangUp.ABORT)
        if self._runner is not None:
            await self._runner.cleanup()

    # ------------------------------------------------------------------ for its parts

    def carry(self, events: Iterable[Event]) -> None:
        """Send events on their way and wake those who wait for something."""
        self.carrier.carry(events)
        if self.exchange.books.deferred:
            self.kernel.wake()
        self.bell.ring()

    def hubs(self, which: HubChoice) -> list[Hub]:
        """Return one hub or both."""
        return list(self._hubs.values()) if which == "all" else [self._hubs[which]]

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after some real seconds, unless the gateway stops before."""

        def due() -> None:
            act()
            self.bell.ring()

        self._timers.append(asyncio.get_running_loop().call_later(seconds, due))

    def is_wanted(self, target: str, key: int | str | None) -> bool:
        """Return whether somebody subscribed to an event."""
        wanted = Subscription(target, key)
        return any(hub.wanted(wanted) for hub in self._hubs.values())

    def announce_time(self) -> None:
        """Tell those who asked what time it is now, and how fast it runs."""
        record = time_record(self.clock.now(), self.clock.speed)
        for hub in self._hubs.values():
            hub.publish(Subscription(TIME_TARGET), record)

    # ------------------------------------------------------------------ inside

    def _pace(self) -> Decimal:
        """Return how fast the broker's own delays pass: as the clock does, in real time by hand."""
        return self.clock.speed or Decimal(1)

    def _hub(self, request: web.Request) -> Hub:
        return self._hubs["user" if request.match_info["hub"] == "user" else "market"]

    def _refuse(self, request: web.Request) -> web.Response | None:
        if self._hub(request).down:
            return web.Response(status=503)
        good = self.rest.session(request) is SessionCode.SUCCESS
        return None if good else web.Response(status=401)

    async def _negotiate(self, request: web.Request) -> web.Response:
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        self._negotiated += 1
        connection_id = f"sim{self.settings.seed:04}-{self._negotiated:012}"
        version = 1 if request.query.get("negotiateVersion") == "1" else 0
        reply: dict[str, object] = {"negotiateVersion": version, "connectionId": connection_id}
        if version:
            reply["connectionToken"] = f"{connection_id}-token"
        reply["availableTransports"] = [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]
        return web.json_response(reply)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        if request.headers.get("Upgrade", "").casefold() != "websocket":
            return web.Response(status=400, text="Connection ID required")
        return await self._hub(request).serve(request)

    def _greet(self, connection: Connection, subscription: Subscription) -> None:
        """Answer a subscription to the time at once, and wake those who wait for subscribers."""
        if subscription.target == TIME_TARGET:
            connection.send(time_record(self.clock.now(), self.clock.speed))
        if subscription.target == "GatewayDepth" and isinstance(subscription.key, str):
            self.carrier.send_book(connection, subscription.key, self.clock.now())
        self.bell.ring()

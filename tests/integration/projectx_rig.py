"""The adapter under test, the simulated gateway it speaks to, and an ear for what it reports."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from riskd.adapters.projectx.sdk_adapter import ProjectXBroker
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.domain.events import AnyEvent, ConnectionChanged, Link
from riskd.simulator import SimulatedGateway
from riskd.simulator.gateway.request_log import Received

_T = TypeVar("_T")


class Clock:
    """Time as the adapter's owner keeps it: the loop's, or a simulated gateway's."""

    def __init__(self) -> None:
        """Start at the machine's time."""
        self._base = datetime.now(UTC)
        self._since = asyncio.get_running_loop().time()
        self._speed = 1.0
        self.observed: list[datetime] = []
        self.simulated: list[tuple[datetime, float]] = []

    def now(self) -> datetime:
        """Return the time now."""
        return self._base + timedelta(seconds=(asyncio.get_running_loop().time() - self._since) * self._speed)

    def delay_until(self, at: datetime) -> float:
        """Return the real seconds until then."""
        if self._speed == 0:
            return float("inf")
        return max((at - self.now()).total_seconds() / self._speed, 0.0)

    def observe(self, broker_now: datetime) -> None:
        """Remember what the broker's clock said."""
        self.observed.append(broker_now)

    def simulate(self, now: datetime, speed: float) -> None:
        """Follow the simulated clock."""
        self._base, self._since, self._speed = now, asyncio.get_running_loop().time(), speed
        self.simulated.append((now, speed))


class Report(msgspec.Struct, frozen=True):
    """One published event, with what was published along with it."""

    event: AnyEvent
    broker_at: datetime | None
    seq: int


class Ear:
    """Hears everything that the adapter publishes and lets a test wait for it."""

    def __init__(self) -> None:
        """Begin with silence."""
        self.heard: list[Report] = []
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.on_event: Callable[[AnyEvent], None] = lambda _: None

    def publish(self, event: AnyEvent, *, broker_at: datetime | None = None) -> None:
        """Take one event."""
        self.heard.append(Report(event, broker_at, len(self.heard) + 1))
        self.on_event(event)
        for satisfied, future in self._waiting:
            if not future.done() and satisfied():
                future.set_result(None)

    def last_seq(self) -> int:
        """Return the number of events so far."""
        return len(self.heard)

    def all(self, kind: type[_T], *, after: int = 0) -> list[_T]:
        """Return the events of one kind, oldest first."""
        return [report.event for report in self.heard[after:] if isinstance(report.event, kind)]

    async def one(
        self,
        kind: type[_T],
        matching: Callable[[_T], bool] = lambda _: True,
        *,
        after: int = 0,
        within: float = 5.0,
    ) -> _T:
        """Wait for the first event of a kind that matches."""

        def found() -> _T | None:
            return next((event for event in self.all(kind, after=after) if matching(event)), None)

        await self.until(lambda: found() is not None, within=within)
        event = found()
        assert event is not None
        return event

    async def until(self, satisfied: Callable[[], bool], *, within: float = 5.0) -> None:
        """Wait until something holds; looked at with every event."""
        if satisfied():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((satisfied, future))
        async with asyncio.timeout(within):
            await future

    async def link(self, link: Link, *, up: bool, after: int = 0, within: float = 5.0) -> ConnectionChanged:
        """Wait for a link to be reported up or down."""
        return await self.one(ConnectionChanged, lambda c: c.link is link and c.up is up, after=after, within=within)


class Notes:
    """A log that only remembers."""

    def __init__(self) -> None:
        """Begin empty."""
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event: str, **facts: object) -> None:
        """Note it."""
        self.lines.append(("info", event, facts))

    def warning(self, event: str, **facts: object) -> None:
        """Note it."""
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: object) -> None:
        """Note it."""
        self.lines.append(("error", event, facts))


class Rig:
    """An adapter with everything that it needs."""

    def __init__(self, settings: ProjectXSettings) -> None:
        """Build the adapter; it is not connected yet."""
        self.ear = Ear()
        self.clock = Clock()
        self.notes = Notes()
        self.broker = ProjectXBroker(
            settings, publish=self.ear.publish, clock=self.clock, last_seq=self.ear.last_seq, log=self.notes
        )


def body(request: Received) -> dict[str, Any]:
    """Return the JSON object that a request carried."""
    return msgspec.json.decode(request.body, type=dict[str, Any])


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


def localhost_identity(directory: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the TLS identity of a server on localhost, trusted by this process from now on."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(certificate, key)
    return identity


def settings_for(gateway: SimulatedGateway, accounts: Iterable[str] = (), **changes: float | str) -> ProjectXSettings:
    """Return settings that reach a simulated gateway, impatient enough for a test."""
    plain = ProjectXSettings(
        rest_url=gateway.rest_url,
        user_hub_url=gateway.user_hub_url,
        market_hub_url=gateway.market_hub_url,
        username=gateway.username,
        api_key=gateway.api_key,
        accounts=tuple(accounts),
        # The safety poll would hide what a hub or a reconnect failed to report.
        safety_poll_s=3600,
        retry_delays_s=(0.0, 0.02, 0.05, 0.1),
    )
    return _replaced(plain, changes)


def _replaced(settings: ProjectXSettings, changes: dict[str, float | str]) -> ProjectXSettings:
    fields = {name: getattr(settings, name) for name in ProjectXSettings.__slots__}
    return ProjectXSettings(**(fields | changes))


@asynccontextmanager
async def connected(
    gateway: SimulatedGateway, accounts: Iterable[str] = (), **changes: float | str
) -> AsyncIterator[Rig]:
    """Yield an adapter that is connected and reconciled."""
    rig = Rig(settings_for(gateway, accounts, **changes))
    try:
        async with asyncio.timeout(10):
            await rig.broker.connect()
        yield rig
    finally:
        await rig.broker.close()

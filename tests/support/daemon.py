"""A real daemon on a real simulated gateway, in one process, for tests.

`running(...)` gives a gateway in simulated time that stands still unless told otherwise, and a Runtime that has logged
in, subscribed, reconciled and armed. Waiting is for events, never for a while.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.daemon.logs import Logs, start_logs
from riskd.daemon.runtime import Runtime, RuntimeSettings
from riskd.domain.account import AccountState
from riskd.domain.account_view import AccountView
from riskd.domain.commands import AnyCommand, EnforcementEnded
from riskd.domain.events import Envelope
from riskd.engine.step import Step
from riskd.notifications.channels import Channel
from riskd.notifications.service import NotificationConfig
from riskd.rules.registry import canonical
from riskd.simulator import GatewaySettings, SimulatedGateway, account
from tests.support.desk import ct

ACCOUNT = "101"
START = "2026-03-10 09:30"
QUOTES = {"MNQ": Decimal("18000.00"), "ES": Decimal("5800.00"), "NQ": Decimal("18000.00")}
WITHIN_S = 5.0


@dataclass
class Daemon:
    """A running daemon and the gateway that it watches."""

    gateway: SimulatedGateway
    runtime: Runtime
    output: io.StringIO
    logs: Logs
    commands: list[AnyCommand] = field(default_factory=list)
    _stepped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.runtime.listen(self._listen)

    def _listen(self, _: Envelope, step: Step) -> None:
        self.commands.extend(step.commands)
        self._stepped.set()

    async def until(self, condition: Callable[[], bool], *, within_s: float = WITHIN_S) -> None:
        """Wait until a condition holds, looking after every step of the daemon."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._stepped.clear()
                await self._stepped.wait()

    async def enforced(self, count: int = 1) -> EnforcementEnded:
        """Wait until so many enforcements have reached their targets; return the last."""
        await self.until(lambda: len(self.ended) >= count)
        return self.ended[count - 1]

    @property
    def ended(self) -> list[EnforcementEnded]:
        """Return the enforcements that have reached their targets."""
        return [c for c in self.commands if isinstance(c, EnforcementEnded)]

    @property
    def state(self) -> AccountState:
        """Return the account."""
        return self.runtime.state_manager.accounts[ACCOUNT]

    @property
    def view(self) -> AccountView:
        """Return the account as rules see it now."""
        return self.runtime.state_manager.view(ACCOUNT, self.runtime.clock.now())

    def quantity(self, product: str) -> int:
        """Return what riskd believes is held of a product's front month."""
        return self.state.quantity(self.gateway.control.contract_id(product))

    def broker_quantity(self, product: str) -> int:
        """Return what the broker holds of a product's front month."""
        return self.gateway.control.position(int(ACCOUNT), product)

    def log_lines(self) -> list[dict[str, object]]:
        """Return what was logged so far."""
        return [json.loads(line) for line in self.output.getvalue().splitlines()]

    async def priced(self, product: str) -> None:
        """Wait until the daemon hears the prices of a product's front month."""
        await self.gateway.control.wait_subscribed("GatewayQuote", self.gateway.control.contract_id(product))

    async def move_time(self, to: str | datetime) -> None:
        """Set the gateway's clock, and wait until the daemon has followed."""
        target = ct(to) if isinstance(to, str) else to
        self.gateway.control.time(now=target)
        await self.until(lambda: self.runtime.clock.now() >= target)


def spec(rules: Mapping[str, Mapping[str, object]], **more: object) -> str:
    """Return the canonical text of rules by name."""
    entries = [{"rule": name, "params": dict(params)} for name, params in rules.items()]
    return canonical({"rules": entries, **more})


def settings_for(
    gateway: SimulatedGateway,
    state_dir: Path,
    rules: Mapping[str, Mapping[str, object]],
    *,
    channels: tuple[Channel, ...] = (),
    accounts: tuple[str, ...] = (ACCOUNT,),
) -> RuntimeSettings:
    """Return the settings of a daemon on this gateway that enforces at once."""
    return RuntimeSettings(
        state_dir=state_dir,
        rules={name: spec(rules) for name in accounts},
        broker=ProjectXSettings(
            rest_url=gateway.rest_url,
            user_hub_url=gateway.user_hub_url,
            market_hub_url=gateway.market_hub_url,
            username=gateway.username,
            api_key=gateway.api_key,
            accounts=accounts,
        ),
        notifications=NotificationConfig(channels=channels, outbox=state_dir / "outbox"),
        arming="enforce",
    )


def gateway_settings(start: str = START) -> GatewaySettings:
    """Return a gateway whose clock stands still at a Chicago wall time, with one account."""
    return GatewaySettings(
        accounts=(account(int(ACCOUNT), "practice", "50000.00"),),
        quotes=QUOTES,
        start=ct(start),
        speed=Decimal(0),
        limits=None,
    )


@asynccontextmanager
async def started(settings: RuntimeSettings, gateway: SimulatedGateway) -> AsyncIterator[Daemon]:
    """Run a daemon until the block ends."""
    output = io.StringIO()
    logs = start_logs(now=gateway.clock.now, stream=output)
    runtime = Runtime(settings, logs.logger)
    daemon = Daemon(gateway, runtime, output, logs)
    try:
        await runtime.start()
        async with asyncio.timeout(WITHIN_S):
            await runtime.ready.wait()
        yield daemon
    finally:
        await runtime.stop()
        logs.close()


@asynccontextmanager
async def running(
    tmp_path: Path,
    rules: Mapping[str, Mapping[str, object]],
    *,
    start: str = START,
    channels: tuple[Channel, ...] = (),
) -> AsyncIterator[Daemon]:
    """Run a gateway and a daemon on it until the block ends."""
    async with SimulatedGateway(gateway_settings(start)) as gateway:
        settings = settings_for(gateway, tmp_path / "state", rules, channels=channels)
        async with started(settings, gateway) as daemon:
            yield daemon

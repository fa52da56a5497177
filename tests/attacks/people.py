"""A second person: a channel that somebody else reads, and a daemon that tells them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from riskd.daemon.runtime import RuntimeSettings
from riskd.notifications.channels import Channel
from riskd.simulator import SimulatedGateway
from tests.support.daemon import Daemon, gateway_settings, settings_for, started
from tests.support.webhook import Webhook, webhook

Rules = Mapping[str, Mapping[str, object]]
LOSS: Rules = {"DailyRealizedLoss": {"limit": "-500.00"}}
MAX4: Rules = {"MaxContracts": {"max_contracts": 4}}


class Scene:
    """A gateway, a coach who is told, and the settings of a daemon that runs as often as a test wants."""

    def __init__(self, gateway: SimulatedGateway, coach: Webhook, settings: RuntimeSettings) -> None:
        self.gateway = gateway
        self.coach = coach
        self.settings = settings

    @asynccontextmanager
    async def daemon(self, settings: RuntimeSettings | None = None) -> AsyncIterator[Daemon]:
        """Run the daemon until the block ends, with other settings where some are given."""
        async with started(settings or self.settings, self.gateway) as daemon:
            yield daemon


@asynccontextmanager
async def scene(tmp_path: Path, rules: Rules) -> AsyncIterator[Scene]:
    """Set the scene."""
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as coach:
        channel = Channel(name="coach", url=coach.url)
        settings = settings_for(gateway, tmp_path / "state", rules, channels=(channel,))
        yield Scene(gateway, coach, settings)

"""What was missed is told: from when to when riskd was blind, and how many trades it found afterwards."""

from decimal import Decimal
from pathlib import Path

import pytest

from riskd.domain.commands import Alert, Severity
from riskd.simulator import SimulatedGateway
from riskd.simulator.faults.rules import HubChoice
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, settings_for, started
from tests.support.desk import ct

RULES = {"MaxContracts": {"max_contracts": 9}}
LOST, FOUND = "2026-03-10 14:02", "2026-03-10 14:09"

pytestmark = pytest.mark.e2e


def three_trades(gateway: SimulatedGateway) -> None:
    """Buy two and sell one of them, by hand, in three trades."""
    for side in ("buy", "buy", "sell"):
        gateway.control.fill(int(ACCOUNT), "MNQ", side, 1, Decimal("18000.00"))


async def told(daemon: Daemon) -> Alert:
    """Wait for the alert of a gap."""

    def gaps() -> list[Alert]:
        return [command for command in daemon.commands if isinstance(command, Alert) and command.kind == "gap"]

    await daemon.until(lambda: bool(gaps()))
    return gaps()[0]


def times(alert: Alert) -> tuple[str, str]:
    """Return from when to when, in Chicago's minutes."""
    _, _, begun, _, _, ended, *_ = alert.text.split()
    return begun[:5], ended[:5]


async def test_what_was_traded_while_riskd_was_stopped_is_told(tmp_path: Path) -> None:
    """Stopped at 14:02 and started at 14:09, with three trades between."""
    async with SimulatedGateway(gateway_settings(LOST)) as gateway:
        settings = settings_for(gateway, tmp_path / "state", RULES)
        async with started(settings, gateway):
            pass
        gateway.control.time(now=ct(FOUND))
        three_trades(gateway)
        async with started(settings, gateway) as daemon:
            alert = await told(daemon)
            assert daemon.quantity("MNQ") == 1
    assert times(alert) == ("14:02", "14:09")
    assert "3 trades seen afterwards" in alert.text
    assert alert.severity is Severity.WARNING


@pytest.mark.parametrize("hub", ["user", "all"])
async def test_what_was_traded_while_a_hub_was_lost_is_told(tmp_path: Path, hub: HubChoice) -> None:
    """Lost at 14:02 and found at 14:09, with three trades between."""
    async with SimulatedGateway(gateway_settings(LOST)) as gateway:
        settings = settings_for(gateway, tmp_path / "state", RULES)
        async with started(settings, gateway) as daemon:
            gateway.control.hub_down(hub)
            await gateway.control.wait_disconnected(hub)
            gateway.control.time(now=ct(FOUND))
            three_trades(gateway)
            gateway.control.hub_up(hub)
            alert = await told(daemon)
            assert daemon.quantity("MNQ") == 1
    assert times(alert) == ("14:02", "14:09")
    assert "3 trades seen afterwards" in alert.text

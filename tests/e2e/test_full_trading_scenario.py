"""P0-1, the happy path, as a user runs it: the daemon is a process, the broker a server, the phone a webhook."""

from decimal import Decimal
from pathlib import Path

import pytest

from riskd.simulator import SimulatedGateway
from tests.support.daemon import ACCOUNT, gateway_settings
from tests.support.process import daemon_process
from tests.support.webhook import webhook

CONFIG = Path(__file__).parents[1] / "fixtures" / "config.json"


@pytest.mark.e2e
async def test_e2e_max_contracts_enforcement(tmp_path: Path) -> None:
    """2 MNQ and then 3 ES against a limit of 4: one ES is closed, told and logged, and nothing else happens."""
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as hook:
        control = gateway.control
        environment = {"RISKD_WEBHOOK": hook.url}
        async with daemon_process(gateway, CONFIG, tmp_path, environment) as daemon:
            await daemon.line("ready")
            control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"))
            assert control.position(int(ACCOUNT), "MNQ") == 2

            control.fill(int(ACCOUNT), "ES", "buy", 3, Decimal("5800.00"))
            await control.wait_position(int(ACCOUNT), "ES", 2, within=1.0)

            assert control.position(int(ACCOUNT), "MNQ") == 2
            assert "MaxContracts" in await hook.containing("MaxContracts limit exceeded")
            line = await daemon.line("enforced")
            assert line["text"] == "MaxContracts violated: 5 > 4, closed 1 ES"
            assert line["targets"] == [{"symbol": "ES", "closed": 1, "left": 2}]
            assert len(control.requests("partialCloseContract")) == 1
            assert len(control.requests("Position/closeContract")) == 0
            assert await daemon.stop() == 0

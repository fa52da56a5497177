"""The broker answers, and its answers about an account are of no use: people hear of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from riskd.daemon.runtime import Runtime
from riskd.notifications.channels import Channel
from riskd.simulator import SimulatedGateway
from riskd.simulator.faults.rules import Rejected
from tests.support.daemon import gateway_settings, settings_for
from tests.support.webhook import webhook


@pytest.mark.e2e
@pytest.mark.slow
async def test_an_account_that_cannot_be_read_any_more_counts_as_unprotected(tmp_path: Path) -> None:
    """It is told with the broker's reason, and that it is over once the account has been read again."""
    async with webhook() as hook, SimulatedGateway(gateway_settings()) as gateway:
        channel = Channel(name="coach", url=hook.url)
        settings = settings_for(
            gateway, tmp_path / "state", {"MaxContracts": {"max_contracts": 4}}, channels=(channel,)
        )
        broker = replace(settings.broker, safety_poll_s=0.1, retry_delays_s=(0.05,))
        runtime = Runtime(replace(settings, broker=broker, patience_s=0.5), structlog.get_logger())
        await runtime.start()
        try:
            await runtime.ready.wait()
            gateway.control.faults((Rejected(calls=("Position/searchOpen",), code=7, message="Later."),))
            await hook.containing(
                "101 cannot be read: the gateway refused /api/Position/searchOpen with error 7: Later."
            )
            gateway.control.faults()
            await hook.containing("riskd protects again")
        finally:
            await runtime.stop()

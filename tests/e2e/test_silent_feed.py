"""The market hub stands, says nothing more, and the price falls: riskd sees it all the same."""

import asyncio
import dataclasses
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from riskd.domain.commands import Alert
from riskd.simulator import SimulatedGateway
from riskd.simulator.faults.rules import FaultRule, HubDown, LostEvent
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, settings_for, spec, started

RULES = {"UnrealizedLoss": {"limit": "-200.00"}}
FAULTS: dict[str, FaultRule] = {
    "no quotes": LostEvent(events=("GatewayQuote",)),
    "no prices": LostEvent(events=("GatewayQuote", "GatewayTrade")),
    "market hub gone": HubDown(hub="market", every_s=(0.1, 0.1), for_s=(60.0, 60.0)),
}


def kinds(daemon: Daemon) -> set[str]:
    """Return the kinds of alerts that were given."""
    return {command.kind for command in daemon.commands if isinstance(command, Alert)}


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
async def test_a_loss_is_seen_though_the_feed_is_silent(tmp_path: Path, name: str) -> None:
    """The silence is told, the fallen price arrives by another way, and the loss is stopped."""
    plain = msgspec.structs.replace(gateway_settings(), speed=Decimal(1))
    async with SimulatedGateway(plain) as gateway:
        ours = settings_for(gateway, tmp_path / "state", RULES)
        rules = {ACCOUNT: spec(RULES, pnl={"stale_after": "1s"})}
        async with started(dataclasses.replace(ours, rules=rules), gateway) as daemon:
            gateway.control.order(int(ACCOUNT), "MNQ", "buy", 4)
            await daemon.until(lambda: daemon.quantity("MNQ") == 4)
            await daemon.priced("MNQ")
            gateway.control.faults((FAULTS[name],))
            await daemon.until(lambda: "stale" in kinds(daemon), within_s=8)  # sooner than the usual ten seconds
            for price in ("17980.00", "17970.00", "17960.00"):
                gateway.control.price("MNQ", Decimal(price))
                await asyncio.sleep(1.0)  # each in a second of its own, as the broker's bars count
            await daemon.until(lambda: daemon.broker_quantity("MNQ") == 0, within_s=20)
            await daemon.enforced()
    assert {"stale", "violation"} <= kinds(daemon)

"""An account that ended at its drawdown, and the admin who lets it go: both are processes of their own."""

import asyncio
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from riskd.simulator import SimulatedGateway
from riskd.storage.journal import read_journal
from tests.support.daemon import ACCOUNT, gateway_settings
from tests.support.desk import ct
from tests.support.process import DaemonProcess, daemon_process
from tests.support.webhook import webhook

CONFIG = Path(__file__).parents[1] / "fixtures" / "config.json"
DRAWDOWN = {
    "rule": "AccountDrawdown",
    "params": {"kind": "static", "start_balance": "50000.00", "drawdown": "1000.00"},
}


def config(tmp_path: Path, *rules: Mapping[str, object]) -> Path:
    """Write the usual configuration with these rules."""
    document = json.loads(CONFIG.read_text(encoding="utf-8"))
    document["profiles"]["default"]["rules"] = list(rules)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


async def admin(state_dir: Path, account: str = ACCOUNT) -> tuple[int, str]:
    """Run `riskd-admin release`; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "riskd.app.admin", "release", account, "--state-dir", str(state_dir)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode().strip()


async def lose(gateway: SimulatedGateway, daemon: DaemonProcess) -> None:
    """Buy an ES, and let it lose 1,000 USD."""
    control = gateway.control
    control.fill(int(ACCOUNT), "ES", "buy", 1, Decimal("5800.00"))
    await control.wait_subscribed("GatewayQuote", control.contract_id("ES"))
    price = Decimal("5780.00")
    control.quote("ES", last=price, bid=price, ask=price)
    await daemon.line("enforced")


@pytest.mark.e2e
async def test_an_account_is_released_the_next_day_and_counts_anew(tmp_path: Path) -> None:
    """Refused on the same day, done on the next, told both times; a restart leaves it free."""
    file, state_dir = config(tmp_path, DRAWDOWN), tmp_path / "state"
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as hook:
        words = {"RISKD_WEBHOOK": hook.url}
        async with daemon_process(gateway, file, state_dir, words) as daemon:
            await daemon.line("ready")
            await lose(gateway, daemon)

            code, said = await admin(state_dir)
            assert code == 1
            assert "refused: it was locked on this trading day; it can be released from 2026-03-10 17:00 CT on" in said
            await hook.containing("can be released from 2026-03-10 17:00 CT on")

            gateway.control.time(now=ct("2026-03-11 09:00"))
            # riskd follows the gateway's time with its next look; until then it is still yesterday.
            while (await admin(state_dir))[0]:
                pass
            await hook.containing("AccountDrawdown released by")
            await daemon.line("unlock")
        async with daemon_process(gateway, file, state_dir, words) as daemon:
            await daemon.line("ready")
            code, said = await admin(state_dir)
            assert (code, said.endswith("refused: the account is not locked")) == (1, True)
            assert await daemon.stop() == 0
    asked = [e for e in read_journal(state_dir / "journal") if type(e.envelope.event).__name__ == "LockoutReleased"]
    assert len(asked) >= 3

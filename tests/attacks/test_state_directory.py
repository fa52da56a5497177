"""Ways round a limit by the state directory: emptied, swapped, or put back from a copy."""

import asyncio
import json
import os
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from riskd.simulator import SimulatedGateway
from tests.attacks.catalogue import Answer, attack
from tests.support.daemon import ACCOUNT, gateway_settings
from tests.support.process import DaemonProcess, daemon_process, gateway_environment
from tests.support.webhook import Webhook, webhook

CONFIG = Path(__file__).parents[1] / "fixtures" / "config.json"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration with a folder of its own."""
    return Path(shutil.copy(CONFIG, tmp_path))


def words(hook: Webhook) -> dict[str, str]:
    """Return what the configuration's words stand for beside the gateway's."""
    return {"RISKD_WEBHOOK": hook.url}


def watch_only(config: Path) -> None:
    """Have accounts that are armed for the first time only watched."""
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('"arming": "enforce"', '"arming": "shadow"'), encoding="utf-8")


def name_another(config: Path) -> None:
    """Leave the account unnamed, and give such accounts the rules of the profile."""
    written = json.loads(config.read_text(encoding="utf-8"))
    written["accounts"][0]["id"] = "999"
    config.write_text(json.dumps(written | {"unlisted_accounts": "default"}), encoding="utf-8")


async def protected(gateway: SimulatedGateway, config: Path, state_dir: Path, hook: Webhook) -> None:
    """Run riskd until it enforces the account, then stop it."""
    async with daemon_process(gateway, config, state_dir, words(hook)) as daemon:
        await daemon.line("armed")
        assert await daemon.stop() == 0


async def takes_nothing_new(gateway: SimulatedGateway, daemon: DaemonProcess) -> None:
    """Buy a contract that the rules allow, and see it closed."""
    gateway.control.fill(int(ACCOUNT), "MNQ", "buy", 1, Decimal("18000.00"))
    closed = await daemon.line("close")
    assert (closed["rule"], closed["symbol"], closed["left"]) == ("lost state", "MNQH6", 0)


async def refusal(gateway: SimulatedGateway, config: Path, state_dir: Path, hook: Webhook) -> tuple[int, str]:
    """Start riskd where it must not start; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "riskd.app.admin", "run", "--config", str(config), "--state-dir", str(state_dir)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **gateway_environment(gateway), **words(hook)},
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@attack(Answer.STOPPED)
@pytest.mark.slow
async def test_name_another_directory(tmp_path: Path, config: Path) -> None:
    """Start riskd with an empty state directory, by `--state-dir` or `paths.state`.

    → While the one from before is still there riskd does not start, and names it; one that was moved as a whole is
    taken.
    """
    old, new = tmp_path / "old", tmp_path / "new"
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as hook:
        await protected(gateway, config, old, hook)

        code, said = await refusal(gateway, config, new, hook)
        assert code == 2
        assert f"account 101 was last protected from the state directory {old}, which is still there" in said

        shutil.rmtree(new)
        old.rename(new)
        async with daemon_process(gateway, config, new, words(hook)) as daemon:
            await daemon.line("armed", lambda line: line["resumed"] is True)
            gateway.control.fill(int(ACCOUNT), "MNQ", "buy", 1, Decimal("18000.00"))
            assert await daemon.stop() == 0
        assert gateway.control.position(int(ACCOUNT), "MNQ") == 1


@attack(Answer.STOPPED)
@pytest.mark.slow
async def test_name_another_directory_for_an_account_that_is_not_named(tmp_path: Path, config: Path) -> None:
    """Start riskd with an empty state directory while `unlisted_accounts` gives an account its rules.

    → What riskd noted of an account counts whether or not the file names it: it does not start.
    """
    name_another(config)
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as hook:
        await protected(gateway, config, tmp_path / "old", hook)
        code, said = await refusal(gateway, config, tmp_path / "new", hook)
    assert code == 2
    assert f"account 101 was last protected from the state directory {tmp_path / 'old'}, which is still there" in said


@attack(Answer.UNDONE)
async def test_empty_the_directory(tmp_path: Path, config: Path) -> None:
    """Delete the state directory, and set `"arming": "shadow"`.

    → A note beside the configuration gives it away: a second person hears of it, the account is enforced all the same,
    and what is opened before the first 17:00 that is twelve hours away is closed.
    """
    state_dir = tmp_path / "state"
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as hook:
        await protected(gateway, config, state_dir, hook)
        shutil.rmtree(state_dir)
        watch_only(config)

        async with daemon_process(gateway, config, state_dir, words(hook)) as daemon:
            await hook.containing("is not there any more")
            await daemon.line("armed", lambda line: line["mode"] == "enforce")
            await takes_nothing_new(gateway, daemon)
            assert await daemon.stop() == 0
        # Starting it once more ends nothing.
        async with daemon_process(gateway, config, state_dir, words(hook)) as daemon:
            await daemon.line("armed")
            await takes_nothing_new(gateway, daemon)


@attack(Answer.UNDONE)
@pytest.mark.slow
async def test_put_back_a_copy(tmp_path: Path, config: Path) -> None:
    """Put this morning's copy of the state directory back while the account is locked.

    → It is older than what riskd has noted elsewhere, and counts as lost: told, and nothing new may be opened.
    """
    state_dir, morning = tmp_path / "state", tmp_path / "morning"
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as hook:
        await protected(gateway, config, state_dir, hook)
        shutil.copytree(state_dir, morning)
        async with daemon_process(gateway, config, state_dir, words(hook)) as daemon:
            await daemon.line("armed")
            gateway.control.fill(int(ACCOUNT), "ES", "buy", 1, Decimal("5800.00"))
            gateway.control.fill(int(ACCOUNT), "ES", "sell", 1, Decimal("5780.00"))
            await daemon.line("locked")
            assert await daemon.stop() == 0
        shutil.rmtree(state_dir)
        morning.rename(state_dir)

        async with daemon_process(gateway, config, state_dir, words(hook)) as daemon:
            await hook.containing("is not there any more")
            await daemon.line("armed")
            gateway.control.fill(int(ACCOUNT), "MNQ", "buy", 1, Decimal("18000.00"))
            await daemon.line("close")

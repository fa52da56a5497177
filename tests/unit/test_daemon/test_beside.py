"""What runs beside the enforcement: it neither ends unnoticed nor holds up a stop."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.daemon.runtime import Runtime, RuntimeSettings
from riskd.notifications.channels import Channel
from riskd.notifications.service import NotificationConfig
from riskd.simulator import SimulatedGateway
from riskd.storage.journal import read_journal
from tests.support.daemon import gateway_settings, settings_for, started
from tests.support.webhook import webhook

NOBODY = "http://127.0.0.1:9"


def alone(state_dir: Path) -> RuntimeSettings:
    """Return the settings of a daemon that reaches no broker."""
    broker = ProjectXSettings(
        rest_url=NOBODY, user_hub_url=NOBODY, market_hub_url=NOBODY, username="u", api_key="k", accounts=("101",)
    )
    notifications = NotificationConfig(channels=(), outbox=state_dir / "outbox")
    return RuntimeSettings(state_dir=state_dir, rules={}, broker=broker, notifications=notifications)


async def test_work_that_fails_is_told_and_begun_again(tmp_path: Path) -> None:
    """The configuration is watched on, the admin's requests are answered on, and people hear that riskd has a bug."""
    again = asyncio.Event()
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            again.set()
        raise ZeroDivisionError("odd")

    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as phone:
        settings = settings_for(gateway, tmp_path / "state", {}, channels=(Channel("phone", phone.url),))
        async with started(settings, gateway) as daemon:
            daemon.runtime.keep("desk", work)
            async with asyncio.timeout(5):
                await again.wait()
            await phone.containing("riskd: desk failed; this is a defect of riskd: ZeroDivisionError: odd")
            assert any(line["event"] == "bug" for line in daemon.log_lines())


async def test_work_that_failed_holds_up_no_stop(tmp_path: Path) -> None:
    """Whatever ended before, everything is written and let go of."""
    runtime = Runtime(alone(tmp_path), structlog.get_logger())
    await runtime.start()

    async def work() -> None:
        raise ZeroDivisionError

    runtime.keep("odd", work)
    await asyncio.sleep(0)

    await runtime.stop()

    assert list(read_journal(tmp_path / "journal")) == []
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_start_that_fails_is_told_and_ends_riskd(tmp_path: Path) -> None:
    """A person's answer that cannot be read is no reason to run on unarmed."""

    def confirm(account: str, _: Sequence[str]) -> bool:
        raise EOFError(account)

    async with SimulatedGateway(gateway_settings()) as gateway:
        settings = replace(settings_for(gateway, tmp_path / "state", {}), confirm=confirm, arming="shadow")
        runtime = Runtime(settings, structlog.get_logger())
        await runtime.start()
        async with asyncio.timeout(5):
            await runtime.failed.wait()
        await runtime.stop()
        assert runtime.failure == "riskd could not be brought up: EOFError: 101"

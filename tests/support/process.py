"""The daemon as users run it: a process of its own, read through what it prints."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from riskd.simulator import SimulatedGateway

WITHIN_S = 15.0
FIXTURES = Path(__file__).parents[1] / "fixtures"


class DaemonProcess:
    """A running `riskd-admin run` and the log lines that it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, object]] = []
        self._read = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))
            self._read.set()
        self._read.set()

    async def line(
        self, event: str, condition: Callable[[dict[str, object]], bool] = lambda _: True, *, after: int = 0
    ) -> dict[str, object]:
        """Wait for a log line of this event; `after` skips as many lines from the start."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                for found in self.lines[after:]:
                    if found["event"] == event and condition(found):
                        return found
                if self._task.done():
                    raise AssertionError(f"the daemon ended before it said {event!r}: {self.lines[-5:]}")
                self._read.clear()
                await self._read.wait()

    async def kill(self) -> None:
        """End the process as a crash does."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._task

    async def stop(self) -> int:
        """Ask the process to end, and return its exit code."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        code = await self.process.wait()
        await self._task
        return code


@asynccontextmanager
async def daemon_process(
    gateway: SimulatedGateway, config: Path, state_dir: Path, environment: Mapping[str, str]
) -> AsyncIterator[DaemonProcess]:
    """Run the daemon on a gateway until the block ends.

    Shape: riskd leaves a note beside its configuration, so the one that tests share is copied into the state directory.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "riskd.app.admin",
        "run",
        "--config",
        str(_own(config, state_dir)),
        "--state-dir",
        str(state_dir),
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        env={**os.environ, **gateway_environment(gateway), **environment},
    )
    daemon = DaemonProcess(process)
    try:
        yield daemon
    finally:
        await daemon.kill()


def _own(config: Path, state_dir: Path) -> Path:
    if config.parent != FIXTURES:
        return config
    state_dir.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(config, state_dir))


def gateway_environment(gateway: SimulatedGateway) -> Mapping[str, str]:
    """Return what a configuration's `${NAME}`s stand for on this gateway."""
    return {
        "RISKD_REST_URL": gateway.rest_url,
        "RISKD_USER_HUB_URL": gateway.user_hub_url,
        "RISKD_MARKET_HUB_URL": gateway.market_hub_url,
        "RISKD_USERNAME": gateway.username,
        "RISKD_API_KEY": gateway.api_key,
    }

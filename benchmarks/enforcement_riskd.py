"""riskd as the enforcement benchmark runs it: the real runtime over real files and sockets."""

import asyncio
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from benchmarks.enforcement_trials import Kind, Plan
from benchmarks.pinning import pinned_apart
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.daemon.garbage import spare_what_stays
from riskd.daemon.logs import start_logs
from riskd.daemon.runtime import Runtime, RuntimeSettings
from riskd.notifications.service import NotificationConfig
from riskd.rules.registry import canonical

READY_WITHIN_S: Final = 10.0
RULES: Final[list[dict[str, object]]] = [
    {"rule": "MaxContracts", "params": {"max_contracts": 4}},
    {"rule": "DailyRealizedLoss", "params": {"limit": "-2500.00", "basis": "combined"}},
    {"rule": "SessionBlockOutside", "params": {"preset": "RTH"}},
    {"rule": "UnrealizedLoss", "params": {"limit": "-50.00"}},
]
"""The three rules that are always measured, and the one that a quote can break again and again on the same day."""

FarEnd = Callable[[Connection, Kind, Plan, int | None], None]
"""A broker in a process of its own.

Shape: sends where it is (``ProjectXSettings``), waits for a word, breaches, sends the latencies in nanoseconds.
"""


def run_riskd(directory: Path, kind: Kind, plan: Plan, far_end: FarEnd) -> list[int]:
    """Measure riskd in this process, with its files below a directory, against the far end in another.

    Shape: exactly as many samples as the plan has trials.
    Units: nanoseconds.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with pinned_apart() as other_core:
        broker = spawn.Process(target=far_end, args=(theirs, kind, plan, other_core))
        broker.start()
        theirs.close()  # so that a far end that died is an end of file here, not a wait for ever
        try:
            return asyncio.run(_daemon(directory, kind, ours))
        finally:
            broker.join(timeout=5)
            broker.kill()
            ours.close()


async def _daemon(directory: Path, kind: Kind, far_end: Connection) -> list[int]:
    rules = RULES if kind is Kind.QUOTE else RULES[:3]
    settings = _settings(directory, rules, far_end.recv())
    with (directory / "log.jsonl").open("w") as stream:
        logs = start_logs(now=_wall, stream=stream)
        runtime = Runtime(settings, logs.logger)
        try:
            await runtime.start()
            spare_what_stays()
            async with asyncio.timeout(READY_WITHIN_S):
                await runtime.ready.wait()
            far_end.send("armed")
            samples: list[int] = await asyncio.to_thread(far_end.recv)
        finally:
            await runtime.stop()
            logs.close()
    return samples


def _wall() -> datetime:
    return datetime.now(UTC)


def _settings(directory: Path, rules: list[dict[str, object]], broker: ProjectXSettings) -> RuntimeSettings:
    return RuntimeSettings(
        state_dir=directory,
        rules={account: canonical({"rules": rules}) for account in broker.accounts},
        broker=broker,
        notifications=NotificationConfig(channels=(), outbox=directory / "outbox"),
        arming="enforce",
    )

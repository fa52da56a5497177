"""riskd as a process: how long from its start until it is ready, how much memory it holds, what it costs when idle."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.enforcement_riskd import READY_WITHIN_S, RULES

IDLE_S: Final = 10.0
_SETTLE_S: Final = 2.0
_STARTS: Final = 5


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process of riskd's costs.

    Units: ``ready_s`` one for each start, from the call of the program; ``idle_percent`` of one core.
    """

    ready_s: tuple[float, ...]
    resident_mb: float
    idle_percent: float


def measure_process(directory: Path) -> Footprint:
    """Start `riskd-admin run` several times against `riskd-gateway`; let the last one idle."""
    with _gateway() as ready:
        environment = {**os.environ, **{f"RISKD_{key.upper()}": str(value) for key, value in ready.items()}}
        starts = []
        for number in range(_STARTS - 1):
            with _daemon(directory / str(number), environment) as (_, took_s):
                starts.append(took_s)
        with _daemon(directory / "last", environment) as (process, took_s):
            starts.append(took_s)
            time.sleep(_SETTLE_S)
            before = process.cpu_times()
            time.sleep(IDLE_S)
            after = process.cpu_times()
            used_s = after.user + after.system - before.user - before.system
            return Footprint(tuple(starts), process.memory_info().rss / 1e6, 100 * used_s / IDLE_S)


def _config() -> dict[str, object]:
    return {
        "version": 1,
        "broker": {
            "kind": "projectx",
            "rest_url": "${RISKD_REST_URL}",
            "user_hub_url": "${RISKD_USER_HUB_URL}",
            "market_hub_url": "${RISKD_MARKET_HUB_URL}",
            "username": "${RISKD_USERNAME}",
            "api_key": "${RISKD_API_KEY}",
        },
        "accounts": [{"id": "101", "name": "practice"}],
        "profiles": {"default": {"rules": RULES[:3]}},
        "arming": "enforce",
    }


@contextmanager
def _gateway() -> Iterator[dict[str, object]]:
    with _running("gateway", "--json", "--accounts", "practice:101:50000", "--markets", "MNQ,ES") as gateway:
        yield json.loads(_line(gateway, '"rest_url"'))


@contextmanager
def _daemon(directory: Path, environment: dict[str, str]) -> Iterator[tuple[psutil.Process, float]]:
    """Start riskd with a configuration of its own: beside that it notes which state directory belongs to it."""
    directory.mkdir()
    config = directory / "config.json"
    config.write_text(json.dumps(_config()), encoding="utf-8")
    arguments = ("run", "--config", str(config), "--state-dir", str(directory / "state"), "--json", "--yes")
    began = time.perf_counter()
    with _running("admin", *arguments, environment=environment) as daemon:
        _line(daemon, '"event":"ready"')
        yield psutil.Process(daemon.pid), time.perf_counter() - began


@contextmanager
def _running(
    program: str, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Run one of riskd's programs until the block ends."""
    command = [sys.executable, "-c", f"from riskd.app.{program} import main; main()", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=READY_WITHIN_S)


def _line(process: "subprocess.Popen[str]", part: str) -> str:
    """Return the first line of its output that has this in it."""
    if process.stdout is None:
        raise ValueError("the process was started without a pipe")
    for line in process.stdout:
        if part in line:
            return line
    raise RuntimeError(f"riskd ended without saying {part}")

"""A stranger's client library in an environment of its own, and the test's hands on its strings."""

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import venv
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from riskd.simulator import SimulatedGateway

ROOT: Final = Path(__file__).parents[3]
HERE: Final = Path(__file__).parent
_SCRIPTS: Final = "Scripts" if os.name == "nt" else "bin"
_OFFLINE: Final = ("NewConnectionError", "NameResolutionError", "Failed to establish a new connection")


class RefusedError(Exception):
    """The library reported that the gateway refused a call."""


class Stranger:
    """One library at work in its own process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._heard: dict[str, list[dict[str, Any]]] = {}

    async def read(self) -> None:
        """Take what the library says until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "heard" in said:
                self._heard.setdefault(said["heard"], []).append(said["data"])
                self._changed.set()
            else:
                self._answers.put_nowait(said)
        self._answers.put_nowait({"ended": await self._process.wait()})

    async def ask(self, do: str, **terms: Any) -> Any:
        """Have the library do something; return its answer.

        Errors: RefusedError with the library's words.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "with": terms}).encode() + b"\n")
        async with asyncio.timeout(30):
            answer = await self._answers.get()
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        assert "answer" in answer, f"the library ended while asked to {do}: {answer}"
        return answer["answer"]

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """Return what a hub sent of a kind."""
        return self._heard.get(kind, [])

    async def until_heard(self, kind: str, count: int = 1) -> None:
        """Wait until a hub has sent so many of a kind."""
        async with asyncio.timeout(15):
            while len(self.heard(kind)) < count:
                self._changed.clear()
                await self._changed.wait()


def environment(library: str) -> Path:
    """Return the Python of an environment with a library in it, made now unless it is there already.

    What is installed is pinned with hashes; the place that it comes from is this machine's business.
    """
    wanted = HERE / f"{library}.txt"
    mark = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = ROOT / ".cache" / "clients" / f"{library}-{mark}"
    python = home / _SCRIPTS / "python"
    if not (home / "complete").exists():
        venv.create(home, clear=True, with_pip=False)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q", "--python", str(python)]
        done = subprocess.run(
            [*pip, "install", "--require-hashes", "-r", str(wanted)], check=False, capture_output=True, text=True
        )
        if done.returncode and any(word in done.stderr for word in _OFFLINE):
            pytest.skip(f"{library} cannot be installed without a network")
        assert not done.returncode, done.stderr
        (home / "complete").touch()
    return python


@asynccontextmanager
async def working_with(library: str, gateway: SimulatedGateway, home: Path) -> AsyncIterator[Stranger]:
    """Run a library against a gateway until the block ends."""
    where = {
        "rest_url": gateway.rest_url,
        "user_hub_url": gateway.user_hub_url,
        "market_hub_url": gateway.market_hub_url,
        "username": gateway.username,
        "api_key": gateway.api_key,
    }
    python = await asyncio.to_thread(environment, library)
    puppet = f"tests.e2e.clients.with_{library.replace('-', '_')}"
    # One of them keeps tokens under the user's home.
    surroundings = os.environ | {"HOME": str(home), "USERPROFILE": str(home)}
    process = await asyncio.create_subprocess_exec(
        python, "-m", puppet, json.dumps(where), stdin=PIPE, stdout=PIPE, cwd=ROOT, env=surroundings, limit=2**24
    )
    stranger = Stranger(process)
    reading = asyncio.create_task(stranger.read())
    try:
        yield stranger
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await reading

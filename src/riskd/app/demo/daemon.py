"""The real daemon as a process of its own: started, killed without warning, started again."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from riskd.app.demo.daemon_log import AnyLine, understood
from riskd.app.demo.leash import die_with_us, on_a_leash

_LAST_WORDS: Final = 12
_LONGEST_LINE: Final = 1_000_000
_STOPS_WITHIN_S: Final = 5.0


class Daemon:
    """One command that is run, and what it writes.

    Shape: an async context manager; whatever happens inside, no process is left when it is over. ``on_line`` is called
    for each line that is understood, ``on_end`` when a run has ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        on_line: Callable[[AnyLine], None],
        on_end: Callable[[], None],
    ) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._on_line = on_line
        self._on_end = on_end
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        if error is None and self._reading is not None:
            self._reading.result()

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs."""
        return self._process.pid if self.running and self._process is not None else None

    @property
    def running(self) -> bool:
        """Tell whether the process lives and may still say something."""
        return self._reading is not None and not self._reading.done()

    @property
    def exit_code(self) -> int | None:
        """Return how the last run ended."""
        return self._process.returncode if self._process is not None else None

    @property
    def last_words(self) -> tuple[str, ...]:
        """Return the last log lines, without the regular figures."""
        return tuple(self._last_words)

    async def start(self) -> None:
        """Run the command.

        Errors: OSError when it cannot be run at all.
        """
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=self._environment,
            limit=_LONGEST_LINE,
            **on_a_leash(),
        )
        self._reading = asyncio.create_task(self._read(self._process))
        die_with_us(self._process.pid)

    async def kill(self) -> None:
        """End the process without a warning: SIGKILL, or TerminateProcess."""
        if sys.platform == "win32":
            if self._process is not None and self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
        else:
            self._signal(signal.SIGKILL)
        await self._ended()

    async def stop(self) -> bool | None:
        """Ask the process to stop; return whether it did so by itself, in good order.

        Shape: None where a process cannot be asked, on Windows; it is ended all the same.
        """
        if sys.platform == "win32":
            await self.kill()
            return None
        else:  # noqa: RET505 - the type checker looks at either branch on its own system only
            self._signal(signal.SIGTERM)
            return await self._ended_by_itself()

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal, not by way of the process object, which may collect an exit that the event loop waits for."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def _ended_by_itself(self) -> bool:
        try:
            async with asyncio.timeout(_STOPS_WITHIN_S):
                await self._ended()
        except TimeoutError:
            await self.kill()
            return False
        return self.exit_code == 0

    async def _ended(self) -> None:
        """Wait until the process is gone and all it wrote has been read."""
        if self._process is not None:
            await self._process.wait()
        if self._reading is not None:
            await asyncio.wait({self._reading})

    async def _read(self, process: Process) -> None:
        if process.stdout is not None:
            async for raw in process.stdout:
                self._hear(raw.decode("utf-8", "replace").rstrip())
        await process.wait()
        asyncio.get_running_loop().call_soon(self._on_end)

    def _hear(self, text: str) -> None:
        line = understood(text)
        if '"event":"status"' not in text:
            self._last_words.append(text)
        if line is not None:
            self._on_line(line)

"""How the demo is stopped, from whatever side, so that nothing stays behind: first signal wins, the others wait."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")

_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl+C, a polite kill, a terminal that was closed, Ctrl+Break; each where the system has it."""
_SHELLS_OFFSET: Final = 128


class Interrupted(Exception):
    """Somebody wants the demo to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code: Final = _SHELLS_OFFSET + number


class _Signals:
    """Turns the first signal into the end of one task; later ones change nothing while it cleans up."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._task: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def heard(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = number
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._cancel)

    def watch(self) -> None:
        """Let a signal end the current task; one that came before does so now."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if self.first is not None:
            self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def run_until_signalled(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end, or to the end of its clean-up after a signal.

    Errors: Interrupted after a signal, and whatever the coroutine raises.
    """
    signals = _Signals()

    async def watched() -> T:
        signals.watch()
        return await work

    before = {number: signal.signal(number, signals.heard) for number in _available()}
    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise Interrupted(signals.first or signal.SIGINT) from None
    finally:
        # After a signal the process ends at once, and an impatient second one must not make it look like a crash.
        if signals.first is None:
            for number, handler in before.items():
                signal.signal(number, handler)


def _available() -> list[signal.Signals]:
    return [signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__]

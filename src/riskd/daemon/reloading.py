"""Watching the configuration while the daemon runs: a changed file is taken over as a whole, or not at all.

The file is looked at a few times a second. Watching it by events would see an editor's temporary files and miss what a
network drive does not report, and a limit that applies half a second later is early enough.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from riskd.config.errors import ConfigErrors
from riskd.daemon.configuration import Wanted

LOOK_EVERY_S: Final = 0.5

Marks = tuple[tuple[int, int, int] | None, ...]
"""For each file when it was changed, its size and its number; None where there is none."""


class Reloader:
    """Reads the configuration anew when one of its files changes, or when asked to.

    Shape: ``known`` are the marks of the files as they were when they were last read. ``read`` returns what they want
    and raises ConfigErrors, in a thread; ``use`` takes it over and ``refuse`` tells that nothing changes, both in the
    event loop.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        known: Marks,
        read: Callable[[], Wanted],
        use: Callable[[Wanted], None],
        refuse: Callable[[Sequence[str]], None],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Begin with ``run``."""
        self._files = tuple(files)
        self._read = read
        self._use = use
        self._refuse = refuse
        self._look_every_s = look_every_s
        self._known = known
        self._refused: list[str] = []
        self._asked = asyncio.Event()

    def now(self) -> None:
        """Read the configuration soon, whether it has changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Look, for ever."""
        seen = self._known
        while True:
            asked = await self._pause()
            found = await asyncio.to_thread(marks, self._files)
            # A file that still changes is being written: it is read when it has come to rest.
            if asked or (found != self._known and found == seen):
                self._known = found
                await self._reload(told=asked)
            seen = found

    async def _pause(self) -> bool:
        try:
            async with asyncio.timeout(self._look_every_s):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _reload(self, *, told: bool) -> None:
        try:
            wanted = await asyncio.to_thread(self._read)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the next one must be read
            lines = error.lines() if isinstance(error, ConfigErrors) else [_defect(error)]
            if told or lines != self._refused:
                self._refuse(lines)
            self._refused = lines
        else:
            self._refused = []
            self._use(wanted)


def _defect(error: Exception) -> str:
    # Its own words may repeat a secret of the file.
    return f"reading it failed ({type(error).__name__}); this is a defect of riskd"


def marks(files: Sequence[Path]) -> Marks:
    """Return what changes when a file does."""
    return tuple(_mark(file) for file in files)


def _mark(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def refusal(lines: Sequence[str]) -> str:
    """Say in one sentence that a configuration is not taken over, and why."""
    mistakes = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return f"the changed configuration has {mistakes} and nothing of it applies: {'; '.join(lines)}"

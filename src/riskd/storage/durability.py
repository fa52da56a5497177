"""What it takes for bytes to survive a power cut, on each operating system."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from errno import EINVAL
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import stamina

PRIVATE: Final = 0o600
"""Only the trader's own login may read what riskd keeps."""

BINARY: Final[int] = getattr(os, "O_BINARY", 0)
"""Windows would otherwise turn each line feed into two bytes."""

Now = Callable[[], datetime]
OnTrouble = Callable[[str], None]
"""Hears in one sentence what a thread of the storage could not do; called in that thread."""

sync_data: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)


def utc_now() -> datetime:
    """Return the machine's time, for the names of files that are set aside."""
    return datetime.now(UTC)


def ignore(_: str) -> None:
    """Hear of trouble and do nothing."""


def make_directory(directory: Path) -> None:
    """Create a directory that only its owner may enter."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable, where the system can (Windows does it by itself)."""
    if os.name == "nt":
        return
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != EINVAL:  # some network file systems cannot, and then there is nothing to wait for
            raise
    finally:
        os.close(fd)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet, and wait until the disk has it."""
    _write(path, content, os.O_EXCL)


def write_over(path: Path, content: bytes) -> None:
    """Write a file that may exist, and wait until the disk has it; not atomic."""
    _write(path, content, os.O_TRUNC)


def _write(path: Path, content: bytes, how: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | BINARY | how
    with os.fdopen(os.open(path, flags, PRIVATE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace(source: Path, target: Path) -> None:
    """Rename over what is there, in one step.

    Errors: OSError. Windows refuses while a virus scanner or an editor has the target open, so a refusal is tried again
    for two seconds.
    """
    for attempt in stamina.retry_context(on=PermissionError, attempts=None, timeout=2, wait_initial=0.01, wait_max=0.2):
        with attempt:
            source.replace(target)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place in one step, so that whoever reads it sees all of the old one or all of the new one.

    Errors: OSError.
    """
    half = path.with_name(f"{path.name}.tmp")
    write_over(half, content)
    replace(half, path)
    sync_directory(path.parent)


def aside(path: Path, why: str, now: datetime) -> Path:
    """Return a name beside a file that is not taken, with the reason and the date in it."""
    stem = f"{path.name}.{why}-{now:%Y%m%dT%H%M%SZ}"
    candidates = (path.with_name(stem if n == 0 else f"{stem}-{n}") for n in range(1000))
    return next(candidate for candidate in candidates if not candidate.exists())


class Syncer:
    """A thread that makes appended bytes durable right after they were written, many appends with one call."""

    def __init__(self, on_trouble: OnTrouble) -> None:
        """Start the thread."""
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._asked = False
        self._failing = False
        self._on_trouble = on_trouble
        self._thread = threading.Thread(target=self._run, name="riskd-sync", daemon=True)
        self._thread.start()

    def touch(self, fd: int) -> None:
        """Sync a file soon; costs nothing while a sync is already waiting."""
        if not self._asked:
            self._asked = True
            self._jobs.put(partial(self._sync, fd))

    def add_name(self, directory: Path) -> None:
        """Make a new name in a directory durable soon."""
        self._jobs.put(partial(sync_directory, directory))

    def retire(self, fd: int) -> None:
        """Sync a file a last time and close it."""
        self._jobs.put(partial(_sync_and_close, fd))

    def close(self) -> None:
        """Finish what was asked for and stop the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _sync(self, fd: int) -> None:
        # Cleared before the call: what is appended while the disk is busy asks again.
        self._asked = False
        sync_data(fd)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                self._tell(error)
            else:
                self._failing = False

    def _tell(self, error: OSError) -> None:
        """Report the first failure of a row: the disk fails at every line, and once is enough to hear it."""
        if not self._failing:
            self._on_trouble(f"the disk did not confirm the journal's last lines: {error.strerror}")
        self._failing = True


def _sync_and_close(fd: int) -> None:
    try:
        sync_data(fd)
    finally:
        os.close(fd)

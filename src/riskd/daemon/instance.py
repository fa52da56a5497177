"""One daemon per state directory: two would close the same position twice."""

import os
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import msgspec
from filelock import FileLock, Timeout

from riskd.storage.small_files import read_small

LOCK_FILE: Final = "riskd.lock"
HOLDER_FILE: Final = "riskd.running.json"


class Holder(msgspec.Struct, frozen=True):
    """Who runs on a state directory."""

    pid: int
    since: datetime


class AlreadyRunning(Exception):
    """Another daemon has the state directory; says which and what to do."""

    def __init__(self, directory: Path, holder: Holder | None) -> None:
        """Name the other one as far as it is known."""
        other = f"process {holder.pid}, since {holder.since:%Y-%m-%d %H:%M:%S} UTC" if holder else "another process"
        super().__init__(
            f"riskd already runs on the state directory {directory} ({other}). "
            f"Stop it first, or give this one a directory of its own."
        )
        self.holder = holder


class SingleInstance:
    """The claim on a state directory, from construction to ``release``.

    The operating system lets go of it when the process ends, however it ends; the file with the holder's name is only
    there to be read by people.
    """

    def __init__(self, directory: Path, *, now: datetime) -> None:
        """Claim the directory.

        Errors: AlreadyRunning; OSError when the directory cannot be written.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._holder_file = directory / HOLDER_FILE
        self._lock = FileLock(directory / LOCK_FILE, thread_local=False, fallback_to_soft=False)
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise AlreadyRunning(directory, read_small(self._holder_file, Holder)) from error
        self.abandoned = self._holder_file.exists()
        """Whether the one before did not release it: that process was killed, or the machine went down."""
        self._holder_file.write_bytes(msgspec.json.encode(Holder(pid=os.getpid(), since=now)))

    def release(self) -> None:
        """Let the next one in."""
        if self._lock.is_locked:
            self._holder_file.unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        """Hold the claim for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release it."""
        self.release()


def is_running(directory: Path) -> bool:
    """Tell whether a daemon has claimed a state directory; nothing is created where there is none."""
    file = directory / LOCK_FILE
    if not file.exists():
        return False
    lock = FileLock(file, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False

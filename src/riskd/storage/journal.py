"""The journal: the append-only record of every step, written before the step's commands are carried out.

One file per TradingDay, named by its date; a file is only ever followed by a later one, so a clock that was set back by
a restart goes on in the newest. An append is one plain write: it survives the end of the process at once. A thread
follows with fdatasync, so that a power cut takes the last moments at most; what such a cut tore is set aside when the
journal is opened, and said.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from typing import Final, NoReturn

from riskd.domain.calendar import day_end, trading_day
from riskd.ports import JournalEntry
from riskd.storage.durability import (
    BINARY,
    PRIVATE,
    Now,
    OnTrouble,
    Syncer,
    aside,
    ignore,
    make_directory,
    sync_directory,
    utc_now,
    write_new,
)
from riskd.storage.journal_lines import GENESIS, LineEncoder, journal_files, last_line, line_hash
from riskd.storage.journal_reading import ChainBreak, JournalBroken, Verification, read_journal, read_lockouts, verify

__all__ = [
    "ChainBreak",
    "FileJournal",
    "JournalBroken",
    "JournalUnwritable",
    "Verification",
    "read_journal",
    "read_lockouts",
    "verify",
]

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY


class JournalUnwritable(OSError):
    """The journal cannot be written; says which file, why, and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        """Wrap what the operating system said."""
        super().__init__(
            f"riskd cannot write its journal {path}: {error.strerror or error}. "
            f"Make room on that disk, or give riskd the right to write there."
        )
        self.errno = error.errno


class FileJournal:
    """The journal in a directory of its own; implements ``ports.Journal``.

    Shape: ``doubtful_tail`` says what was set aside at opening, None when the journal ended cleanly. ``last_seq`` and
    ``last_at`` are those of the last committed entry (0 and None for a new journal).
    """

    def __init__(
        self, directory: Path, *, now: Now = utc_now, on_trouble: OnTrouble = ignore, durable: bool = True
    ) -> None:
        """Open the journal for appending.

        Shape: ``durable`` False leaves it to the operating system when the bytes reach the disk.
        Errors: JournalUnwritable.
        """
        self.directory = directory
        self.doubtful_tail: str | None = None
        self.last_seq = 0
        self.last_at: datetime | None = None
        self._head = GENESIS
        self._unchained: bytearray | None = None
        self._encode = LineEncoder().encode
        self._path = directory
        self._fd = -1
        self._size = 0
        self._day_ends_at = _NEVER
        self._damaged = False
        try:
            make_directory(directory)
            self._resume(now)
        except OSError as error:
            raise JournalUnwritable(self._path, error) from error
        self._syncer = Syncer(on_trouble) if durable else None
        self._touch: Callable[[int], None] = self._syncer.touch if self._syncer else _leave

    @property
    def head(self) -> str:
        """Return the hash of the last line."""
        self._chain()
        return self._head

    def append(self, entry: JournalEntry) -> None:
        """Write one entry with one plain write.

        Errors: JournalUnwritable, and then nothing of the entry is in the journal; ValueError when it is out of order.
        """
        envelope = entry.envelope
        if envelope.seq <= self.last_seq:
            raise ValueError(f"the journal already holds entry {self.last_seq}, so {envelope.seq} cannot follow")
        if envelope.at >= self._day_ends_at:
            self._start_file(envelope.at)
        line = self._encode(entry, self.head)
        self._write(line)
        # The encoder's own buffer: it keeps the line until the next one, which needs the hash first.
        self._unchained = line
        self.last_seq = envelope.seq
        self.last_at = envelope.at

    def sync(self) -> None:
        """Let the thread make durable what was appended; returns at once."""
        if self._fd >= 0:
            self._touch(self._fd)
            self._chain()

    def _chain(self) -> None:
        if self._unchained is not None:
            self._head, self._unchained = line_hash(self._unchained), None

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        self._let_go(fd)
        if self._syncer:
            self._syncer.close()

    def _write(self, line: bytearray) -> None:
        try:
            if self._damaged:
                self._cut()
            written = os.write(self._fd, line)
            if written != len(line):
                self._undo_half(written)
        except OSError as error:
            raise JournalUnwritable(self._path, error) from error
        self._size += written

    def _undo_half(self, written: int) -> NoReturn:
        self._damaged = True
        self._cut()
        raise OSError(ENOSPC, f"the disk took only {written} bytes of a line, as it does when it is full")

    def _cut(self) -> None:
        """Take half a line away again, so that the next one does not grow onto it."""
        os.ftruncate(self._fd, self._size)
        self._damaged = False

    def _start_file(self, at: datetime) -> None:
        day, old = trading_day(at), self._fd
        try:
            self._open(self.directory / f"{day}.jsonl")
        except OSError as error:
            raise JournalUnwritable(self._path, error) from error
        self._day_ends_at = day_end(day)
        if self._syncer:
            self._syncer.add_name(self.directory)
        if old >= 0:
            self._let_go(old)

    def _let_go(self, fd: int) -> None:
        if self._syncer:
            self._syncer.retire(fd)
        else:
            os.close(fd)

    def _open(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, _FLAGS, PRIVATE)
        self._size = os.fstat(self._fd).st_size

    def _resume(self, now: Now) -> None:
        files = journal_files(self.directory)
        for path in reversed(files):
            self._path = path
            last = last_line(path)
            self._set_aside(path, last.end if last else 0, now)
            if last is not None:
                self._head = line_hash(last.line)
                self.last_seq, self.last_at = last.head.envelope.seq, last.head.envelope.at
                break
        if files:
            self._open(files[-1])
            self._day_ends_at = day_end(datetime.strptime(files[-1].stem, "%Y-%m-%d").replace(tzinfo=UTC).date())

    def _set_aside(self, path: Path, end: int, now: Now) -> None:
        size = path.stat().st_size
        if size == end:
            return
        with path.open("rb") as file:
            file.seek(end)
            torn = file.read()
        kept = aside(path, "torn", now())
        write_new(kept, torn)
        sync_directory(self.directory)
        os.truncate(path, end)
        found = (
            f"the journal {path.name} ended in {size - end} bytes that are no complete line, as after a power cut; "
            f"they are kept in {kept.name}"
        )
        self.doubtful_tail = f"{self.doubtful_tail}; {found}" if self.doubtful_tail else found


def _leave(_: int) -> None:
    """Leave it to the operating system when the bytes reach the disk."""

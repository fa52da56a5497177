"""Reads the journal back, and says where it is not what was written."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from riskd.domain.decoding import UNDECODABLE
from riskd.domain.events import DaemonStarted
from riskd.ports import JournalEntry
from riskd.storage.journal_lines import (
    GENESIS,
    VERSION,
    LineHead,
    journal_files,
    last_line,
    line_hash,
    read_entry,
    read_head,
)


class ChainBreak(msgspec.Struct, frozen=True):
    """A place where the journal is not what riskd wrote; lines count from 1."""

    file: Path
    line: int
    why: str

    def __str__(self) -> str:
        """Return it as a line that an editor can jump to."""
        return f"{self.file}:{self.line}: {self.why}"


class JournalBroken(Exception):
    """The journal cannot be trusted from this place on."""

    def __init__(self, place: ChainBreak) -> None:
        """Name the place."""
        super().__init__(str(place))
        self.place = place


class Verification(msgspec.Struct, frozen=True):
    """What a walk over the whole journal found; sound when there are no breaks."""

    files: int
    lines: int
    last_seq: int
    head: str
    breaks: tuple[ChainBreak, ...]


_LOCKING: Final = re.compile(rb'"type":"(?:lock|unlock)"')
_FILES_OF_LOCKOUTS: Final = 10
"""Two weeks of trading: no lockout that ends by itself lasts as long."""

_STARTING: Final = b'"type":"started"'

OnBreak = Callable[[ChainBreak], None]


class _Line(msgspec.Struct, frozen=True):
    file: Path
    number: int
    head: LineHead
    text: bytes
    hash: str


def read_journal(
    directory: Path, after_seq: int = 0, *, breaks: list[ChainBreak] | None = None
) -> Iterator[JournalEntry]:
    """Yield the entries after ``after_seq`` in their order, types restored exactly.

    Shape: a last line without its newline was never committed and is left out. Given a list, breaks are put there and
    reading goes on with the next line that can be read: a start must not miss a lockout because a line before it is
    damaged.
    Errors: JournalBroken at the first break when no list was given; OSError.
    """
    on_break = _refuse if breaks is None else breaks.append
    files = journal_files(directory)
    first = _file_of(files, after_seq)
    for line in _walk(files[first:], _hash_before(files, first), on_break):
        if line.head.envelope.seq <= after_seq:
            continue
        try:
            yield read_entry(line.text)
        except UNDECODABLE as error:
            on_break(ChainBreak(line.file, line.number, f"not an entry of this version of riskd: {error}"))


def read_lockouts(directory: Path) -> Iterator[JournalEntry]:
    """Yield the entries of the last two weeks that locked an account or freed one, in their order.

    Shape: only these are decoded, so that a start stays quick; a line that cannot be read is passed over, since
    ``read_journal`` and ``verify`` tell of it.
    Errors: OSError.
    """
    for path in journal_files(directory)[-_FILES_OF_LOCKOUTS:]:
        with path.open("rb") as file:
            for line in file:
                if _LOCKING.search(line) and line.endswith(b"\n"):
                    with suppress(*UNDECODABLE):
                        yield read_entry(line)


def last_broker(directory: Path) -> str:
    """Return the broker that the last start of riskd in the journal names, "" where none does.

    Errors: OSError.
    """
    for path in reversed(journal_files(directory) if directory.is_dir() else []):
        found = ""
        with path.open("rb") as file:
            for line in file:
                if _STARTING in line and line.endswith(b"\n"):
                    found = _broker_of(line) or found
        if found:
            return found
    return ""


def _broker_of(line: bytes) -> str:
    with suppress(*UNDECODABLE):
        event = read_entry(line).envelope.event
        return event.broker if isinstance(event, DaemonStarted) else ""
    return ""


def verify(directory: Path) -> Verification:
    """Check every line of the journal against the one before it.

    Errors: OSError when a file cannot be read.
    """
    files = journal_files(directory)
    breaks: list[ChainBreak] = []
    lines, last_seq, head = 0, 0, GENESIS
    for line in _walk(files, GENESIS, breaks.append):
        lines, last_seq, head = lines + 1, line.head.envelope.seq, line.hash
    return Verification(files=len(files), lines=lines, last_seq=last_seq, head=head, breaks=tuple(breaks))


def _refuse(place: ChainBreak) -> NoReturn:
    raise JournalBroken(place)


def _file_of(files: list[Path], after_seq: int) -> int:
    """Return the index of the newest file that starts at or before the first entry that is wanted."""
    for index in range(len(files) - 1, 0, -1):
        with files[index].open("rb") as file:
            head = read_head(file.readline())
        if head is not None and head.envelope.seq <= after_seq + 1:
            return index
    return 0


def _hash_before(files: list[Path], first: int) -> str:
    for path in reversed(files[:first]):
        last = last_line(path)
        if last is not None:
            return line_hash(last.line)
    return GENESIS


def _walk(files: list[Path], prev: str, on_break: OnBreak) -> Iterator[_Line]:
    """Yield every readable line; after a break the next readable line is taken as the start of a new chain."""
    expected: str | None = prev
    last_seq = 0
    for path in files:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                head = read_head(text)
                if head is None:
                    if not (path == files[-1] and not text.endswith(b"\n")):
                        on_break(ChainBreak(path, number, "this line cannot be read"))
                        expected = None
                    continue
                why = _objection(head, expected, last_seq)
                if why:
                    on_break(ChainBreak(path, number, why))
                line = _Line(path, number, head, text, line_hash(text))
                expected, last_seq = line.hash, head.envelope.seq
                yield line


def _objection(head: LineHead, expected: str | None, last_seq: int) -> str:
    if head.v > VERSION:
        return f"written by a newer riskd (journal version {head.v}, this one knows {VERSION})"
    if expected == GENESIS and head.prev != GENESIS:
        return "the journal does not start here: the files before this one are missing"
    if expected is not None and head.prev != expected:
        return (
            "does not carry the hash of the line before it: one of the two was changed, or lines between were removed"
        )
    if head.envelope.seq <= last_seq:
        return f"entry {head.envelope.seq} comes after entry {last_seq}"
    return ""

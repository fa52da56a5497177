"""The journal's text: one JSON object a line, each with the hash of the line before it.

    {"v":1,"prev":"<sha256 of the line before, newline included>","envelope":{...},"market":[...],"commands":[...]}

A line counts from its newline on: it is written with one call, and what follows from it is only done when that call has
returned. The chain runs on from one file to the next, so a line that was changed, removed or slipped in is found by
whoever has a later hash.
"""

import mmap
import re
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from riskd.domain.decoding import UNDECODABLE
from riskd.ports import JournalEntry

VERSION: Final = 1
GENESIS: Final = "0" * 64
"""What the very first line carries."""

_BEFORE_HASH: Final = b'{"v":%d,"prev":"' % VERSION
_HASH: Final = slice(len(_BEFORE_HASH), len(_BEFORE_HASH) + len(GENESIS))
_ENTRY: Final = _HASH.stop + 1
_COMMA: Final = ord(",")
_FILE_NAME: Final = re.compile(r"\d{4}-\d\d-\d\d\.jsonl")


class LineEncoder:
    """Encodes lines into one buffer that is used over and over."""

    def __init__(self) -> None:
        """Lay out the part of the line that never changes."""
        self._line = bytearray(_BEFORE_HASH + GENESIS.encode() + b'"')
        self._encode_into = msgspec.json.Encoder().encode_into

    def encode(self, entry: JournalEntry, prev: str) -> bytearray:
        """Return the line, newline included; it is good until the next call."""
        line = self._line
        line[_HASH] = prev.encode()
        self._encode_into(entry, line, _ENTRY)
        line[_ENTRY] = _COMMA  # the entry's own opening brace: its fields go on in ours
        line += b"\n"
        return line


class _EnvelopeHead(msgspec.Struct, frozen=True):
    seq: int
    at: datetime


class LineHead(msgspec.Struct, frozen=True):
    """What every version of the journal has in a line, whatever else its entries hold."""

    v: int
    prev: str
    envelope: _EnvelopeHead


_HEAD: Final = msgspec.json.Decoder(LineHead)
_DECODER: Final = msgspec.json.Decoder(JournalEntry)


def line_hash(line: bytes | bytearray) -> str:
    """Return what the next line must carry."""
    return sha256(line).hexdigest()


def read_head(line: bytes) -> LineHead | None:
    """Return the head of a complete line, None for anything else."""
    if not line.endswith(b"\n"):
        return None
    try:
        return _HEAD.decode(line)
    except UNDECODABLE:
        return None


def read_entry(line: bytes) -> JournalEntry:
    """Return the entry of a line with every type restored.

    Errors: those of UNDECODABLE when it is none of this version's.
    """
    return _DECODER.decode(line)


def journal_files(directory: Path) -> list[Path]:
    """Return the journal's files, oldest first."""
    return sorted(path for path in directory.glob("*.jsonl") if _FILE_NAME.fullmatch(path.name))


class LastLine(msgspec.Struct, frozen=True):
    """The last line of a file that can be read, and where it ends (in bytes)."""

    line: bytes
    head: LineHead
    end: int


def last_line(path: Path) -> LastLine | None:
    """Return the last complete line, found from the end so that the cost does not grow with the file."""
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
            while end:
                start = content.rfind(b"\n", 0, end - 1) + 1
                line = content[start:end]
                head = read_head(line)
                if head is not None:
                    return LastLine(line, head, end)
                end = start
    return None

"""The text of one account's state file, and its name.

Human-readable, one file per account. The checksum covers what the file says, not how it is laid out, so a bit that
flipped on the disk or a figure edited by hand is found, and the copy before it is used instead.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from riskd.domain.account import AccountState
from riskd.domain.decoding import UNDECODABLE

VERSION: Final = 1

State = dict[str, object]
Migration = Callable[[State], State]
MIGRATIONS: Final[Mapping[int, Migration]] = {}
"""From version → what turns its state into the next version's."""


class SavedState(msgspec.Struct, frozen=True):
    """An account as it was written.

    Shape: ``seq`` is the last envelope that is in the state, ``journal_head`` the hash of the journal's last line then.
    """

    state: AccountState
    seq: int
    saved_at: datetime
    journal_head: str


class Unreadable(Exception):
    """A state file is not what riskd wrote; says why."""


class _File(msgspec.Struct):
    version: int
    account: str
    seq: int
    saved_at: datetime
    journal_head: str
    checksum: str
    state: msgspec.Raw


_ENCODER: Final = msgspec.json.Encoder()
_FILE: Final = msgspec.json.Decoder(_File)
_STATE: Final = msgspec.json.Decoder(AccountState)
_OLDER: Final = msgspec.json.Decoder(State)

_PLAIN: Final = re.compile(r"[A-Z0-9_-]{1,64}")
_RESERVED: Final = re.compile(r"CON|PRN|AUX|NUL|(COM|LPT)[0-9]")
_UNSAFE: Final = re.compile(r"[^a-z0-9_-]+")


def file_stem(account: str) -> str:
    """Return a file name for an account id, the same on every file system.

    Shape: an id of digits, capitals, ``_`` and ``-`` is its own name; any other gets a readable form and a part of its
    hash, since some file systems do not tell ``a1`` from ``A1``.
    """
    if _PLAIN.fullmatch(account) and not _RESERVED.fullmatch(account):
        return account
    readable = _UNSAFE.sub("_", account.lower())[:40]
    return f"{readable}+{sha256(account.encode()).hexdigest()[:12]}"


def encode(saved: SavedState) -> bytes:
    """Return the text of a state file."""
    # Mappings keep the order in which they grew; a set has none, so it is given one for whoever compares two files.
    compact = _ENCODER.encode(msgspec.structs.replace(saved.state, earlier=sorted(saved.state.earlier)))
    account = saved.state.account
    file = _File(
        version=VERSION,
        account=account,
        seq=saved.seq,
        saved_at=saved.saved_at,
        journal_head=saved.journal_head,
        checksum=_checksum(VERSION, account, saved.seq, saved.journal_head, compact),
        state=msgspec.Raw(compact),
    )
    return msgspec.json.format(_ENCODER.encode(file), indent=2) + b"\n"


def decode(text: bytes, migrations: Mapping[int, Migration] = MIGRATIONS) -> SavedState:
    """Return what a state file holds, brought up to this version.

    Errors: Unreadable.
    """
    try:
        return _decode(text, migrations)
    except UNDECODABLE as error:
        raise Unreadable(f"it is not a state file of riskd: {error}") from error


def _decode(text: bytes, migrations: Mapping[int, Migration]) -> SavedState:
    file = _FILE.decode(text)
    if file.version > VERSION:
        raise Unreadable(f"a newer riskd wrote it (version {file.version}, this one knows {VERSION})")
    compact = msgspec.json.format(bytes(file.state), indent=-1)
    if file.checksum != _checksum(file.version, file.account, file.seq, file.journal_head, compact):
        raise Unreadable("it was changed by something other than riskd, or the disk damaged it")
    state = _STATE.decode(_up_to_date(compact, file.version, migrations))
    if state.account != file.account:
        raise Unreadable(f"it names account {file.account} outside and {state.account} inside")
    return SavedState(state=state, seq=file.seq, saved_at=file.saved_at, journal_head=file.journal_head)


def _up_to_date(compact: bytes, version: int, migrations: Mapping[int, Migration]) -> bytes:
    if version == VERSION:
        return compact
    state = _OLDER.decode(compact)
    for step in range(version, VERSION):
        migrate = migrations.get(step)
        if migrate is None:
            raise Unreadable(f"version {step} is too old for this riskd")
        state = migrate(state)
    return _ENCODER.encode(state)


def _checksum(version: int, account: str, seq: int, journal_head: str, compact: bytes) -> str:
    head = msgspec.json.encode([version, account, seq, journal_head])
    return sha256(head + compact).hexdigest()

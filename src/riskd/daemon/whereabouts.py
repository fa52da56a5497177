"""Where riskd last wrote what it knows of each account, noted outside of that directory.

A state directory that was emptied, swapped for another one or put back from an old copy knows nothing of a lockout. So
each has an identity, and a note beside the configuration (for a real broker also among the user's settings) says by
account which directory riskd enforced it from, and how far its journal had come. A directory that was moved as a whole
takes its identity with it and is welcome.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
from structlog.typing import FilteringBoundLogger

from riskd.daemon.belonging import LOOPBACK
from riskd.domain.account import AccountState
from riskd.domain.commands import LockAccount, StartCooldown
from riskd.domain.events import AccountArmed, Envelope, RulesProposed
from riskd.engine.step import Step
from riskd.storage.durability import make_directory, write_whole
from riskd.storage.journal_lines import journal_files, last_line
from riskd.storage.small_files import read_small

IDENTITY: Final = "identity.json"
_JOURNAL: Final = "journal"


class Identity(msgspec.Struct, frozen=True):
    """What tells one state directory from another, wherever it stands."""

    id: str


class Last(msgspec.Struct, frozen=True):
    """Where an account was last enforced from; ``seq`` is the last entry of the journal that was known then."""

    directory: str
    identity: str
    seq: int
    noted_at: datetime


class Note(msgspec.Struct, frozen=True):
    """What stands in a note, by account."""

    accounts: Mapping[str, Last] = {}


class StillThere(Exception):
    """What riskd last wrote of an account is in another directory; says which and what to do."""

    def __init__(self, account: str, last: Path, here: Path) -> None:
        """Name both."""
        super().__init__(
            f"account {account} was last protected from the state directory {last}, which is still there; what was "
            f"written in it is not in {here}. Start riskd with --state-dir or paths.state on the old one; to move it, "
            "stop riskd and move the whole directory."
        )


class Whereabouts:
    """The notes about one state directory and one login.

    Shape: an account is looked for in the notes of every login at its broker, since its id is the broker's and a login
    can be written in more than one way.
    """

    def __init__(self, state_dir: Path, folders: Sequence[Path], *, rest_url: str, login: str) -> None:
        """Look at the directory, and give it an identity where it has none; the notes are in the folders.

        Errors: OSError when it cannot be written.
        """
        self._directory = state_dir.absolute()
        self._folders = tuple(folders)
        self._broker = _short_hash(broker_at(rest_url))
        # Each login has a note of its own, so that two daemons do not write over each other's.
        name = f".riskd-{self._broker}-{_short_hash(login.strip().casefold())}.json"
        self._notes = tuple(folder / name for folder in folders)
        self._identity = _identity(state_dir) or _new_identity(state_dir)

    @property
    def known(self) -> frozenset[str]:
        """Return the accounts that this login has enforced, from whatever directory."""
        return frozenset(account for note in self._notes for account in _read(note).accounts)

    def lost(self, accounts: Iterable[str]) -> Mapping[str, str]:
        """Return the accounts of which what was last written is not here, and where it was.

        Errors: StillThere where it is in another directory.
        """
        seq, found = last_seq(self._directory), {}
        for account in accounts:
            last = self._last(account)
            if last is None or (last.identity == self._identity and seq >= last.seq):
                continue
            if last.identity != self._identity and _identity(Path(last.directory)) == last.identity:
                raise StillThere(account, Path(last.directory), self._directory)
            found[account] = last.directory
        return found

    def write(self, enforced: Mapping[str, bool], seq: int) -> None:
        """Note the accounts that are enforced from here, and forget those that no longer are.

        Errors: OSError where a note cannot be written; the others are.
        """
        errors = [error for note in self._notes if (error := self._write(note, enforced, seq)) is not None]
        if errors:
            raise errors[0]

    def _last(self, account: str) -> Last | None:
        notes = (note for folder in self._folders for note in folder.glob(f".riskd-{self._broker}-*.json"))
        found = [_read(note).accounts.get(account) for note in notes]
        return max((last for last in found if last is not None), key=lambda last: last.noted_at, default=None)

    def _write(self, note: Path, enforced: Mapping[str, bool], seq: int) -> OSError | None:
        accounts = dict(_read(note).accounts)
        here = Last(str(self._directory), self._identity, seq, datetime.now(UTC))
        for account, is_enforced in enforced.items():
            last = accounts.get(account)
            if is_enforced:
                accounts[account] = here
            elif last is not None and last.identity == self._identity:
                del accounts[account]
        try:
            _save(note, Note(accounts))
        except OSError as error:
            return error
        return None


class Noting:
    """Keeps the notes up to date: when riskd is up, whenever something must not be forgotten, and at the end."""

    def __init__(
        self, whereabouts: Whereabouts, states: Mapping[str, AccountState], state_dir: Path, log: FilteringBoundLogger
    ) -> None:
        """Note these accounts; ``heard`` must be called after every step."""
        self._whereabouts = whereabouts
        self._states = states
        self._state_dir = state_dir
        self._log = log
        self._wanted = asyncio.Event()
        self._seq = 0

    def heard(self, envelope: Envelope, step: Step) -> None:
        """Take note of a step that set something in force."""
        limits = any(isinstance(command, LockAccount | StartCooldown) for command in step.commands)
        if limits or isinstance(envelope.event, AccountArmed | RulesProposed):
            self._seq = envelope.seq
            self._wanted.set()

    async def run(self, ready: asyncio.Event) -> None:
        """Write, in a thread, whenever there is something to write."""
        await ready.wait()
        self._note_what_is_written()
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.to_thread(self._write, self._enforced, self._seq)

    def end(self) -> None:
        """Write down how far the journal has come, when all of it is written."""
        self._note_what_is_written()
        self._write(self._enforced, self._seq)

    def _note_what_is_written(self) -> None:
        # A journal that cannot be read is told of by whoever writes it.
        with suppress(OSError):
            self._seq = max(self._seq, last_seq(self._state_dir))

    @property
    def _enforced(self) -> Mapping[str, bool]:
        return {account: state.armed and not state.shadow for account, state in self._states.items()}

    def _write(self, enforced: Mapping[str, bool], seq: int) -> None:
        try:
            self._whereabouts.write(enforced, seq)
        except OSError as error:
            text = f"where the state is cannot be noted ({error}): if it is moved or deleted, riskd will not notice"
            self._log.error("storage", text=text)


def last_seq(state_dir: Path) -> int:
    """Return the number of the last entry of the journal in a state directory, 0 where there is none.

    Errors: OSError when it cannot be read.
    """
    folder = state_dir / _JOURNAL
    lasts = (last_line(file) for file in reversed(journal_files(folder))) if folder.is_dir() else iter(())
    return next((last.head.envelope.seq for last in lasts if last is not None), 0)


def broker_at(rest_url: str) -> str:
    """Return what an address says of which broker it is, however it is written: on this machine the port as well."""
    parts = urlsplit(rest_url)
    host = (parts.hostname or "").rstrip(".")
    return parts.netloc if host in LOOPBACK else host


def _short_hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _identity(state_dir: Path) -> str:
    found = read_small(state_dir / IDENTITY, Identity)
    return found.id if found else ""


def _new_identity(state_dir: Path) -> str:
    made = Identity(uuid4().hex)
    _save(state_dir / IDENTITY, made)
    return made.id


def _read(note: Path) -> Note:
    return read_small(note, Note) or Note()


def _save(path: Path, what: msgspec.Struct) -> None:
    make_directory(path.parent)
    write_whole(path, msgspec.json.format(msgspec.json.encode(what), indent=2) + b"\n")

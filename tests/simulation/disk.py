"""What riskd has written: it outlives every crash. In memory for speed, in real files for a share of the seeds."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from riskd.domain.account import AccountState
from riskd.ports import Journal, JournalEntry, StateStore
from riskd.storage.journal import FileJournal, read_journal
from riskd.storage.state_files import SavedState, decode, encode, file_stem
from riskd.storage.state_store import JsonStateStore
from tests.simulation.schedule import Schedule, ms

WRITTEN_AFTER = ms(30)
"""How long the writer thread takes for a state file; a crash before that loses it."""


class Disk(Protocol):
    """Where journal and state lie while no process has them open."""

    def open(self) -> tuple[Journal, StateStore]:
        """Let a new process open the files."""
        ...

    def last(self) -> tuple[int, datetime | None]:
        """Return seq and time of the journal's last line."""
        ...

    def tail(self, after_seq: int) -> Iterable[JournalEntry]:
        """Read the journal after a place."""
        ...

    def crash(self) -> None:
        """Lose what had not been written yet."""
        ...

    def damage(self, account: str) -> None:
        """Spoil an account's state file."""
        ...

    def problems(self) -> list[str]:
        """Return what could not be read when the files were last opened."""
        ...


class _Written(msgspec.Struct, frozen=True):
    state: AccountState
    seq: int
    at: datetime


class MemoryDisk:
    """The files as text in memory: the same bytes, written with the same delay."""

    def __init__(self, schedule: Schedule) -> None:
        self.lines: list[bytes] = []
        self._seqs: list[int] = []
        self._last_at: datetime | None = None
        self._schedule = schedule
        self._encode = msgspec.json.Encoder().encode
        self._decoder = msgspec.json.Decoder(JournalEntry)
        self._states: dict[str, list[_Written]] = {}
        self._damaged: set[str] = set()
        self._problems: list[str] = []
        self._head = ""

    # --- as the process sees them ------------------------------------------------------------------------------

    def open(self) -> tuple[Journal, StateStore]:
        """Let a new process open the files."""
        self._problems = []
        return self, self

    def append(self, entry: JournalEntry) -> None:
        """Write one line."""
        self.lines.append(self._encode(entry))
        self._seqs.append(entry.envelope.seq)
        self._last_at = entry.envelope.at

    def sync(self) -> None:
        """Do nothing: memory is as durable as it gets."""

    @property
    def head(self) -> str:
        """Return no hash: the chain is not what is tried here."""
        return self._head

    def save(self, state: AccountState, seq: int) -> None:
        """Write a state soon."""
        kept = self._states.setdefault(state.account, [])
        kept.append(_Written(state, seq, self._schedule.now + WRITTEN_AFTER))
        if len(kept) > 8:
            del kept[:-4]

    def load(self) -> Mapping[str, tuple[AccountState, int]]:
        """Return the newest state of each account that can be read."""
        found: dict[str, tuple[AccountState, int]] = {}
        for account, kept in self._states.items():
            usable = kept[:-1] if account in self._damaged else kept
            if account in self._damaged:
                self._problems.append(f"the state of {account} is damaged")
            if usable:
                found[account] = (_reread(usable[-1], self._schedule.now), usable[-1].seq)
        self._damaged.clear()
        return found

    def close(self) -> None:
        """Do nothing: there are no handles."""

    # --- as the world sees them --------------------------------------------------------------------------------

    def last(self) -> tuple[int, datetime | None]:
        """Return seq and time of the last line."""
        return (self._seqs[-1] if self._seqs else 0), self._last_at

    def tail(self, after_seq: int) -> Iterable[JournalEntry]:
        """Read the journal after a place."""
        start = len(self._seqs)
        while start and self._seqs[start - 1] > after_seq:
            start -= 1
        return [self._decoder.decode(line) for line in self.lines[start:]]

    def crash(self) -> None:
        """Lose the states that the writer had not come to."""
        now = self._schedule.now
        self._states = {account: [w for w in kept if w.at <= now] for account, kept in self._states.items()}

    def damage(self, account: str) -> None:
        """Spoil the newest state of an account."""
        self._damaged.add(account)

    def problems(self) -> list[str]:
        """Return what could not be read."""
        return self._problems


def _reread(written: _Written, now: datetime) -> AccountState:
    return decode(encode(SavedState(written.state, written.seq, now, ""))).state


class FileDisk:
    """Real files in a directory, through the real journal and the real store."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._journal: FileJournal | None = None
        self._store: JsonStateStore | None = None
        self._at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")

    def _now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at

    def open(self) -> tuple[Journal, StateStore]:
        """Let a new process open the files."""
        self._journal = FileJournal(self._directory / "journal", now=self._now, durable=False)
        self._store = JsonStateStore(self._directory, now=self._now)
        return self._journal, self._store

    def last(self) -> tuple[int, datetime | None]:
        """Return seq and time of the last line."""
        return (self._journal.last_seq, self._journal.last_at) if self._journal else (0, None)

    def tail(self, after_seq: int) -> Iterable[JournalEntry]:
        """Read the journal after a place."""
        return read_journal(self._directory / "journal", after_seq=after_seq)

    def crash(self) -> None:
        """Let go of the files; the store's thread has always just written what it was handed."""
        if self._journal is not None and self._store is not None:
            self._store.close()
            self._journal.close()

    def damage(self, account: str) -> None:
        """Cut an account's state file in half."""
        path = self._directory / "accounts" / f"{file_stem(account)}.json"
        if path.exists():
            text = path.read_bytes()
            path.write_bytes(text[: len(text) // 2])

    def problems(self) -> list[str]:
        """Return what could not be read."""
        return self._store.problems if self._store else []

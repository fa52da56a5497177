"""One state file per account, written by a thread of its own, never half.

A file is written beside the old one, made durable and renamed over it; the old one stays as ``.previous.json``. A file
that cannot be read is set aside with its date, and the copy before it is used: the journal brings it up to date.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from riskd.domain.account import AccountState
from riskd.storage.durability import (
    Now,
    OnTrouble,
    aside,
    ignore,
    make_directory,
    replace,
    sync_directory,
    utc_now,
    write_over,
)
from riskd.storage.state_files import SavedState, Unreadable, decode, encode, file_stem

RETRY_S: Final = 1.0
_FOLDER: Final = "accounts"
_CURRENT: Final = ".json"
_PREVIOUS: Final = ".previous.json"
_HALF: Final = ".json.tmp"


class StateUnwritable(OSError):
    """The state directory cannot be used; says which, why, and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        """Wrap what the operating system said."""
        super().__init__(
            f"riskd cannot use its state directory {path}: {error.strerror or error}. "
            f"Give riskd the right to read and write there, or choose another directory."
        )
        self.errno = error.errno


class _Waiting(msgspec.Struct, frozen=True):
    state: AccountState
    seq: int
    journal_head: str


class JsonStateStore:
    """The state files below ``directory/accounts``; implements ``ports.StateStore``.

    Shape: ``problems`` holds one sentence for each file that ``load`` could not use.
    """

    def __init__(
        self,
        directory: Path,
        *,
        now: Now = utc_now,
        journal_head: Callable[[], str] = str,
        on_trouble: OnTrouble = ignore,
    ) -> None:
        """Start the writer thread.

        Errors: StateUnwritable.
        """
        self.directory = directory / _FOLDER
        self.problems: list[str] = []
        self._now = now
        self._journal_head = journal_head
        self._on_trouble = on_trouble
        self._waiting: dict[str, _Waiting] = {}
        self._wake = threading.Condition()
        self._closing = False
        self._failing: set[str] = set()
        try:
            make_directory(self.directory)
        except OSError as error:
            raise StateUnwritable(self.directory, error) from error
        self._thread = threading.Thread(target=self._run, name="riskd-state", daemon=True)
        self._thread.start()

    def save(self, state: AccountState, seq: int) -> None:
        """Hand over a snapshot and return at once; of one account only the newest that waits is written."""
        with self._wake:
            self._waiting[state.account] = _Waiting(state, seq, self._journal_head())
            self._wake.notify()

    def load(self) -> Mapping[str, tuple[AccountState, int]]:
        """Return every account on disk with the seq it stands at.

        Shape: an account of which no copy can be read is missing, and ``problems`` says so.
        Errors: StateUnwritable when a damaged file cannot even be set aside.
        """
        try:
            stems = sorted({_stem(path) for path in self.directory.glob("*.json")})
            found = [saved for stem in stems if (saved := self._load_one(stem)) is not None]
        except OSError as error:
            raise StateUnwritable(self.directory, error) from error
        return {saved.state.account: (saved.state, saved.seq) for saved in found}

    def close(self) -> None:
        """Write what waits and stop the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _load_one(self, stem: str) -> SavedState | None:
        current, previous = self.directory / f"{stem}{_CURRENT}", self.directory / f"{stem}{_PREVIOUS}"
        saved = self._read(current)
        if saved is not None:
            return saved
        saved = self._read(previous)
        if saved is None:
            self.problems.append(f"no copy of {current} can be read: riskd rebuilds the account from the journal")
        else:
            self.problems.append(
                f"riskd goes on from the copy before it, {previous}, which stands at entry {saved.seq}"
            )
        return saved

    def _read(self, path: Path) -> SavedState | None:
        try:
            return _decode_named(path)
        except FileNotFoundError:
            self.problems.append(f"the state file {path} is missing")
        except Unreadable as why:
            kept = aside(path, "unreadable", self._now())
            replace(path, kept)
            self.problems.append(f"the state file {path} cannot be used, {why}; it is kept as {kept.name}")
        return None

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closing)
                batch, self._waiting = self._waiting, {}
                closing = self._closing
            failed = {account: waiting for account, waiting in batch.items() if not self._written(waiting)}
            if closing and not self._waiting:
                return
            if failed:
                self._try_later(failed)

    def _written(self, waiting: _Waiting) -> bool:
        try:
            self._write(waiting, self._now())
        except OSError as error:
            self._tell(waiting.state.account, error)
            return False
        self._failing.discard(waiting.state.account)
        return True

    def _tell(self, account: str, error: OSError) -> None:
        """Report the first failure of a row; it is tried every second."""
        if account not in self._failing:
            self._on_trouble(
                f"the state of account {account} could not be written to {self.directory}: "
                f"{error.strerror or error}; riskd tries again, and the journal has it meanwhile"
            )
        self._failing.add(account)

    def _try_later(self, failed: Mapping[str, _Waiting]) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._closing, timeout=RETRY_S)
            self._waiting = {**failed, **self._waiting}

    def _write(self, waiting: _Waiting, now: datetime) -> None:
        saved = SavedState(waiting.state, waiting.seq, now, waiting.journal_head)
        stem = file_stem(waiting.state.account)
        current, half = self.directory / f"{stem}{_CURRENT}", self.directory / f"{stem}{_HALF}"
        write_over(half, encode(saved))
        if current.exists():
            replace(current, self.directory / f"{stem}{_PREVIOUS}")
        replace(half, current)
        sync_directory(self.directory)


def _decode_named(path: Path) -> SavedState:
    saved = decode(path.read_bytes())
    if file_stem(saved.state.account) != _stem(path):
        raise Unreadable(f"it is the state of account {saved.state.account}")
    return saved


def _stem(path: Path) -> str:
    return path.name.removesuffix(_CURRENT).removesuffix(_PREVIOUS.removesuffix(_CURRENT))

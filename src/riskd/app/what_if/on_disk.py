"""The accounts as the daemon has written them down, read without disturbing it: state files and the journal after.

Nothing is written, repaired or set aside: a daemon may be running on the same files.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from riskd.domain.events import AccountEvent, ClockTicked, Envelope, InstrumentReported, QuoteReported
from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.registry import compile_rulebook
from riskd.storage.journal_lines import journal_files, read_head
from riskd.storage.journal_reading import ChainBreak, read_journal
from riskd.storage.state_files import SavedState, Unreadable, decode


class NothingWritten(Exception):
    """There is no state to answer from; says where it was looked for."""


class Known(msgspec.Struct, frozen=True):
    """A core that knows one account, brought forward to ``at``; the daemon last wrote at ``written_at``."""

    core: Core
    at: datetime
    written_at: datetime


class _Written(msgspec.Struct, frozen=True):
    files: Mapping[str, SavedState]
    entries: tuple[JournalEntry, ...]

    @property
    def accounts(self) -> list[str]:
        events = (entry.envelope.event for entry in self.entries)
        return sorted({*self.files, *(event.account for event in events if isinstance(event, AccountEvent))})

    @property
    def last_seq(self) -> int:
        return max([file.seq for file in self.files.values()] + [e.envelope.seq for e in self.entries[-1:]])

    @property
    def last_at(self) -> datetime:
        """Return riskd's time when it last wrote; a file is stamped by the wall clock, so it counts only by itself."""
        stamps = [e.envelope.at for e in self.entries[-1:]] or [file.saved_at for file in self.files.values()]
        return max(stamps)


def known_accounts(state_dir: Path, now: datetime) -> Mapping[str, Known]:
    """Return every account with rules as riskd would have it now, if nothing has happened since it last wrote.

    Errors: NothingWritten where no account has rules; OSError.
    """
    written = _read(state_dir)
    found: dict[str, Known] = {}
    for account in written.accounts:
        core, at = _core(account, written), max(now, written.last_at)
        core.step(Envelope(seq=written.last_seq + 1, at=at, event=ClockTicked()))
        if account in core.rulebooks:
            found[account] = Known(core, at, written.last_at)
    if not found:
        raise NothingWritten(f"{state_dir}: riskd has written nothing here about an account with rules")
    return found


def _read(state_dir: Path) -> _Written:
    files = _files(state_dir / "accounts")
    return _Written(files, _entries(state_dir / "journal", [file.seq for file in files.values()]))


def _files(folder: Path) -> Mapping[str, SavedState]:
    found: dict[str, SavedState] = {}
    # The copy before counts where the file itself cannot be read, or is being replaced at this moment.
    for path in sorted(folder.glob("*.json")):
        with suppress(Unreadable, FileNotFoundError):
            file = decode(path.read_bytes())
            known = found.get(file.state.account)
            if known is None or known.seq <= file.seq:
                found[file.state.account] = file
    return found


def _entries(folder: Path, seqs: Iterable[int]) -> tuple[JournalEntry, ...]:
    """Return today's entries, and what came after the oldest state file: enough for every price of today."""
    files = journal_files(folder) if folder.is_dir() else []
    if not files:
        return ()
    with files[-1].open("rb") as file:
        head = read_head(file.readline())
    first = head.envelope.seq - 1 if head is not None else 0
    breaks: list[ChainBreak] = []
    return tuple(read_journal(folder, min([first, *seqs]), breaks=breaks))


def _core(account: str, written: _Written) -> Core:
    core, seq = Core(compile_rulebook), 0
    if account in written.files:
        seq = written.files[account].seq
        core.restore({account: written.files[account].state})
    for entry in written.entries:
        event = entry.envelope.event
        foreign = isinstance(event, AccountEvent) and event.account != account
        core.state_manager.market.update({row.contract: row for row in entry.market})
        if entry.envelope.seq > seq and not foreign:
            core.step(entry.envelope)
        else:
            _learn(core, entry)
    return core


def _learn(core: Core, entry: JournalEntry) -> None:
    """Take prices and contracts from an entry that the account already knows, or that is about another one."""
    manager, event = core.state_manager, entry.envelope.event
    if isinstance(event, InstrumentReported):
        manager.book_instrument(event)
    elif isinstance(event, QuoteReported):
        for row in manager.quote_rows(event, entry.envelope.at):
            manager.market[event.contract] = row

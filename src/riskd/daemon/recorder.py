"""What a step leaves behind: its journal line before anything is sent, and the accounts' files soon after."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from riskd.domain.account import AccountState
from riskd.domain.events import Envelope, QuoteReported
from riskd.engine.step import Step
from riskd.ports import Journal, JournalEntry, StateStore
from riskd.storage.snapshot_timing import SnapshotTiming

_CHECK_EVERY_S: Final = 0.25


class Recorder:
    """Write journal and state for the steps of one core.

    Shape: a journal that cannot be written is reported through ``on_trouble`` once until it works again; what a step
    commands is carried out all the same, since a close that is not sent harms the trader and a lost line does not.
    """

    def __init__(
        self,
        journal: Journal,
        store: StateStore,
        accounts: Mapping[str, AccountState],
        *,
        to_write: Callable[[str], AccountState],
        on_trouble: Callable[[str], None],
    ) -> None:
        """Record the accounts in ``accounts``, which stays up to date by itself; ``to_write`` says what of each."""
        self._journal = journal
        self._store = store
        self._accounts = accounts
        self._saved: dict[str, AccountState] = dict(accounts)
        self._timing = SnapshotTiming()
        self._to_write = to_write
        self._on_trouble = on_trouble
        self._failing = False
        self._seq = 0

    def commit(self, envelope: Envelope, step: Step) -> None:
        """Write the journal line of a step; a quote that moved nobody's rules is left out."""
        self._seq = envelope.seq
        if isinstance(envelope.event, QuoteReported) and not step.evaluated:
            return
        try:
            self._journal.append(JournalEntry(envelope=envelope, market=step.market, commands=step.commands))
        except OSError as error:
            if not self._failing:
                self._on_trouble(f"the journal cannot be written: {error}; enforcement goes on without a record")
            self._failing = True
        else:
            self._failing = False

    def note(self, changed: Iterable[str]) -> None:
        """Let the journal line become durable, and save the accounts that a step changed and that cannot wait.

        Shape: to be called when the step's commands are carried out: it wakes threads, which would come between.
        """
        self._journal.sync()
        now = asyncio.get_running_loop().time()
        for account in changed:
            state = self._accounts[account]
            if self._timing.changed(self._saved.get(account), state, now):
                self._save(account)

    def _save(self, account: str) -> None:
        state = self._accounts[account]
        self._saved[account] = state
        self._store.save(self._to_write(account), self._seq)

    async def run(self) -> None:
        """Save what has waited long enough, until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_EVERY_S)
            for account in self._timing.due(asyncio.get_running_loop().time()):
                self._save(account)

    def close(self) -> None:
        """Save every account as it is and let go of the files."""
        for account in sorted(self._accounts):
            self._save(account)
        self._store.close()
        self._journal.close()

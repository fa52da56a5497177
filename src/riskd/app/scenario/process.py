"""riskd's process without its shell: the core, the order of its events, and what it has written to disk so far."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from riskd.app.scenario.world import CannotHappen
from riskd.domain.account import AccountState
from riskd.domain.events import AnyEvent, DaemonStarted, Envelope, QuoteReported
from riskd.engine.core import Core, Step
from riskd.ports import JournalEntry
from riskd.rules.contract import Compile
from riskd.storage.journal_lines import GENESIS, LineEncoder, read_entry
from riskd.storage.state_files import SavedState, decode, encode

OnStep = Callable[[int, Step], None]


class Process:
    """One riskd that can die and start again.

    Shape: every event goes through ``publish``; ``on_step`` hears what came of it, with the event's number.
    """

    def __init__(self, compile_rules: Compile, on_step: OnStep) -> None:
        """Start with nothing on disk."""
        self._compile: Final = compile_rules
        self._on_step: Final = on_step
        self._encoder: Final = LineEncoder()
        self._lines: list[bytes] = []
        self.core = Core(compile_rules)
        self.seq = 0

    def publish(self, event: AnyEvent, *, at: datetime, broker_at: datetime | None = None) -> None:
        """Process one event, write its line, then let ``on_step`` see what it led to."""
        self.seq += 1
        envelope = Envelope(seq=self.seq, at=at, event=event, broker_at=broker_at)
        step = self.core.step(envelope)
        if step.evaluated or not isinstance(event, QuoteReported):
            entry = JournalEntry(envelope=envelope, market=step.market, commands=step.commands)
            self._lines.append(bytes(self._encoder.encode(entry, GENESIS)))
        self._on_step(self.seq, step)

    def crash(self, at: datetime) -> None:
        """Lose everything but what was written, and start again from it.

        Errors: CannotHappen when the journal does not lead to the state that was saved beside it.
        """
        saved = {name: self._saved(state, at) for name, state in self.core.state_manager.accounts.items()}
        self._assert_journal_leads_to(saved)
        self.core = Core(self._compile)
        self.core.restore(saved)
        self.publish(DaemonStarted(), at=at)

    def _saved(self, state: AccountState, at: datetime) -> AccountState:
        """Write a state file and read it again."""
        return decode(encode(SavedState(state=state, seq=self.seq, saved_at=at, journal_head=GENESIS))).state

    def _assert_journal_leads_to(self, saved: Mapping[str, AccountState]) -> None:
        replayed = Core(self._compile)
        for line in self._lines:
            entry = read_entry(line)
            replayed.state_manager.market.update({row.contract: row for row in entry.market})
            if isinstance(entry.envelope.event, DaemonStarted) and replayed.state_manager.accounts:
                replayed = self._restarted(replayed)
            replayed.step(entry.envelope)
        for name, state in saved.items():
            if replayed.state_manager.accounts.get(name) != state:
                raise CannotHappen(
                    expected=f"the journal of {name} to lead to the state that was saved", actual="another state"
                )

    def _restarted(self, before: Core) -> Core:
        core = Core(self._compile)
        core.restore(before.state_manager.accounts)
        return core

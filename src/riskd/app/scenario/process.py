"""riskd's process without its shell: the core, the order of its events, and what it has written to disk so far."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from riskd.app.scenario.world import CannotHappen
from riskd.daemon.restoring import restored
from riskd.domain.account import AccountState
from riskd.domain.events import AnyEvent, DaemonStarted, Envelope, QuoteReported
from riskd.engine.core import Core
from riskd.engine.step import Step
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
        self._files: Mapping[str, tuple[AccountState, int]] = {}
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
        """Lose everything but what was written, and start again from it: state files and the journal after them.

        Errors: CannotHappen when what was written does not lead to where riskd stood.
        """
        stood = {name: self.core.state_manager.to_write(name) for name in self.core.state_manager.accounts}
        states = restored(self._files, [read_entry(line) for line in self._lines], self._compile)
        for name, state in stood.items():
            if name not in states or _judged(states[name]) != _judged(state):
                raise CannotHappen(
                    expected=f"what was written of {name} to lead to where it stood", actual="it leads elsewhere"
                )
        self._files = {name: self._written(states[name], at) for name in stood}
        self._lines.clear()
        self.core = Core(self._compile)
        self.core.restore(states)
        self.publish(DaemonStarted(last_at=at), at=at)

    def _written(self, state: AccountState, at: datetime) -> tuple[AccountState, int]:
        """Write a state file and read it again."""
        file = decode(encode(SavedState(state=state, seq=self.seq, saved_at=at, journal_head=GENESIS)))
        return file.state, file.seq


def _judged(state: AccountState) -> AccountState:
    """Return an account with the prices of what it holds: one that moved nobody stands in no line and may be lost."""
    prices = {contract: row for contract, row in state.prices.items() if contract in state.positions}
    return msgspec.structs.replace(state, prices=prices)

"""Determinism, owed always: the journal through a second core gives the commands that are in it, byte for byte.

The second core runs beside the first, on every line as it is written and read back, and lives through all crashes. So
it also knows what a new process must remember.
"""

from collections.abc import Mapping

import msgspec

from riskd.domain.account import AccountState
from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.contract import Compile
from tests.simulation.verdict import Broken


class Replay:
    """The second core."""

    def __init__(self, compile_rules: Compile) -> None:
        self._core = Core(compile_rules)
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(JournalEntry).decode
        self.lines: list[bytes] = []

    def journalled(self, written: JournalEntry) -> None:
        """Replay one line and compare what comes of it."""
        self.lines.append(self._encode(written))
        entry = self._decode(self.lines[-1])
        self._core.state_manager.market.update({row.contract: row for row in entry.market})
        commands = self._core.step(entry.envelope).commands
        if self._encode(commands) != self._encode(entry.commands):
            raise Broken("the same again", f"{entry.envelope} gave {entry.commands}, in the replay {commands}")

    def restarted(self, states: Mapping[str, AccountState]) -> None:
        """Compare what a new process remembers with what the journal says."""
        for account, state in self._core.state_manager.accounts.items():
            if states.get(account) != state:
                raise Broken(
                    "remembers everything",
                    _difference(account, states.get(account), state),
                    account=account,
                    reborn=True,
                )


def _difference(account: str, remembered: AccountState | None, known: AccountState) -> str:
    if remembered is None:
        return f"{account} is forgotten"
    different = (
        f"{name} was {getattr(known, name)}, is {getattr(remembered, name)}"
        for name in AccountState.__struct_fields__
        if getattr(known, name) != getattr(remembered, name)
    )
    return f"{account}: {'; '.join(different)}"

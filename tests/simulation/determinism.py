"""Determinism, owed always: the journal through a new core gives the commands that are in it, byte for byte."""

from collections.abc import Iterable

import msgspec

from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.registry import compile_rulebook
from tests.simulation.verdict import Broken


def replay(entries: Iterable[JournalEntry]) -> int:
    """Play a journal from its first line and return how many steps that were."""
    core, encode, steps = Core(compile_rulebook), msgspec.json.Encoder().encode, 0
    for entry in entries:
        core.state_manager.market.update({row.contract: row for row in entry.market})
        commands = core.step(entry.envelope).commands
        steps += 1
        if commands != entry.commands and encode(commands) != encode(entry.commands):
            raise Broken("the same again", f"{entry.envelope} gave {entry.commands}, in the replay {commands}")
    return steps

"""A failure as a scenario that has been run: it fails the same way, or says that it cannot."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from riskd.app.scenario.core_world import CoreWorld
from riskd.app.scenario.on_core import setup_of
from riskd.app.scenario.parser import UnreadableScenario, parse
from riskd.app.scenario.rules import rules_of
from riskd.app.scenario.runner import Failure, run
from riskd.app.scenario.symbols import Symbols
from riskd.rules.contract import Compile
from tests.simulation.chronicle import Heard
from tests.simulation.limits import Limits
from tests.simulation.retelling import told
from tests.simulation.verdict import Broken

MOST_LEFT_OUT: Final = 200
_TOLD_BY_HAND_FIRST: Final = ("exact",)


@dataclass(frozen=True, slots=True)
class Retold:
    """A scenario's text, and whether it fails where it should and nowhere else."""

    text: str
    fails: bool


def retell(
    broken: Broken, heard: Sequence[Heard], limits: Limits, own_orders: frozenset[str], compile_rules: Compile
) -> Retold | None:
    """Return the first way of telling a failure that fails too, else one that does not, None without words for it."""
    if broken.command is None and not broken.wanted and not broken.reborn:
        return None
    ways = (True, False) if broken.promise in _TOLD_BY_HAND_FIRST else (False, True)
    found = [_tried(told(broken, heard, limits, own_orders, manual=manual), compile_rules) for manual in ways]
    return next((one for one in found if one.fails), found[0])


def _tried(lines: list[str], compile_rules: Compile) -> Retold:
    """Run a scenario, without the lines that cannot happen in it: its broker is not quite the exchange."""
    for _ in range(MOST_LEFT_OUT):
        try:
            failures = failures_of(_text(lines), compile_rules)
        except UnreadableScenario:
            break
        early = [failure.line for failure in failures if failure.line < _last_judged(lines)]
        if not early:
            return Retold(_text(lines), fails=bool(failures))
        del lines[early[0] - 1]
    return Retold(_text(lines), fails=False)


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _last_judged(lines: Sequence[str]) -> int:
    """Return the number of the line that must fail; a crash before it may be what does."""
    return len(lines) - 1 if lines[-2].endswith(" crash") else len(lines)


def failures_of(text: str, compile_rules: Compile) -> Sequence[Failure]:
    """Run a scenario against rules that were compiled this way, and return what did not hold."""
    (scenario,) = parse("seed.scenario", text)
    symbols = Symbols(scenario.begins_at)
    setup = setup_of(scenario, rules_of(scenario, None))
    return asyncio.run(run(scenario, CoreWorld(setup, compile_rules, symbols), symbols)).failures

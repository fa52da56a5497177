"""Runs one scenario against a world and judges it line by line."""

from collections.abc import Iterable
from dataclasses import dataclass

from riskd.app.scenario.language import CarriedIn, Happening, Judgement, Scenario, StateIs, Waits
from riskd.app.scenario.matching import mismatches
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import CannotHappen, World


@dataclass(frozen=True, slots=True)
class Failure:
    """One line that did not hold."""

    file: str
    line: int
    text: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario went; it passed when there is no failure."""

    scenario: Scenario
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Tell whether every line held."""
        return not self.failures


async def run(scenario: Scenario, world: World, symbols: Symbols) -> Result:
    """Run a scenario from its first line to its last.

    Shape: a line that cannot happen ends the run, since what follows would mean nothing; a line that does not hold
    does not, so that one run shows every difference.
    """
    failures: list[Failure] = []
    try:
        await world.start()
        for step in scenario.steps:
            try:
                failures.extend(await _step(scenario, step, world, symbols))
            except CannotHappen as why:
                failures.append(Failure(scenario.file, step.line, step.text, why.expected, why.actual))
                break
    finally:
        await world.close()
    return Result(scenario, tuple(failures))


async def _step(scenario: Scenario, step: Happening | Judgement, world: World, symbols: Symbols) -> Iterable[Failure]:
    if isinstance(step, Happening):
        await world.advance(step.at)
        if step.fact is not None and not isinstance(step.fact, CarriedIn):
            await world.happen(step.fact)
        return ()
    accounts = [e.what.account for e in step.expected if isinstance(e.what, StateIs | Waits)]
    standings = {account: await world.standing(account) for account in accounts}
    found = mismatches(step.expected, await world.seen(), standings, symbols)
    return [Failure(scenario.file, step.line, step.text, m.expected, m.actual) for m in found]

"""Many trials: which seeds kept every promise, which broke one, and how little it takes to break it again."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from riskd.rules.contract import Compile
from riskd.rules.registry import compile_rulebook
from tests.simulation import plan
from tests.simulation.faults import ALL, Fault
from tests.simulation.retold import Retold, retell
from tests.simulation.trial import Tally, Trial
from tests.simulation.verdict import Broken

MOST_SHRINKS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one trial is made of; two equal cases go the same way to the last byte."""

    seed: int
    days: int
    faults: frozenset[Fault] = ALL
    light: bool = False

    @property
    def command(self) -> str:
        """Return the command line that runs just this."""
        faults = "all" if self.faults == ALL else " ".join(sorted(self.faults)) or "none"
        light = " --light" if self.light else ""
        return f"python -m tests.simulation --first {self.seed} --seeds 1 --days {self.days}{light} --faults {faults}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one trial: its tally, or the promise that was broken and the trial as it stood then."""

    case: Case
    took_s: float
    tally: Tally | None = None
    broken: Broken | None = None
    trial: Trial | None = None

    @property
    def story(self) -> tuple[str, ...]:
        """Return what happened last before a promise was broken."""
        return (str(self.trial.plan), *self.trial.judge.story) if self.trial is not None else ()

    @property
    def journal(self) -> tuple[bytes, ...]:
        """Return the journal's lines up to there."""
        return tuple(self.trial.judge.replay.lines) if self.trial is not None else ()


def run(case: Case, compile_rules: Compile = compile_rulebook) -> Result:
    """Run one trial."""
    began = perf_counter()
    drawn = plan.draw(case.seed, case.days, light=case.light)
    with tempfile.TemporaryDirectory() as directory:
        trial = Trial(drawn, case.faults, Path(directory) if drawn.files else None, compile_rules)
        try:
            tally = trial.run()
        except Broken as broken:
            trial.disk.crash()
            return Result(case=case, took_s=perf_counter() - began, broken=broken, trial=trial)
    return Result(case=case, took_s=perf_counter() - began, tally=tally)


def retold(failed: Result) -> Retold | None:
    """Return a failure as a scenario, None where none can tell of it."""
    broken, trial = failed.broken, failed.trial
    if broken is None or trial is None or not broken.account:
        return None
    limits = next(plan.limits for plan in trial.plan.accounts if str(plan.number) == broken.account)
    orders = trial.world.venue.exchange.books.orders.values()
    own = frozenset(str(order.id) for order in orders if order.closing)
    return retell(broken, trial.judge.chronicle.heard, limits, own, trial.world.compile_rules)


def run_all(cases: Iterable[Case]) -> Iterator[Result]:
    """Run trials one after the other."""
    return map(run, cases)


def shrunk(failed: Result) -> Result:
    """Return the same broken promise with as few days and faults as still break it."""
    smallest, left = failed, MOST_SHRINKS
    for smaller in _smaller(failed.case):
        if left == 0:
            break
        left -= 1
        smallest = _better(smallest, smaller)
    return smallest


def _smaller(case: Case) -> Iterator[Case | Fault]:
    for days in range(1, case.days):
        yield Case(seed=case.seed, days=days, faults=case.faults, light=case.light)
    yield from sorted(case.faults)


def _better(smallest: Result, smaller: Case | Fault) -> Result:
    known = smallest.case
    if isinstance(smaller, Case):
        if smaller.days >= known.days:
            return smallest
        candidate = smaller
    else:
        candidate = Case(seed=known.seed, days=known.days, faults=known.faults - {smaller}, light=known.light)
    found = run(candidate)
    same = found.broken is not None and smallest.broken is not None and found.broken.promise == smallest.broken.promise
    return found if same else smallest

"""Random days on the real core against every fault: the promises hold, and one seed decides everything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.campaign import Case, Result, retold, run, run_all, shrunk
from tests.simulation.faults import Fault

REPOSITORY = Path(__file__).parents[2]
SLOW_SEEDS, SLOW_DAYS = 200, 5


def told(result: Result) -> str:
    """Return what somebody needs who is to find out what went wrong."""
    scenario = retold(result)
    text = scenario.text if scenario is not None and scenario.fails else "no scenario fails the same way"
    return "\n".join((*result.story, str(result.broken), f"again: {result.case.command}", text))


@pytest.mark.timeout(300)
def test_a_hundred_days_with_every_fault() -> None:
    """A hundred light days, two of each seed, with every fault there is, break no promise."""
    # In a process of its own, where nobody counts its lines: that would make it three times as slow.
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "50", "--days", "2", "--light", "--shrink"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    assert re.search(r"^100 days in .* 0 seeds failed$", done.stdout, re.MULTILINE)


def test_one_seed_decides_everything() -> None:
    """The same case gives the same commands, byte for byte."""
    case = Case(seed=28, days=1, light=True)
    first, second = run(case), run(case)

    assert first.broken is None, told(first)
    assert first.tally == second.tally


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(Fault))
def test_each_fault_can_blow_alone(fault: Fault) -> None:
    """Days with one kind of fault only break no promise."""
    for result in run_all(Case(seed=seed, days=1, faults=frozenset({fault}), light=True) for seed in range(1, 6)):
        assert result.broken is None, told(result)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_days_with_every_fault() -> None:
    """A thousand days, five of each seed, with every fault there is, break no promise."""
    for result in run_all(Case(seed=seed, days=SLOW_DAYS, light=True) for seed in range(1001, 1001 + SLOW_SEEDS)):
        assert result.broken is None, told(shrunk(result))

"""Run random days: ``python -m tests.simulation --seeds 20 --days 5``."""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tests.simulation import plan
from tests.simulation.faults import ALL, Fault
from tests.simulation.trial import Tally, Trial
from tests.simulation.verdict import Broken


def main() -> int:
    """Run the seeds asked for, and say what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--days", type=int, default=5, help="trading days of each")
    parser.add_argument("--faults", nargs="*", default=sorted(ALL), choices=sorted(ALL), help="only these faults")
    asked = parser.parse_args()
    faults = frozenset(Fault(name) for name in asked.faults)
    began, failed, steps = perf_counter(), 0, 0
    for seed in range(asked.first, asked.first + asked.seeds):
        tally = run(seed, asked.days, faults)
        failed += tally is None
        steps += tally.steps if tally else 0
    took = perf_counter() - began
    days = asked.seeds * asked.days
    _say(f"{days} days in {took:.1f} s, {days / took:.1f} days/s, {steps} steps, {failed} seeds failed")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(seed: int, days: int, faults: frozenset[Fault]) -> Tally | None:
    """Run one seed and print its line."""
    with tempfile.TemporaryDirectory() as directory:
        drawn = plan.draw(seed, days)
        trial = Trial(drawn, faults, Path(directory) if drawn.files else None)
        try:
            tally = trial.run()
        except Broken as broken:
            trial.disk.crash()
            _say(f"seed {seed} days {days} faults {' '.join(sorted(faults))}\n  {drawn}")
            _say("\n".join(f"    {line}" for line in trial.judge.story))
            _say(f"seed {seed}: {broken}")
            return None
    _say(f"seed {seed}: {tally}")
    return tally


if __name__ == "__main__":
    sys.exit(main())

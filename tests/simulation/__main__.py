"""Trade random days against every broker fault: ``python -m tests.simulation --seeds 20 --days 5``."""

import argparse
import cProfile
import pstats
import sys
from pathlib import Path
from time import perf_counter

from tests.simulation.campaign import Case, Result, retold, run_all, shrunk
from tests.simulation.faults import ALL, Fault


def main() -> int:
    """Run what is asked for, and say what came of it."""
    asked = _arguments()
    profile = cProfile.Profile() if asked.profile else None
    if profile is not None:
        profile.enable()
    began, steps, failed = perf_counter(), 0, 0
    for result in run_all(_cases(asked)):
        _say(_line(result))
        steps += result.tally.steps if result.tally else 0
        if result.broken is not None:
            failed += 1
            _tell_failure(result, asked.shrink, asked.keep)
    took, days = perf_counter() - began, asked.seeds * asked.days
    _say(f"{days} days in {took:.1f} s: {days / took:.1f} days/s, {steps / took:.0f} steps/s; {failed} seeds failed")
    if profile is not None:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumulative").print_stats(40)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds (20)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--days", type=int, default=5, help="trading days of each (5)")
    names = ("all", "none", *sorted(ALL))
    parser.add_argument("--faults", nargs="*", default=["all"], choices=names, metavar="FAULT", help=", ".join(names))
    parser.add_argument("--light", action="store_true", help="less trading a day")
    parser.add_argument("--shrink", action="store_true", help="look for fewer days and faults that fail the same way")
    parser.add_argument("--keep", type=Path, help="write the journal of each failure into this directory")
    parser.add_argument("--profile", action="store_true", help="say where the time went")
    return parser.parse_args()


def _cases(asked: argparse.Namespace) -> list[Case]:
    faults = ALL if "all" in asked.faults else frozenset(Fault(name) for name in asked.faults if name != "none")
    seeds = range(asked.first, asked.first + asked.seeds)
    return [Case(seed=seed, days=asked.days, faults=faults, light=asked.light) for seed in seeds]


def _line(result: Result) -> str:
    if result.tally is None:
        return f"seed {result.case.seed}: FAILED after {result.took_s:.1f} s"
    tally = result.tally
    return (
        f"seed {result.case.seed}: {tally.trades} trades, {tally.commands} requests, {tally.lockouts} lockouts, "
        f"{tally.crashes} crashes, {tally.compared} comparisons, {tally.steps} steps in {result.took_s:.1f} s, "
        f"commands {tally.digest[:12]}"
    )


def _tell_failure(result: Result, shrink: object, keep: Path | None) -> None:
    smallest = shrunk(result) if shrink else result
    for line in smallest.story:
        _say(f"    {line}")
    _say(f"  {smallest.broken}")
    _say(f"  again: {smallest.case.command}")
    told = retold(smallest)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        path = keep / f"seed-{result.case.seed}.jsonl"
        path.write_bytes(b"\n".join(smallest.journal) + b"\n")
        _say(f"  journal: {path}")
        if told is not None:
            path.with_suffix(".scenario").write_text(told.text, encoding="utf-8")
            _say(f"  scenario: {path.with_suffix('.scenario')}{'' if told.fails else ' (does not fail by itself)'}")
    elif told is not None and told.fails:
        _say(told.text)
    if told is None or not told.fails:
        _say("  no scenario fails the same way: what went wrong hangs on something that their language cannot say")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""Measure riskd from the breaching message on the socket to the close request on the socket, and all that is promised.

Run `python -m benchmarks.enforcement --trials 2000`, or `make bench`. What is measured, the figures and what they fall
short of are in docs/performance.md. The bare prototype of the transport takes turns with riskd, so that a busy minute
of the machine falls on both: read riskd's figures beside the prototype's, never alone.
"""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import enforcement_gateway, enforcement_trials
from benchmarks.enforcement_process import IDLE_S, Footprint, measure_process
from benchmarks.enforcement_riskd import FarEnd, run_riskd
from benchmarks.enforcement_trials import Kind, Plan
from benchmarks.figures import Figures, show
from benchmarks.transport import run_prototype

PAUSE_S: Final = 0.02
"""The silence before each trial: longer than riskd takes for what the trial before left to do."""
ROUND: Final = 125
"""Trials in a row: with what the start reads, as many requests as the gateway's rate limit lets through in a minute."""
WARM_UP: Final = 10
ACCOUNTS: Final = 10
LOCKS: Final = 25
"""Locks in a row: an account can be locked once a day, and each takes the reads that prove it flat."""
TO_FLAT: Final = 8
"""One trial in so many is repeated on the simulated gateway."""


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised, and what was found."""

    what: str
    limit: float
    found: float
    unit: str

    @property
    def met(self) -> bool:
        """Tell whether the promise is kept."""
        return self.found <= self.limit


def measure(kind: Kind, trials: int, far_end: FarEnd) -> list[int]:
    """Measure one round of one kind, in a new runtime over new files."""
    many = LOCKS + WARM_UP // 2 if kind is Kind.LOCK else ACCOUNTS
    warm_up = many - LOCKS if kind is Kind.LOCK else WARM_UP
    plan = Plan(trials=trials, warm_up=warm_up, accounts=tuple(range(101, 101 + many)), pause_s=PAUSE_S)
    with tempfile.TemporaryDirectory() as directory:
        return run_riskd(Path(directory), kind, plan, far_end)


def to_request(trials: int) -> list[Figures]:
    """Measure from the breaching frame to the close request, in interleaved rounds."""
    rounds = -(-trials // ROUND)
    each = -(-trials // rounds)
    turns: dict[str, Callable[[], list[int]]] = {
        "the bare prototype": lambda: list(run_prototype(each, pause_s=PAUSE_S).samples_ns),
        f"riskd: {Kind.FILL}": lambda: measure(Kind.FILL, each, enforcement_trials.serve),
        f"riskd: {Kind.QUOTE}": lambda: measure(Kind.QUOTE, each, enforcement_trials.serve),
        f"riskd: {Kind.LOCK}": lambda: measure(Kind.LOCK, min(each, LOCKS), enforcement_trials.serve),
    }
    samples: dict[str, list[int]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            samples[name] += turn()
    return [Figures(name, found) for name, found in samples.items()]


def to_flat(trials: int) -> list[Figures]:
    """Measure from a breach at the simulated exchange until it holds what is allowed."""
    many = max(trials // TO_FLAT, 1)
    rounds = -(-many // ROUND)
    return [
        Figures(
            f"riskd and gateway: {kind}",
            [sample for _ in range(rounds) for sample in measure(kind, -(-many // rounds), enforcement_gateway.serve)],
        )
        for kind in (Kind.FILL, Kind.QUOTE)
    ]


def targets(requests: list[Figures], flat: list[Figures], footprint: Footprint) -> list[Target]:
    """Hold what was found against what was promised."""
    prototype, *riskd = requests
    found = [
        Target(f"{row.name}: p50 as a multiple of the prototype's", 1.5, row.p50 / prototype.p50, "") for row in riskd
    ]
    found += [Target(f"{row.name}: p99", 10, row.p99 / 1000, "ms") for row in riskd]
    found += [Target(f"{row.name}, to flat: p99", 50, row.p99 / 1000, "ms") for row in flat]
    found.append(Target("start to ready, median of five", 2, statistics.median(footprint.ready_s), "s"))
    found.append(Target("resident memory", 90, footprint.resident_mb, "MB"))
    found.append(Target(f"processor time when idle, over {IDLE_S:.0f} s", 1, footprint.idle_percent, "%"))
    return found


def show_targets(rows: list[Target]) -> None:
    """Print which promises are kept."""
    table = Table(title="Promises", title_justify="left")
    for heading in ("", "at most", "found", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        unit = f" {row.unit}" if row.unit else ""
        table.add_row(row.what, f"{row.limit:g}{unit}", f"{row.found:.2f}{unit}", "met" if row.met else "MISSED")
    Console(width=120).print(table)


def main(trials: Annotated[int, typer.Option(help="Breaches of each kind.", min=1)] = 2000) -> None:
    """Print how quickly riskd enforces, beside the bare prototype, and what it costs to have it running."""
    requests = to_request(trials)
    show("Breaching frame to close request over loopback", requests)
    flat = to_flat(trials)
    show("Breach to flat, the simulated gateway answering", flat)
    with tempfile.TemporaryDirectory() as directory:
        footprint = measure_process(Path(directory))
    show_targets(targets(requests, flat, footprint))


if __name__ == "__main__":
    typer.run(main)

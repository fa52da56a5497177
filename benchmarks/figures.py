"""Latency figures and the table they are read from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.table import Table

NS_PER_US = 1000


@dataclass(frozen=True)
class Figures:
    """Latencies of one thing that was measured.

    Units: samples in nanoseconds, percentiles in microseconds.
    Shape: a percentile is a sample that occurred (nearest rank), never an interpolation.
    """

    name: str
    samples_ns: Sequence[int] = field(repr=False)

    @classmethod
    def joined(cls, name: str, rounds: Iterable[Self]) -> Self:
        """Return the samples of several rounds as one."""
        return cls(name, [sample for one in rounds for sample in one.samples_ns])

    def percentile(self, percent: int) -> float:
        """Return the sample that `percent` percent of the samples do not exceed."""
        ordered = sorted(self.samples_ns)
        rank = -(-len(ordered) * percent // 100)
        return ordered[max(rank, 1) - 1] / NS_PER_US

    @property
    def p50(self) -> float:
        """Return the median."""
        return self.percentile(50)

    @property
    def p99(self) -> float:
        """Return what one in a hundred exceeds."""
        return self.percentile(99)


def show(title: str, rows: Sequence[Figures], *, places: int = 0) -> None:
    """Print figures as a table, one row each, with so many decimal places."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("trials", "p50 µs", "p90 µs", "p99 µs", "max µs"):
        table.add_column(heading, justify="right")
    for row in rows:
        cells = [f"{row.percentile(percent):,.{places}f}" for percent in (50, 90, 99, 100)]
        table.add_row(row.name, f"{len(row.samples_ns):,}", *cells)
    Console(width=100).print(table)

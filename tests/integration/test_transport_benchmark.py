"""The transport benchmark measures what it says, so that figures can be compared with it."""

import pytest

from benchmarks.figures import Figures
from benchmarks.transport import Variant, run_prototype, variants


def test_percentiles_are_samples_that_occurred() -> None:
    """A percentile is the smallest sample that enough of the samples do not exceed."""
    figures = Figures("one to a hundred", [microseconds * 1000 for microseconds in range(100, 0, -1)])
    assert [figures.percentile(percent) for percent in (1, 50, 90, 99, 100)] == [1, 50, 90, 99, 100]


def test_rounds_are_joined_into_one_row() -> None:
    """Interleaved rounds of one variant count as one measurement."""
    joined = Figures.joined("both", [Figures("a", [1000, 3000]), Figures("b", [2000])])
    assert (joined.name, joined.p50, joined.p99) == ("both", 2, 3)


@pytest.mark.slow
@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.name)
def test_every_prototype_closes_on_every_breach(variant: Variant) -> None:
    """Each client answers each breaching frame with one close request, and ends when the far end does."""
    figures = run_prototype(20, variant)
    assert len(figures.samples_ns) == 20
    assert 0 < figures.p50 < 1_000_000

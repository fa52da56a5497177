"""The enforcement benchmark measures riskd's own way from a breach to a close, so that its figures mean something."""

from pathlib import Path

import pytest

from benchmarks import enforcement_gateway, enforcement_trials
from benchmarks.enforcement import Target, targets
from benchmarks.enforcement_process import Footprint
from benchmarks.enforcement_riskd import run_riskd
from benchmarks.enforcement_trials import Kind, Plan
from benchmarks.figures import Figures

PLAN = Plan(trials=3, warm_up=1, accounts=(101, 102, 103, 104), pause_s=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
def test_every_breach_is_answered_with_the_close_that_was_due(kind: Kind, tmp_path: Path) -> None:
    """The far end is asked for one close a breach, of the right size, and the journal has it."""
    samples = run_riskd(tmp_path, kind, PLAN, enforcement_trials.serve)
    assert len(samples) == PLAN.trials
    assert all(0 < sample < 1_000_000_000 for sample in samples)
    lines = "".join(path.read_text() for path in (tmp_path / "journal").glob("*.jsonl"))
    assert lines.count('"type":"close"') == PLAN.trials + PLAN.warm_up


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.FILL, Kind.QUOTE])
def test_every_breach_at_the_gateway_ends(kind: Kind, tmp_path: Path) -> None:
    """On the simulated gateway each breach ends with what is allowed."""
    assert len(run_riskd(tmp_path, kind, PLAN, enforcement_gateway.serve)) == PLAN.trials


def test_a_promise_that_is_not_kept_is_shown_as_missed() -> None:
    """The ratio to the prototype, the tail and the footprint are held against what was promised."""
    prototype, riskd = Figures("prototype", [200_000]), Figures("riskd", [400_000])
    flat = [Figures("flat", [51_000_000])]
    found = targets([prototype, riskd], flat, Footprint(ready_s=(1.0, 1.5, 9.0), resident_mb=60.0, idle_percent=0.5))
    assert found[0] == Target("riskd: p50 as a multiple of the prototype's", 1.5, 2.0, "")
    assert [row.met for row in found] == [False, True, False, True, True, True]

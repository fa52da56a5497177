import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskd.domain.account_view import AccountView
from riskd.domain.events import Fill
from riskd.rules import registry
from riskd.rules.contract import RuleEntry
from riskd.rules.registry import compile_rulebook
from tests.support.rule_builders import NOON, ct, fill, traded

EXAMPLE = Path(__file__).parents[3] / "examples" / "riskd-losing-streak"
SPEC = '{"rules": [{"rule": "LosingStreak", "params": {"most": 2, "ignore_below": "10.00"}}]}'


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RuleEntry]:
    """Install the example's metadata and sources, and load its rule as an account would."""
    metadata = tmp_path / "riskd_losing_streak-1.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: riskd-losing-streak\nVersion: 1.0.0\n", "utf-8")
    entry = "[riskd.rules]\nLosingStreak = riskd_losing_streak:LosingStreakRule\n"
    (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE / "src")
    registry.forget_installed()
    book = compile_rulebook("A1", SPEC)
    assert book.faults == ()
    yield book.entries[0]
    sys.modules.pop("riskd_losing_streak", None)
    monkeypatch.undo()
    registry.forget_installed()


def trips(*points: int) -> AccountView:
    """Return a look at an account after positions of 1 MNQ that made so many points, one after the other."""
    fills: list[Fill] = []
    for made in points:
        fills += [fill("MNQ", 1, "21000"), fill("MNQ", -1, str(21000 + made))]
    return traded(*fills, at=NOON)


@pytest.mark.parametrize(
    ("points", "breached"),
    [((-10,), False), ((-10, -10), True), ((-10, 5, -10), False), ((-10, -4, -10), True), ((-4, -4), False)],
    ids=["one", "two", "a win between", "a small loss between", "small losses"],
)
def test_the_example_counts_losing_positions(example: RuleEntry, points: tuple[int, ...], breached: bool) -> None:  # noqa: FBT001 - a column
    """A point is 2 USD: losses of 20 count, those of 8 do not, a win begins anew."""
    violation = example.rule.evaluate(None, trips(*points))

    assert (violation is not None) is breached


def test_the_example_locks_like_a_rule_of_ours(example: RuleEntry) -> None:
    """Flat, and locked to the next 17:00."""
    violation = example.rule.evaluate(None, trips(-10, -10))

    assert violation is not None
    action = example.rule.get_enforcement_action(violation)
    assert (action.action_type, action.lockout_until) == ("flatten_account", ct("2025-10-15 17:00"))


@pytest.mark.slow
def test_the_example_can_be_installed(tmp_path: Path) -> None:
    """Built and installed beside riskd by the usual tool, its rule is there for a new process."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    copy = tmp_path / "source"
    shutil.copytree(EXAMPLE, copy)
    subprocess.run([*install, "--target", str(tmp_path / "site"), str(copy)], check=True)
    code = "from riskd.rules.registry import rule_class; print(rule_class('LosingStreak').name)"

    said = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    )

    assert said.stdout.strip() == "LosingStreak"

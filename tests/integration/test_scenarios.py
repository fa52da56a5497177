"""The scenarios of the repository, and the command that runs them."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskd.app.main import app
from riskd.app.scenario.language import Scenario
from riskd.app.scenario.on_core import read_scenarios, run_on_core

ROOT = Path(__file__).parents[2]
FORMATS = ROOT.parent / "shared" / "formats.md"
SCENARIOS = read_scenarios(sorted((ROOT / "scenarios").glob("*.scenario")))

FAILING = """scenario "holds in part"
  date 2026-03-10
  rules A1  MaxContracts max_contracts=1
  09:31  A1 fill buy 2 MNQ @ 18000.00
  -> close A1 MNQ 2
  -> state A1 MNQ+1
"""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{Path(s.file).stem}: {s.name}")
async def test_a_scenario_holds_on_the_bare_core(scenario: Scenario) -> None:
    """Every scenario of the repository holds, line by line."""
    assert (await run_on_core(scenario)).failures == ()


@pytest.mark.recorded
@pytest.mark.skipif(not FORMATS.is_file(), reason="the description of the formats is not beside the repository")
async def test_the_published_example_holds_as_it_is_written(tmp_path: Path) -> None:
    """The example of the scenario language runs as written."""
    example = re.search(
        r"^```\n(scenario .*?)^```$", FORMATS.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    assert example is not None
    path = tmp_path / "example.scenario"
    path.write_text(example.group(1), encoding="utf-8")
    (scenario,) = read_scenarios([path])
    assert (await run_on_core(scenario)).failures == ()


def written(tmp_path: Path, text: str) -> str:
    """Write a scenario file."""
    path = tmp_path / "day.scenario"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_command_says_that_all_is_as_expected() -> None:
    """Scenarios that hold are listed, and the command exits with 0."""
    result = CliRunner().invoke(app, ["scenario", str(ROOT / "scenarios" / "daily-loss.scenario")])
    assert result.exit_code == 0
    assert "ok      an entry's fee counts when it is charged" in result.stdout
    assert "all as expected" in result.stdout


def test_the_command_tells_what_did_not_hold(tmp_path: Path) -> None:
    """A line that does not hold is shown with what was expected and what riskd did, and the command exits with 1."""
    result = CliRunner().invoke(app, ["scenario", written(tmp_path, FAILING)])
    assert result.exit_code == 1
    assert "day.scenario:5: -> close A1 MNQ 2" in result.stdout
    assert "expected  close A1 MNQ 2" in result.stdout
    assert "actual    close A1 MNQH6 1 left 1" in result.stdout


def test_the_command_answers_programs(tmp_path: Path) -> None:
    """As JSON the same: every scenario, and every line of it that did not hold."""
    result = CliRunner().invoke(app, ["scenario", "--json", written(tmp_path, FAILING)])
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["passed"], answer["failed"]) == (1, 0, 1)
    (failure,) = answer["scenarios"][0]["failures"]
    assert (failure["line"], failure["expected"]) == (5, "close A1 MNQ 2")


def test_an_unreadable_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """Each bad line gets one sentence with file and line, and the command exits with 2."""
    text = FAILING.replace("fill buy", "fil buy").replace("state A1", "state A9")
    result = CliRunner().invoke(app, ["scenario", written(tmp_path, text), str(tmp_path / "missing")])
    assert (result.exit_code, result.stdout) == (2, "")
    first, second, third = result.stderr.splitlines()
    assert "day.scenario:4: expected" in first
    assert "day.scenario:6: expected an account that has a rules line, found 'A9'" in second
    assert "missing:1: expected a file that can be read" in third


def test_a_rules_file_serves_accounts_without_rules(tmp_path: Path) -> None:
    """With --rules, an account needs no rules line of its own."""
    rules = tmp_path / "rules.json"
    rule = {"rule": "MaxContracts", "params": {"max_contracts": 1}}
    rules.write_text(json.dumps({"version": 1, "profiles": {"default": {"rules": [rule]}}}), encoding="utf-8")
    text = FAILING.replace("  rules A1  MaxContracts max_contracts=1\n", "").replace("MNQ 2\n", "MNQ 1 left 1\n")
    result = CliRunner().invoke(app, ["scenario", written(tmp_path, text), "--rules", str(rules)])
    assert result.exit_code == 0, result.output


async def test_what_cannot_happen_ends_the_scenario(tmp_path: Path) -> None:
    """A line that does not fit what went before fails, and what follows is not judged."""
    text = FAILING.replace("-> close A1 MNQ 2", "09:32 A1 order O7 cancelled")
    (scenario,) = read_scenarios([Path(written(tmp_path, text))])
    (failure,) = (await run_on_core(scenario)).failures
    assert (failure.line, failure.expected) == (5, "O7 to be working")

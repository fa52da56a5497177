"""The journal that a running daemon has written, taken through the core again as recorded days."""

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from riskd.app.main import app
from tests.support.daemon import ACCOUNT, Daemon, running

LOCKS = {"DailyRealizedLoss": {"limit": "-500.00"}}


def replay(*arguments: str | Path) -> Result:
    """Run ``riskd replay``."""
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def answer(*arguments: str | Path) -> Mapping[str, Any]:
    """Return what ``riskd replay --json`` answers."""
    result = replay(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: Mapping[str, Any] = json.loads(result.stdout)
    return found


async def losing_morning(daemon: Daemon) -> None:
    """Buy two, see the price fall through the limit, and be flattened."""
    control = daemon.gateway.control
    control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"))
    await daemon.until(lambda: daemon.quantity("MNQ") == 2)
    await daemon.priced("MNQ")
    for minute, last in enumerate(("17950.00", "17900.00", "17870.00"), start=31):
        await daemon.move_time(f"2026-03-10 09:{minute}")
        price = Decimal(last)
        control.quote("MNQ", last=price, bid=price, ask=price)
        await daemon.until(partial(_marked, daemon, price))
    await daemon.enforced()
    await daemon.until(lambda: not daemon.state.positions)


def _marked(daemon: Daemon, price: Decimal) -> bool:
    row = daemon.runtime.state_manager.market.get(daemon.gateway.control.contract_id("MNQ"))
    return row is not None and row.mark == price


@pytest.fixture
async def state_dir(tmp_path: Path) -> Path:
    """Return the state folder of a daemon that has locked an account and stopped."""
    async with running(tmp_path, LOCKS) as daemon:
        await losing_morning(daemon)
    return tmp_path / "state"


def rules(path: Path, limit: str) -> Path:
    """Write a rules file with one limit."""
    entry = {"rule": "DailyRealizedLoss", "params": {"limit": limit}}
    path.write_text(json.dumps({"version": 1, "profiles": {"default": {"rules": [entry]}}}), encoding="utf-8")
    return path


async def test_a_journal_is_replayed_with_its_fills_and_prices(state_dir: Path, tmp_path: Path) -> None:
    """The day comes to what the account lost, fees included, and the limit is broken by the price that broke it."""
    found = answer(state_dir, "--rules", rules(tmp_path / "rules.json", "-500.00"))
    (day,) = found["days"]
    assert (day["account"], day["fills"], day["net"], day["open_at_end"]) == (ACCOUNT, 2, "-522.44", {})
    assert [(a["rule"], a["day_if_stopped"]) for a in day["actions"]] == [("DailyRealizedLoss", "-521.22")]
    assert found["unread_rows"] == []


async def test_a_tighter_limit_would_have_saved_on_the_journal(state_dir: Path, tmp_path: Path) -> None:
    """A limit of 150 acts at 17,950 and saves 320 of what the limit of 500 lost."""
    tight, wide = rules(tmp_path / "tight.json", "-150.00"), rules(tmp_path / "wide.json", "-500.00")
    comparison = answer(state_dir / "journal", "--rules", tight, "--against", wide)["comparison"]
    assert [day["under_rules"] for day in comparison["rules"]["days"]] == ["-202.44"]
    assert comparison["rules"]["total"]["saved"] == "320.00"
    assert comparison["against"]["total"]["saved"] == "0.00"


async def test_one_file_of_a_journal_is_enough(state_dir: Path) -> None:
    """A journal's file counts like its folder; given with it, nothing counts twice."""
    (file,) = (state_dir / "journal").glob("*.jsonl")
    assert answer(file)["days"] == answer(state_dir)["days"] == answer(file, state_dir)["days"]


async def test_a_line_that_is_no_entry_is_said(state_dir: Path) -> None:
    """A damaged line is left out and named; half a line at the end is one that is still being written."""
    (file,) = (state_dir / "journal").glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], b"not json\n", *lines[3:], b'{"v":1,"pre']))
    assert [(row["line"], row["why"]) for row in answer(state_dir)["unread_rows"]] == [
        (4, "not an entry that this version of riskd wrote")
    ]


def test_a_folder_without_a_journal_says_what_to_give(tmp_path: Path) -> None:
    """An empty folder and a missing file are refused with a sentence."""
    result = replay(tmp_path, tmp_path / "2026-03-10.jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "a folder without a journal; give riskd's state folder" in result.stderr
    assert "2026-03-10.jsonl: cannot be read: No such file" in result.stderr

"""Recorded trading days through the core, held against figures that somebody else reckoned."""

import csv
import gzip
import json
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from riskd.app.main import app

DATA = Path(__file__).parents[3] / "shared" / "data"
LIVE = DATA / "tsx-live-orders"
SCALE_IN = DATA / "tsx-trades-es-scalein"

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not LIVE.is_dir(), reason="the recorded exports are not beside the repository"),
]


def replayed(*arguments: str | Path) -> Mapping[str, Any]:
    """Return what ``riskd replay --json`` answers."""
    result = CliRunner().invoke(app, ["replay", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    answer: Mapping[str, Any] = json.loads(result.stdout)
    return answer


def table(path: Path) -> list[Mapping[str, str]]:
    """Return the rows of a table of expected figures."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def money(days: list[Mapping[str, Any]], *keys: str) -> dict[str, list[Decimal]]:
    """Return some of each day's amounts."""
    return {day["trading_day"]: [Decimal(day[key]) for key in keys] for day in days}


def cents(row: Mapping[str, str], *keys: str) -> list[Decimal]:
    """Return some of a row's amounts."""
    return [Decimal(row[key]).quantize(Decimal("0.01")) for key in keys]


def rules(tmp_path: Path, *entries: Mapping[str, object]) -> Path:
    """Write a rules file."""
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"version": 1, "profiles": {"default": {"rules": list(entries)}}}), encoding="utf-8")
    return path


DAILY_LOSS = {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}}


@pytest.mark.parametrize("name", ["orders_live_2026-03.csv", "orders_live_2026-03-13.csv"])
def test_a_live_accounts_days_come_to_the_cent(name: str) -> None:
    """Every day of a funded account's Orders export has the gross and the largest position that were expected."""
    answer = replayed(LIVE / name)
    expected = {row["day"]: row for row in table(LIVE / "daily_expected_live.csv")}
    days = answer["days"]
    assert money(days, "gross") == {
        day["trading_day"]: cents(expected[day["trading_day"]], "gross_pnl") for day in days
    }
    assert [day["max_contracts"] for day in days] == [
        int(expected[day["trading_day"]]["max_abs_position"]) for day in days
    ]
    assert all(day["fees"] is None and day["net"] == day["gross"] for day in days)
    assert answer["unread_rows"] == []


def test_no_day_of_the_live_account_is_missing() -> None:
    """The full export has all seventeen days, and every fill of them."""
    days = replayed(LIVE / "orders_live_2026-03.csv")["days"]
    expected = table(LIVE / "daily_expected_live.csv")
    assert [(d["trading_day"], d["fills"]) for d in days] == [(r["day"], int(r["orders_filled"])) for r in expected]


def test_the_days_with_a_missing_fill_say_which_contract_stays_open() -> None:
    """Two days do not come to flat; the rows that hide the missing fills are pointed out."""
    answer = replayed(LIVE / "orders_live_2026-03.csv")
    stays_open = {day["trading_day"]: day["open_at_end"] for day in answer["days"] if day["open_at_end"]}
    assert stays_open == {"2026-03-27": {"MNQM6": -3}, "2026-04-02": {"MNQM6": -1}}
    assert [row["line"] for row in answer["doubtful_rows"]] == [337, 888]


def test_orders_and_trades_of_one_account_agree_on_every_day() -> None:
    """The practice account's Orders export has the gross, and the largest position, that its Trades export has."""
    days = replayed(LIVE / "orders_sim_2026-04.csv")["days"]
    expected = table(LIVE / "norm_sim_daily.csv")
    assert money(days, "gross") == {row["trade_day"]: cents(row, "gross") for row in expected}
    assert [day["max_contracts"] for day in days] == [int(row["max_contracts"]) for row in expected]


@pytest.mark.parametrize(
    ("export", "figures"),
    [
        (LIVE / "trades_sim_2026-04.csv", LIVE / "norm_sim_daily.csv"),
        (SCALE_IN / "trades.csv", SCALE_IN / "norm_daily.csv"),
        (SCALE_IN / "norm_fills.csv", SCALE_IN / "norm_daily.csv"),
    ],
    ids=lambda path: path.name,
)
def test_trades_come_to_the_cent_with_their_fees(export: Path, figures: Path) -> None:
    """Gross, fees, net, both water marks, fills and the largest position are as expected on every day."""
    keys = ("gross", "fees", "net", "low_water", "high_water")
    days, expected = replayed(export)["days"], table(figures)
    assert money(days, *keys) == {row["trade_day"]: cents(row, *keys) for row in expected}
    for key in ("fills", "max_contracts"):
        assert [day[key] for day in days] == [int(row[key]) for row in expected]
    assert all(day["open_at_end"] == {} for day in days)


def test_the_lock_comes_at_the_eighth_fill_of_a_losing_morning(tmp_path: Path) -> None:
    """On 2026-03-16 a limit of 500 is passed when the eighth fill realizes 692.50; the day itself ended at +323."""
    days = replayed(LIVE / "orders_live_2026-03.csv", "--rules", rules(tmp_path, DAILY_LOSS))["days"]
    (day,) = (day for day in days if day["trading_day"] == "2026-03-16")
    assert day["actions"] == [
        {
            "rule": "DailyRealizedLoss",
            "at": "2026-03-16T08:54:14Z",
            "action": "set_lockout",
            "reason": "daily loss -692.50 USD is past limit -500.00 USD",
            "day_if_stopped": "-692.50",
        }
    ]
    assert day["gross"] == "323.00"


def test_every_day_below_the_limit_has_its_lock(tmp_path: Path) -> None:
    """A day locks exactly when its realized low is at the limit or below; marks between fills can only add days."""
    days = replayed(LIVE / "orders_live_2026-03.csv", "--rules", rules(tmp_path, DAILY_LOSS))["days"]
    locked = {day["trading_day"] for day in days if day["actions"]}
    assert {day["trading_day"] for day in days if Decimal(day["low_water"]) <= -500} <= locked
    assert all(Decimal(a["day_if_stopped"]) <= -500 for day in days for a in day["actions"])


def test_a_position_limit_is_met_on_the_scaled_in_day(tmp_path: Path) -> None:
    """The fifth contract of fifteen is the first that a limit of four would have closed."""
    limit = {"rule": "MaxContracts", "params": {"max_contracts": 4}}
    (day,) = replayed(SCALE_IN / "trades.csv", "--rules", rules(tmp_path, limit))["days"]
    assert [(a["rule"], a["at"], a["action"]) for a in day["actions"]] == [
        ("MaxContracts", "2026-03-16T11:37:00Z", "close_position")
    ]


@pytest.mark.parametrize(
    "export",
    [LIVE / "orders_live_2026-03.csv", LIVE / "trades_sim_2026-04.csv", SCALE_IN / "trades.csv"],
    ids=lambda path: path.name,
)
def test_rules_that_never_fire_leave_every_recorded_day_as_it_was(export: Path, tmp_path: Path) -> None:
    """Played with a broker that fills, each day comes to the cent that was recorded, and against itself to nothing."""
    far = rules(tmp_path, {"rule": "DailyRealizedLoss", "params": {"limit": "-90000.00"}})
    answer = replayed(export, "--rules", far, "--against", far)
    comparison = answer["comparison"]
    assert all((d["saved"], d["first"], d["fills_not_made"]) == ("0.00", None, 0) for d in comparison["rules"]["days"])
    flat = {d["trading_day"]: d["net"] for d in answer["days"] if not d["open_at_end"]}
    traded = {d["trading_day"]: d["as_traded"] for d in comparison["rules"]["days"]}
    assert flat == {day: net for day, net in traded.items() if day in flat}
    assert comparison["difference"]["total"] == "0.00"


def test_a_daily_limit_ends_each_recorded_day_where_it_locks(tmp_path: Path) -> None:
    """Under a limit alone, a day that locks ends with what it had come to at that moment; the others as they were."""
    limit = rules(tmp_path, DAILY_LOSS)
    answer = replayed(LIVE / "orders_live_2026-03.csv", "--rules", limit, "--against", limit)
    first = {day["trading_day"]: day["actions"][0] for day in answer["days"] if day["actions"]}
    assert len(first) > 5
    for day in answer["comparison"]["rules"]["days"]:
        locked = first.get(day["trading_day"])
        assert day["under_rules"] == (locked["day_if_stopped"] if locked else day["as_traded"])
        assert day["locked_at"] == (locked["at"] if locked else None)


def test_overlapping_exports_count_every_fill_once() -> None:
    """The export of one day beside that of the month changes nothing but the count of repeated fills."""
    month = replayed(LIVE / "orders_live_2026-03.csv")
    both = replayed(LIVE / "orders_live_2026-03.csv", LIVE / "orders_live_2026-03-13.csv")
    assert (both["days"], both["repeated_fills"]) == (month["days"], 12)


def test_recorded_ticks_run_between_the_fills(tmp_path: Path) -> None:
    """A position made up for a recorded morning breaks its limit at the tick that a plain look at the prices finds."""
    recorded = DATA / "price-esm8-ticks-2018-05-07" / "esm8_trades.csv.gz"
    if not recorded.is_file():
        pytest.skip("the recorded ticks are not beside the repository")
    with gzip.open(recorded, "rt", encoding="utf-8") as file:
        lines = list(islice(file, 2000))
    ticks, fills = tmp_path / "ticks.csv", tmp_path / "fills.csv"
    ticks.write_text("".join(lines), encoding="utf-8")
    fills.write_text("ts_utc,contract,side,qty,price,ref\n2018-05-07T13:30:00Z,ESM8,B,3,2671.00,1\n", encoding="utf-8")
    expected = next(row["ts_utc"] for row in csv.DictReader(lines) if Decimal(row["price"]) <= Decimal("2668.00"))
    limit = {"rule": "DailyRealizedLoss", "params": {"limit": "-450.00"}}
    (day,) = replayed(fills, "--prices", ticks, "--rules", rules(tmp_path, limit))["days"]
    assert [(a["at"], a["action"]) for a in day["actions"]] == [(expected, "flatten_account")]

import json
from decimal import Decimal
from pathlib import Path

from typer.testing import CliRunner

from riskd.app.main import app
from tests.unit.test_replay.exports import order_row, orders
from tests.unit.test_replay.test_command import invoke, unwrapped

STRICT = {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}}
LOOSE = {"rule": "DailyRealizedLoss", "params": {"limit": "-5000.00"}}


def rules_file(path: Path, *entries: object, **more: object) -> Path:
    """Write a rules file."""
    document = {"version": 1, "profiles": {"default": {"rules": list(entries)}}, **more}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def losing_then_winning(tmp_path: Path) -> Path:
    """Write a day that loses 800 in the morning and wins 1200 afterwards."""
    export = tmp_path / "orders.csv"
    rows = [
        order_row(FilledAt="03/10/2026 09:31:00 -05:00"),
        order_row(Id="2", Side="Ask", ExecutePrice="17800.00", FilledAt="03/10/2026 09:40:00 -05:00"),
        order_row(Id="3", FilledAt="03/10/2026 13:00:00 -05:00"),
        order_row(Id="4", Side="Ask", ExecutePrice="18300.00", FilledAt="03/10/2026 13:30:00 -05:00"),
    ]
    export.write_bytes(orders(*rows))
    return export


def test_two_rule_files_are_compared_day_by_day(tmp_path: Path) -> None:
    """The strict rules stop a day that recovers: they cost, the loose ones change nothing, and the totals say so."""
    export = losing_then_winning(tmp_path)
    strict, loose = rules_file(tmp_path / "strict.json", STRICT), rules_file(tmp_path / "loose.json", LOOSE)
    answer = json.loads(invoke(export, "--rules", strict, "--against", loose, "--json").stdout)
    comparison = answer["comparison"]
    assert comparison["rules"] == {
        "file": str(strict),
        "days": [
            {
                "trading_day": "2026-03-10",
                "account": "ACCT-A",
                "as_traded": "400.00",
                "under_rules": "-800.00",
                "saved": "-1200.00",
                "first": {
                    "rule": "DailyRealizedLoss",
                    "at": "2026-03-10T14:40:00Z",
                    "action": "set_lockout",
                    "reason": "daily loss -800.00 USD is past limit -500.00 USD",
                },
                "locked_at": "2026-03-10T14:40:00Z",
                "locked_until": "2026-03-10T22:00:00Z",
                "fills_not_made": 2,
            }
        ],
        "total": {"as_traded": "400.00", "under_rules": "-800.00", "saved": "-1200.00", "days_locked": 1},
    }
    assert comparison["against"]["total"]["saved"] == "0.00"
    assert comparison["against"]["days"][0]["first"] is None
    assert comparison["difference"] == {"days": ["1200.00"], "total": "1200.00"}
    assert answer["days"][0]["net"] == "400.00"


def test_a_comparison_is_shown_to_people_in_80_columns(tmp_path: Path) -> None:
    """Both files, both results, what each did first, who comes out ahead, and what all of it assumes."""
    export = losing_then_winning(tmp_path)
    strict, loose = rules_file(tmp_path / "strict.json", STRICT), rules_file(tmp_path / "loose.json", LOOSE)
    result = invoke(export, "--rules", strict, "--against", loose)
    assert result.exit_code == 0, result.output
    shown = unwrapped(result.stdout)
    assert unwrapped(f"A is {strict}") in shown
    assert unwrapped("2026-03-10 400.00 -800.00 -1200.00 400.00 0.00 1200.00") in shown
    assert unwrapped("DailyRealizedLoss: set lockout") in shown
    assert unwrapped("Under A (strict.json): -800.00, costs 1200.00, locked on 1 of 1 days") in shown
    assert unwrapped("Under B (loose.json): 400.00, the same, locked on 0 of 1 days") in shown
    assert unwrapped("B would have ended 1200.00 USD better.") in shown
    assert unwrapped("without slippage") in shown
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_the_same_rules_twice_make_no_difference(tmp_path: Path) -> None:
    """A file against itself ends the same."""
    export, strict = losing_then_winning(tmp_path), rules_file(tmp_path / "strict.json", STRICT)
    shown = invoke(export, "--rules", strict, "--against", strict).stdout
    assert "Both would have come to the same." in shown


def test_rules_that_never_act_say_so(tmp_path: Path) -> None:
    """Nothing is listed where neither file would have done anything."""
    export, loose = losing_then_winning(tmp_path), rules_file(tmp_path / "loose.json", LOOSE)
    assert "Neither would have done anything." in invoke(export, "--rules", loose, "--against", loose).stdout


def test_accounts_are_told_apart(tmp_path: Path) -> None:
    """Two accounts of one day are two rows with their names, each under its own rules."""
    export = tmp_path / "orders.csv"
    sold = {"Side": "Ask", "ExecutePrice": "17700", "FilledAt": "03/10/2026 09:32:00 -05:00"}
    rows = [
        order_row(Id="1", FilledAt="03/10/2026 09:31:00 -05:00"),
        order_row(Id="2", **sold),
        order_row(Id="3", AccountName="ACCT-B", FilledAt="03/10/2026 09:31:00 -05:00"),
        order_row(Id="4", AccountName="ACCT-B", **sold),
    ]
    export.write_bytes(orders(*rows))
    accounts = [{"id": "ACCT-B", "overrides": [LOOSE]}]
    mine = rules_file(tmp_path / "mine.json", STRICT, accounts=accounts)
    other = rules_file(tmp_path / "other.json", LOOSE)
    answer = json.loads(invoke(export, "--rules", mine, "--against", other, "--json").stdout)
    assert [d["locked_at"] is not None for d in answer["comparison"]["rules"]["days"]] == [True, False]
    shown = invoke(export, "--rules", mine, "--against", other).stdout
    assert "ACCT-A" in shown
    assert "ACCT-B" in shown


def test_the_file_that_is_wrong_is_named_with_key_and_line(tmp_path: Path) -> None:
    """One run tells of every mistake in either file; a mistake in a file that is given twice is said once."""
    export, wrong = losing_then_winning(tmp_path), tmp_path / "wrong.json"
    wrong.write_text(
        '{"version": 1,\n "profiles": {"default": {"rules": [\n'
        '{"rule": "DailyRealizedLoss", "params": {"limit": 500}}]}}}',
        encoding="utf-8",
    )
    result = invoke(export, "--rules", tmp_path / "missing.json", "--against", wrong)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "missing.json" in result.stderr
    assert "wrong.json:3" in result.stderr
    assert "limit" in result.stderr
    twice = invoke(export, "--rules", wrong, "--against", wrong)
    assert len(twice.stderr.splitlines()) == len(set(twice.stderr.splitlines()))


def test_nothing_can_be_compared_with_nothing(tmp_path: Path) -> None:
    """--against without --rules says what is missing."""
    export, loose = losing_then_winning(tmp_path), rules_file(tmp_path / "loose.json", LOOSE)
    result = invoke(export, "--against", loose)
    assert result.exit_code == 2
    assert "--rules" in result.stderr


def test_rules_that_a_record_cannot_judge_are_left_out_and_named(tmp_path: Path) -> None:
    """Without working stops and a balance, two rules would only guess."""
    export = losing_then_winning(tmp_path)
    grace = {"rule": "NoStopLossGrace", "params": {"grace_period": "30s"}}
    drawdown = {"rule": "AccountDrawdown", "params": {"kind": "static", "start_balance": "50000", "drawdown": "2000"}}
    rules = rules_file(tmp_path / "rules.json", grace, drawdown)
    answer = json.loads(invoke(export, "--rules", rules, "--json").stdout)
    assert answer["unjudged_rules"] == ["AccountDrawdown", "NoStopLossGrace"]
    assert answer["days"][0]["actions"] == []
    assert "comparison" not in answer
    shown = unwrapped(invoke(export, "--rules", rules).stdout)
    assert unwrapped("NoStopLossGrace is not judged: a record does not tell which stops were working") in shown


def test_amounts_add_up_to_the_cent(tmp_path: Path) -> None:
    """Averaged prices with endless decimals make amounts of fractions of a cent; what is shown adds up all the same."""
    export = tmp_path / "orders.csv"
    rows = []
    for day in (10, 11, 12):
        date = f"03/{day}/2026"
        rows += [
            order_row(Id=f"{day}1", Size="3", ExecutePrice="18000.333333333", FilledAt=f"{date} 09:31:00 -05:00"),
            order_row(Id=f"{day}2", Size="1", Side="Ask", ExecutePrice="17900.00", FilledAt=f"{date} 09:32:00 -05:00"),
            order_row(Id=f"{day}3", Size="2", Side="Ask", ExecutePrice="18100.00", FilledAt=f"{date} 09:33:00 -05:00"),
        ]
    export.write_bytes(orders(*rows))
    early = {"rule": "DailyRealizedLoss", "params": {"limit": "-100.00"}}
    strict, loose = rules_file(tmp_path / "strict.json", early), rules_file(tmp_path / "loose.json", LOOSE)
    comparison = json.loads(invoke(export, "--rules", strict, "--against", loose, "--json").stdout)["comparison"]
    assert comparison["rules"]["total"]["days_locked"] == 3
    for under in (comparison["rules"], comparison["against"]):
        assert sum(Decimal(day["saved"]) for day in under["days"]) == Decimal(under["total"]["saved"])
        assert all(Decimal(d["under_rules"]) - Decimal(d["as_traded"]) == Decimal(d["saved"]) for d in under["days"])
    assert sum(map(Decimal, comparison["difference"]["days"])) == Decimal(comparison["difference"]["total"])


def test_a_narrow_terminal_loses_no_column(tmp_path: Path) -> None:
    """On sixty columns the days and every figure are still there."""
    export = losing_then_winning(tmp_path)
    strict, loose = rules_file(tmp_path / "strict.json", STRICT), rules_file(tmp_path / "loose.json", LOOSE)
    words = ["replay", str(export), "--rules", str(strict), "--against", str(loose)]
    shown = CliRunner(env={"COLUMNS": "60"}).invoke(app, words).stdout
    assert shown.count("2026-03-10") == 3
    assert "1200.00" in shown


def test_an_export_without_a_fill_says_so(tmp_path: Path) -> None:
    """No table of nothing, but one sentence, and what is wrong with the rows."""
    export, loose = tmp_path / "orders.csv", rules_file(tmp_path / "loose.json", LOOSE)
    export.write_bytes(orders(order_row(Size="many")))
    result = invoke(export, "--rules", loose, "--against", loose)
    assert result.exit_code == 0
    assert "There is no fill in what was given." in result.stdout
    assert "Size is not a number of contracts" in unwrapped_lines(result.stdout)
    assert "would" not in result.stdout


def unwrapped_lines(text: str) -> str:
    """Return a text with its lines put together."""
    return " ".join(text.split())

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from riskd.app.main import app
from tests.unit.test_replay.exports import order_row, orders, trade_row, trades


def invoke(*arguments: str | Path) -> Result:
    """Run ``riskd replay`` on a terminal of the usual width."""
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, ["replay", *map(str, arguments)])


def files(tmp_path: Path) -> tuple[Path, Path]:
    """Write a losing day of orders, and rules with a daily limit."""
    export, rules = tmp_path / "orders.csv", tmp_path / "rules.json"
    rows = [
        order_row(),
        order_row(Id="2", Side="Ask", ExecutePrice="17800.25", FilledAt="03/10/2026 15:40:00 +01:00"),
        order_row(Id="3", FilledAt="03/10/2026 15:50:00 +01:00"),
        order_row(Id="4", Status="Cancelled", Size="5"),
        order_row(Id="5", Size="many"),
        order_row(),
    ]
    export.write_bytes(orders(*rows))
    rule = {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}}
    rules.write_text(json.dumps({"version": 1, "profiles": {"default": {"rules": [rule]}}}), encoding="utf-8")
    return export, rules


def unwrapped(text: str) -> str:
    """Return a text without white space: where its lines are broken depends on how long the folder's name is."""
    return "".join(text.split())


def test_a_day_is_shown_to_people(tmp_path: Path) -> None:
    """One line a day, what the rules would have done, and everything that does not fit."""
    export, rules = files(tmp_path)
    result = invoke(export, "--rules", rules)
    assert result.exit_code == 0, result.output
    shown = unwrapped(result.stdout)
    assert unwrapped("2026-03-10 3 -799.00 -799.00 0.00 2") in shown
    assert unwrapped("2026-03-10 09:40:00 DailyRealizedLoss: set") in shown
    assert unwrapped("MNQH6 does not come to flat, long 2 at the end") in shown
    assert unwrapped("1 fills were given more than once") in shown
    assert unwrapped("orders.csv:5: cancelled after a part of its 5 MNQH6 had filled") in shown
    assert unwrapped("orders.csv:6: left out: Size is not a number of contracts: 'many'") in shown
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_fees_have_columns_of_their_own(tmp_path: Path) -> None:
    """Where fees are known, they and the net are shown; without rules nothing is judged."""
    export = tmp_path / "trades.csv"
    export.write_bytes(trades(trade_row()))
    shown = " ".join(invoke(export).stdout.split())
    assert "2026-03-10 2 40.00 1.48 38.52 -0.74 38.52 2" in shown
    assert "would" not in shown


def test_rules_that_never_act_are_said_to(tmp_path: Path) -> None:
    """A day that keeps every limit says so."""
    export, rules = files(tmp_path)
    export.write_bytes(orders(order_row()))
    assert "No rule would have acted." in invoke(export, "--rules", rules).stdout


def test_accounts_are_named_where_there_are_several(tmp_path: Path) -> None:
    """Two accounts in one export are told apart."""
    export = tmp_path / "orders.csv"
    export.write_bytes(orders(order_row(), order_row(Id="2", AccountName="ACCT-B")))
    shown = invoke(export).stdout
    assert "ACCT-A" in shown
    assert "ACCT-B" in shown


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Each file that cannot be used gets one sentence, nothing is shown, and the command exits with 2."""
    weather, rules = tmp_path / "weather.csv", tmp_path / "rules.json"
    weather.write_text("date,rain\n2026-03-10,much\n", encoding="utf-8")
    rules.write_text('{"version": 1, "profiles": {"default": {"rules": [{"rule": "MaxContract"}]}}}', encoding="utf-8")
    result = invoke(weather, tmp_path / "missing.csv", "--rules", rules, "--fees", tmp_path / "fees.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "weather.csv: expected a TopstepX Orders export" in result.stderr
    assert "missing.csv: cannot be read" in result.stderr
    assert 'did you mean "MaxContracts"?' in result.stderr
    assert "fees.csv: cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


def test_prices_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """A price file without prices is refused like any other."""
    export, _ = files(tmp_path)
    prices = tmp_path / "prices.csv"
    prices.write_text("when,what\n", encoding="utf-8")
    result = invoke(export, "--prices", prices)
    assert result.exit_code == 2
    assert "prices.csv: expected prices" in result.stderr


def test_an_account_of_the_configuration_gets_its_own_rules(tmp_path: Path) -> None:
    """An account that the rules file names is judged by its own rules, overrides included."""
    export, rules = files(tmp_path)
    config = json.loads(rules.read_text(encoding="utf-8"))
    override = {"rule": "DailyRealizedLoss", "params": {"limit": "-5000.00"}}
    config["accounts"] = [{"id": "ACCT-A", "overrides": [override]}]
    rules.write_text(json.dumps(config), encoding="utf-8")
    answer = json.loads(invoke(export, "--rules", rules, "--json").stdout)
    assert [day["actions"] for day in answer["days"]] == [[]]

import json
from pathlib import Path

import pytest

from riskd.app.scenario.language import RuleLine
from riskd.app.scenario.parser import UnreadableScenario, parse
from riskd.app.scenario.rule_changes import edited
from riskd.app.scenario.rules import rules_of
from riskd.rules.registry import canonical

HEAD = 'scenario "s"\n  date 2026-03-10\n'


def specs(head: str, file: str = "day.scenario", default: Path | None = None) -> dict[str, object]:
    """Return the canonical rules of every account, decoded."""
    (scenario,) = parse(file, HEAD + head + "\n09:31\n", default_rules=default is not None)
    return {account: json.loads(spec) for account, spec in rules_of(scenario, default).items()}


def test_settings_get_the_type_that_the_rule_wants() -> None:
    """Whole numbers are numbers where the rule counts, amounts stay exact text, lists are JSON."""
    session = 'SessionBlockOutside allowed_days=["Monday"] allowed_times=[{"start":"08:30","end":"15:00"}]'
    (rules,) = specs(
        f"rules A1 DailyRealizedLoss limit=-500 ; MaxContracts max_contracts=4 id=cap ; {session}"
    ).values()
    assert isinstance(rules, dict)
    loss, size, hours = rules["rules"]
    assert loss["params"] == {"limit": "-500"}
    assert (size["params"], size["id"]) == ({"max_contracts": 4}, "cap")
    assert hours["params"]["allowed_days"] == ["Monday"]


def test_a_rules_file_stands_beside_the_scenario(tmp_path: Path) -> None:
    """A named file is looked for where the scenario is."""
    rule = {"rule": "MaxContracts", "params": {"max_contracts": 9}}
    (tmp_path / "mine.json").write_text(json.dumps({"version": 1, "profiles": {"default": {"rules": [rule]}}}))
    (found,) = specs("rules A1 file mine.json", str(tmp_path / "day.scenario")).values()
    assert isinstance(found, dict)
    assert found["rules"][0]["params"] == {"max_contracts": 9}


def test_default_json_comes_with_riskd(tmp_path: Path) -> None:
    """Without a file of that name beside it, a scenario gets the one that riskd brings along."""
    (found,) = specs("rules A1 file default.json", str(tmp_path / "day.scenario")).values()
    assert isinstance(found, dict)
    assert [rule["rule"] for rule in found["rules"]] == ["MaxContracts", "DailyRealizedLoss", "SessionBlockOutside"]


def test_a_setting_reaches_the_configuration() -> None:
    """A set line changes any key, also of what comes from a file."""
    (found,) = specs("set pnl.price_source=bid_ask\nrules A1 file default.json").values()
    assert isinstance(found, dict)
    assert found["pnl"] == {"price_source": "bid_ask"}


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("rules A1 MaxContract max_contracts=4", 'there is no rule "MaxContract"; did you mean "MaxContracts"?'),
        ("rules A1 MaxContracts max_contract=4", 'did you mean "max_contracts"?'),
        ("rules A1 DailyRealizedLoss limit=500.00", "a loss limit is written negative"),
        ("rules A1 DailyRealizedLoss", "limit"),
        ("rules A1 MaxContracts max_contracts=[4", "expected JSON without spaces, found '[4'"),
        ("rules A1 file nowhere.json", "there is no such file"),
        ("set pnl.price=3\nrules A1 MaxContracts max_contracts=4", "expected settings that a configuration can have"),
    ],
)
def test_rules_that_cannot_be_used_are_refused_with_their_line(head: str, said: str) -> None:
    """Rules in a scenario are checked like those of any configuration."""
    with pytest.raises(UnreadableScenario) as refused:
        specs(head)
    (bad,) = refused.value.bad
    assert said in bad.why
    assert "\n" not in bad.why


SPEC = canonical({"rules": [{"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}}]})


def rules_after(line: RuleLine) -> list[object]:
    """Return the rules as they are written after an edit."""
    found: list[object] = json.loads(edited(SPEC, line))["rules"]
    return found


def test_an_edit_changes_one_rule() -> None:
    """A config line changes the settings it names, and leaves the others of the rule as they are."""
    assert rules_after(RuleLine("DailyRealizedLoss", {"basis": "worst"})) == [
        {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00", "basis": "worst"}}
    ]


def test_an_edit_may_add_a_rule_or_switch_one_off() -> None:
    """A rule that was not there is added; one that is not enabled is gone."""
    assert len(rules_after(RuleLine("MaxContracts", {"max_contracts": "1"}))) == 2
    assert rules_after(RuleLine("DailyRealizedLoss", {"enabled": "false"})) == []

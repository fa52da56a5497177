import json
from datetime import date
from pathlib import Path

import pytest

from riskd.config.loader import load
from riskd.config.suspicions import suspicions

TODAY = date(2026, 10, 15)
CHECKED = "(topstep-50k, checked 2026-09-29)"
Rule = dict[str, object]


def warned(directory: Path, *rules: Rule, today: date = TODAY, **changes: object) -> list[str]:
    """Return what is said about a profile of these rules, each as place and sentence."""
    document: dict[str, object] = {"version": 1, "profiles": {"default": {"rules": list(rules)}}, **changes}
    path = directory / "config.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return [str(found) for found in suspicions(load(path, environment={}, for_daemon=False), today)]


def rule(name: str, /, **params: object) -> Rule:
    """Return one rule."""
    return {"rule": name, "params": params}


LOSS = rule("DailyRealizedLoss", limit="-500.00")
SIZE = rule("MaxContracts", max_contracts=4)


def test_a_sensible_profile_is_not_suspected(tmp_path: Path) -> None:
    """Nothing to say is the usual case."""
    session = rule("SessionBlockOutside", preset="RTH")
    each = rule("MaxContractsPerInstrument", limits={"ES": 2})
    drawdown = rule("AccountDrawdown", kind="static", start_balance="50000.00", drawdown="2000.00")

    assert warned(tmp_path, LOSS, SIZE, session, each, drawdown) == []


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "profiles.default: this profile enforces nothing"),
        ([{**LOSS, "mode": "shadow"}], "DailyRealizedLoss is in shadow mode"),
        ([{**SIZE, "enabled": False}], "this profile enforces nothing"),
        (
            [rule("SessionBlockOutside", allowed_days=["Saturday"])],
            "rules[0]: this session never opens while the exchange does",
        ),
        (
            [rule("SessionBlockOutside", allowed_times=[{"start": "16:00", "end": "17:00"}])],
            "this session never opens",
        ),
        (
            [rule("SessionBlockOutside", preset="RTH", instruments={"GC": {"allowed_days": ["Saturday"]}})],
            "params.instruments: the session of GC never opens",
        ),
        ([rule("SymbolBlock", blocked_symbols=["MNQQ"])], 'riskd knows no product "MNQQ", so this may never match'),
        ([rule("MaxContractsPerInstrument", limits={"ESX": 1})], 'no product "ESX"'),
        ([rule("MaxContracts", max_contracts=0)], "allows no contract at all"),
        ([SIZE, rule("MaxContractsPerInstrument", limits={"ES": 4})], "ES can never exceed 4: all together may hold 4"),
        ([LOSS, {**rule("DailyRealizedLoss", limit="-900.00"), "id": "x"}], "rules[1]: can never be broken first"),
        (
            [rule("DailyRealizedProfit", limit="150.00"), rule("NoStopLossGrace", max_stop_risk="200.00")],
            "the day ends at 150.00 USD of profit, while one stop may cost 200.00 USD",
        ),
        (
            [LOSS, rule("NoStopLossGrace", max_stop_risk="600.00")],
            "the day ends at -500.00 USD, while one stop may cost 600.00 USD",
        ),
        (
            [LOSS, rule("AccountDrawdown", kind="static", start_balance="50000", drawdown="500")],
            "the account is over after a loss of 500.00 USD",
        ),
        ([LOSS, rule("UnrealizedLoss", limit="-500.00")], "only a day in profit reaches this"),
        ([rule("UnrealizedProfit", limit="0.10")], "0.10 USD is less than one tick of one MNQ (0.50 USD)"),
        ([rule("DailyRealizedLoss", limit="-0.25")], "-0.25 USD is less than one tick of one MNQ"),
        ([rule("NoStopLossGrace", max_stop_risk="0.20")], "0.20 USD is less than one tick of one MNQ"),
    ],
)
def test_what_can_hardly_be_meant_is_said(tmp_path: Path, rules: list[Rule], said: str) -> None:
    """Each with its place."""
    found = warned(tmp_path, *rules)

    assert any(said in line for line in found), found


def test_equal_rules_are_told_once(tmp_path: Path) -> None:
    """Of two that say the same the second is pointless."""
    found = warned(tmp_path, LOSS, {**LOSS, "id": "again"})

    assert len(found) == 1
    assert found[0].startswith("profiles.default.rules[1]")


def test_minis_are_not_compared_with_contracts(tmp_path: Path) -> None:
    """20 MNQ are two minis, so a limit of 20 for MNQ is no mistake under 4 minis."""
    minis = rule("MaxContracts", max_contracts=4, unit="minis")

    assert warned(tmp_path, minis, rule("MaxContractsPerInstrument", limits={"MNQ": 20})) == []


def test_settings_that_weaken_everything_are_said(tmp_path: Path) -> None:
    """Loosening at once, an account in shadow, a profile for nobody, nobody to tell."""
    found = warned(
        tmp_path,
        LOSS,
        loosening="immediate",
        accounts=[{"id": "101", "mode": "shadow"}],
        profiles={"default": {"rules": [LOSS]}, "spare": {"rules": [LOSS]}},
    )

    assert [line.split(":")[0] for line in found] == [
        "profiles.spare",
        "loosening",
        "accounts[0].mode",
        "notifications",
    ]


def preset(name: str, *rules: Rule) -> dict[str, object]:
    """Return profiles of which the default is meant for a firm's account size."""
    return {"default": {"preset": name, "rules": list(rules)}}


def test_limits_outside_the_firms_are_said(tmp_path: Path) -> None:
    """Six minis where the firm has five, and no drawdown at all."""
    rules = [
        rule("MaxContracts", max_contracts=6, unit="minis"),
        rule("DailyRealizedLoss", limit="-900.00"),
        rule("SessionBlockOutside", preset="topstep"),
    ]

    found = warned(tmp_path, profiles=preset("topstep-50k", *rules))

    assert found == [
        f"profiles.default.rules[0]: MaxContracts is not provably as strict as the firm's {CHECKED}",
        f"profiles.default: AccountDrawdown is missing, and the firm has one {CHECKED}",
    ]


def test_a_preset_that_is_old_or_unknown_is_said(tmp_path: Path) -> None:
    """Three months on the firm may say something else; a misspelt preset compares nothing."""
    found = warned(tmp_path, profiles=preset("topstep-50k", LOSS), today=date(2027, 1, 15))

    assert any("were last checked on 2026-09-29" in line for line in found)
    assert any('no preset "topstp-50k"' in line for line in warned(tmp_path, profiles=preset("topstp-50k", LOSS)))


def test_each_warning_has_its_line(tmp_path: Path) -> None:
    """As errors have."""
    path = tmp_path / "config.json"
    document = {"version": 1, "profiles": {"default": {"rules": [rule("MaxContracts", max_contracts=0)]}}}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, start=1) if '"max_contracts": 0' in text)

    assert [found.line for found in suspicions(load(path, environment={}, for_daemon=False), TODAY)] == [line]

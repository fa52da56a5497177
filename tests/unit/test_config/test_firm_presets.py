import json
from datetime import date

import pytest

from riskd.config.firm_presets import UnknownPreset, find_preset, firms, profile_of, with_preset
from riskd.config.models import Config
from riskd.config.specs import spec_for
from riskd.rules.registry import compile_rulebook

NAMES = [preset.name for firm in firms() for preset in firm.presets]


def test_every_firm_says_where_its_rules_come_from_and_when_somebody_looked() -> None:
    """A number without a source and a date is a rumour."""
    assert [firm.firm for firm in firms()] == sorted(firm.firm for firm in firms())
    for firm in firms():
        assert all(source.startswith("https://") for source in firm.sources)
        assert firm.checked >= date(2026, 1, 1)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_can_be_used(name: str) -> None:
    """As a profile it compiles without a fault."""
    profile = profile_of(find_preset(name)[1])

    book = compile_rulebook("A1", spec_for(Config(version=1, profiles={"default": profile})))

    assert book.faults == ()
    assert {"MaxContracts", "AccountDrawdown"} <= {entry.rule.name for entry in book.entries}


def test_the_smallest_topstep_account_is_what_the_firm_says() -> None:
    """50,000: five minis, 2,000 below the highest close, never above the start."""
    firm, preset = find_preset("topstep-50k")

    assert firm.firm == "Topstep"
    params = {rule.rule: rule.params for rule in preset.rules}
    assert params["MaxContracts"] == {"max_contracts": 5, "unit": "minis"}
    assert params["AccountDrawdown"] == {
        "kind": "eod_trailing",
        "start_balance": "50000.00",
        "drawdown": "2000.00",
        "lock_at": "50000.00",
    }


@pytest.mark.parametrize(("days", "stale"), [(90, False), (91, True)])
def test_a_preset_goes_stale_after_ninety_days(days: int, stale: bool) -> None:  # noqa: FBT001 - a column
    """Firms change their rules."""
    firm, _ = find_preset("topstep-50k")

    assert firm.stale(date.fromordinal(firm.checked.toordinal() + days)) is stale


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    """A misspelt preset is not found, and not guessed."""
    with pytest.raises(UnknownPreset, match='did you mean "topstep-50k"'):
        find_preset("topstep50k")


def test_a_preset_becomes_a_profile_of_a_configuration() -> None:
    """What else the file says stays; the profile remembers what it was made from."""
    text = '{"version": 1, "accounts": [{"id": "101"}], "profiles": {"other": {"rules": []}}}'

    document = json.loads(with_preset(text, find_preset("topstep-100k")[1], "default"))

    assert document["accounts"] == [{"id": "101"}]
    assert list(document["profiles"]) == ["other", "default"]
    assert document["profiles"]["default"]["preset"] == "topstep-100k"
    assert document["profiles"]["default"]["rules"][0] == {
        "rule": "MaxContracts",
        "params": {"max_contracts": 10, "unit": "minis"},
    }
    Config.model_validate(document)


@pytest.mark.parametrize("text", ["[]", '{"profiles": []}'])
def test_a_preset_is_not_put_into_something_else(text: str) -> None:
    """What is no configuration is left alone."""
    with pytest.raises(TypeError):
        with_preset(text, find_preset("topstep-50k")[1], "default")

import json

from riskd.config.models import Config
from riskd.config.specs import spec_for, specs, unlisted_spec
from riskd.rules.registry import compile_rulebook


def config(**changes: object) -> Config:
    """Return a small configuration with changes to its top level."""
    text: dict[str, object] = {
        "version": 1,
        "universal": {"rules": [{"rule": "MaxContracts", "params": {"max_contracts": 10}}]},
        "profiles": {
            "default": {
                "rules": [
                    {"rule": "MaxContracts", "params": {"max_contracts": 4}},
                    {"rule": "DailyRealizedLoss", "id": "hard", "params": {"limit": "-500.00", "basis": "worst"}},
                    {"rule": "DailyRealizedLoss", "id": "off", "enabled": False, "params": {"limit": "-1.00"}},
                ]
            }
        },
    }
    return Config.model_validate({**text, **changes})


def rules(spec: str) -> dict[str, tuple[str, dict[str, object]]]:
    """Return the rules of a spec by id."""
    return {rule.get("id", rule["rule"]): (rule["mode"], rule["params"]) for rule in json.loads(spec)["rules"]}


def test_universal_rules_apply_beside_those_of_the_profile() -> None:
    """Both limits are in force, so neither can loosen the other; what is disabled is left out."""
    assert rules(spec_for(config())) == {
        "universal/MaxContracts": ("enforce", {"max_contracts": 10}),
        "MaxContracts": ("enforce", {"max_contracts": 4}),
        "hard": ("enforce", {"limit": "-500.00", "basis": "worst"}),
    }


def test_an_override_changes_what_it_names_and_keeps_the_rest() -> None:
    """One account's limit, mode and switch over its profile's."""
    overrides = [
        {"rule": "MaxContracts", "params": {"max_contracts": 3}},
        {"rule": "DailyRealizedLoss", "id": "hard", "mode": "shadow", "params": {"limit": "-400.00"}},
        {"rule": "DailyRealizedLoss", "id": "off", "enabled": True},
        {"rule": "SessionBlockOutside", "params": {"preset": "RTH"}},
    ]
    accounts = [{"id": "101", "mode": "shadow", "overrides": overrides}, {"id": "102"}]

    found = specs(config(accounts=accounts))

    assert list(found) == ["101", "102"]
    assert rules(found["101"]) == {
        "universal/MaxContracts": ("enforce", {"max_contracts": 10}),
        "MaxContracts": ("enforce", {"max_contracts": 3}),
        "hard": ("shadow", {"limit": "-400.00", "basis": "worst"}),
        "off": ("enforce", {"limit": "-1.00"}),
        "SessionBlockOutside": ("enforce", {"preset": "RTH"}),
    }
    assert json.loads(found["101"])["mode"] == "shadow"
    assert rules(found["102"]) == rules(spec_for(config()))


def test_a_spec_is_one_text_for_one_meaning_and_compiles() -> None:
    """The same configuration gives the same text, and the registry reads it without a fault."""
    settings = config(pnl={"stale_after": "30 seconds", "price_source": "bid_ask"})

    book = compile_rulebook("101", spec_for(settings))

    assert spec_for(settings) == spec_for(config(pnl={"price_source": "bid_ask", "stale_after": "PT30S"}))
    assert book.faults == ()
    assert (book.settings.stale_after_ms, book.settings.price_source) == (30_000, "bid_ask")


def test_accounts_that_are_not_named_are_reported_or_given_a_profile() -> None:
    """`alert` gives them no rules, a profile's name gives them that profile's."""
    assert unlisted_spec(config()) is None
    assert unlisted_spec(config(unlisted_accounts="default")) == spec_for(config())

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskd.rules import registry
from riskd.rules.contract import Mode
from riskd.rules.registry import RuleNotLoaded, canonical, compile_rulebook, rule_class, rule_names

SPEC = {
    "mode": "shadow",
    "pnl": {"price_source": "bid_ask"},
    "rules": [
        {"rule": "MaxContracts", "params": {"max_contracts": 4}},
        {"rule": "DailyRealizedLoss", "id": "soft", "mode": "shadow", "params": {"limit": "-400.00"}},
        {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}},
    ],
}


def test_built_in_rules_come_through_the_door_of_all_rules() -> None:
    """Every built-in rule is offered by the entry-point group that third parties use."""
    assert {"MaxContracts", "DailyRealizedLoss", "SessionBlockOutside"} <= set(rule_names())
    assert [rule_class(name).name for name in rule_names()] == list(rule_names())


def test_a_rulebook_is_ranked_and_keeps_the_order_within_a_rank() -> None:
    """Lockouts before size limits, as written among themselves; ids, modes and settings as given."""
    book = compile_rulebook("A1", canonical(SPEC))

    assert (book.account, book.mode, book.faults) == ("A1", Mode.SHADOW, ())
    assert book.settings.price_source == "bid_ask"
    assert [(e.rule_id, e.rule.name, e.mode) for e in book.entries] == [
        ("soft", "DailyRealizedLoss", Mode.SHADOW),
        ("DailyRealizedLoss", "DailyRealizedLoss", Mode.ENFORCE),
        ("MaxContracts", "MaxContracts", Mode.ENFORCE),
    ]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "MaxContract", "params": {}}, 'there is no rule "MaxContract"; did you mean "MaxContracts"?'),
        ({"rule": "Nonsense", "params": {}}, 'Nonsense: there is no rule "Nonsense"'),
        ({"rule": "MaxContracts", "params": {"max_contracts": -1}}, "MaxContracts: max_contracts: must be from 0"),
        ({"rule": "DailyRealizedLoss", "params": {"limit": "500"}}, "written negative"),
    ],
)
def test_a_rule_that_cannot_load_is_a_fault_and_the_others_stay(rule: dict[str, object], said: str) -> None:
    """What is wrong is said; the rules that can be loaded are in force."""
    book = compile_rulebook("A1", canonical({"rules": [rule, SPEC["rules"][0]]}))  # type: ignore[index] # a literal above

    assert [entry.rule_id for entry in book.entries] == ["MaxContracts"]
    assert any(said in fault for fault in book.faults)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rules": 3}', '{"rulez": []}', '{"rules": [{"params": {}}]}'])
def test_a_text_that_is_no_rulebook_is_a_fault(text: str) -> None:
    """An account whose rules cannot be read is not an account without rules."""
    assert compile_rulebook("A1", text).faults


def test_two_rules_of_one_id_are_a_fault() -> None:
    """Episodes are kept by id, so an id is one rule's."""
    rule = {"rule": "MaxContracts", "params": {"max_contracts": 4}}

    assert compile_rulebook("A1", canonical({"rules": [rule, rule]})).faults == (
        "MaxContracts: two rules have this id",
    )


def test_settings_that_cannot_be_read_are_a_fault() -> None:
    """P&L is never reckoned by settings that nobody wrote without saying so."""
    assert compile_rulebook("A1", '{"pnl": {"price_source": "mid"}}').faults


THIRD_PARTY = """
from typing import ClassVar

from riskd.domain.violations import ActionType, EnforcementAction
from riskd.rules.contract import Category
from riskd.rules.params import ConfiguredRule, RuleParams


class Odd(RuleParams):
    day: int


class OddDaysRule(ConfiguredRule):
    name: ClassVar[str] = "OddDays"
    category: ClassVar[Category] = Category.ALERT
    Params: ClassVar[type[RuleParams]] = Odd

    def __init__(self, params):
        if Odd.model_validate(params).day == 13:
            raise OSError("not on the thirteenth")

    def evaluate(self, event, state):
        return None

    def get_enforcement_action(self, violation):
        return EnforcementAction(action_type=ActionType.ALERT)


class Impostor(OddDaysRule):
    pass


class Unrelated:
    pass
"""
ENTRY_POINTS = """[riskd.rules]
OddDays = odd_days:OddDaysRule
OddNights = odd_days:Impostor
Unrelated = odd_days:Unrelated
Missing = odd_days:Nothing
Absent = odd_nights:Rule
MaxContracts = odd_days:OddDaysRule
"""


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package with rules of its own, good and bad."""
    (tmp_path / "odd_days.py").write_text(THIRD_PARTY, encoding="utf-8")
    metadata = tmp_path / "odd_days-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-days\nVersion: 1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry.forget_installed()
    yield
    sys.modules.pop("odd_days", None)
    monkeypatch.undo()
    registry.forget_installed()


@pytest.mark.usefixtures("third_party")
def test_a_third_partys_rule_is_loaded_by_its_name() -> None:
    """A package that offers the entry point is all it takes."""
    book = compile_rulebook("A1", '{"rules": [{"rule": "OddDays", "params": {"day": 3}}]}')

    assert (book.faults, [entry.rule.name for entry in book.entries]) == ((), ["OddDays"])


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("OddNights", 'calls itself "OddDays"'),
        ("Unrelated", "is no ConfiguredRule"),
        ("Missing", "AttributeError"),
        ("Absent", "ModuleNotFoundError"),
        ("MaxContracts", "is offered by odd-days and riskd; uninstall one"),
    ],
)
def test_a_rule_that_is_not_what_it_says_is_not_loaded(name: str, said: str) -> None:
    """Nothing is loaded on trust, and nobody replaces a built-in rule."""
    with pytest.raises(RuleNotLoaded, match=said):
        rule_class(name)


@pytest.mark.usefixtures("third_party")
def test_whatever_a_constructor_raises_is_a_fault() -> None:
    """Another's mistake costs its own rule, not the rulebook."""
    book = compile_rulebook("A1", '{"rules": [{"rule": "OddDays", "params": {"day": 13}}]}')

    assert book.faults == ('OddDays: the rule "OddDays" cannot be loaded: OSError: not on the thirteenth',)

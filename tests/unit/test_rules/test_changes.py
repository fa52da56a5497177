import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.domain.account_view import AccountView
from riskd.rules.contract import RulesChange
from riskd.rules.registry import canonical, compile_rulebook
from tests.support.rule_builders import account, position, view

Rule = dict[str, object]


def change_of(old: str, new: str) -> RulesChange:
    """Compare two texts with the rules that are installed."""
    compare = compile_rulebook("A1", old).compare
    assert compare is not None
    return compare(new)


def spec(*rules: Rule, mode: str = "enforce", pnl: dict[str, object] | None = None) -> str:
    """Return canonical rules."""
    entries = [{"mode": "enforce", **rule} for rule in rules]
    return canonical({"mode": mode, "pnl": pnl or {}, "rules": entries})


def size(most: object, **more: object) -> Rule:
    """Return a MaxContracts rule."""
    return {"rule": "MaxContracts", "params": {"max_contracts": most, **more}}


def loss(limit: str, **more: object) -> Rule:
    """Return a DailyRealizedLoss rule."""
    return {"rule": "DailyRealizedLoss", "params": {"limit": limit, **more}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([size(4)], [size(3)]),
        ([size(4)], [size(4), loss("-500.00")]),
        ([loss("-500.00")], [loss("-400.00", basis="worst")]),
        ([loss("-500.00")], [loss("-500.00", reserve="20.00")]),
        ([{**loss("-500.00"), "mode": "shadow"}], [loss("-900.00")]),
        ([{**loss("-500.00"), "mode": "shadow"}], []),
        ([size(4, count_working=False)], [size(4)]),
    ],
)
def test_what_is_tighter_applies_at_once(old: list[Rule], new: list[Rule]) -> None:
    """Nothing waits."""
    change = change_of(spec(*old), spec(*new))

    assert (change.spec, change.waiting, change.later) == (spec(*new), (), ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([size(4)], [size(5)]),
        ([size(4)], []),
        ([loss("-500.00", basis="worst")], [loss("-500.00")]),
        ([loss("-500.00", reserve="20.00")], [loss("-500.00")]),
        ([loss("-500.00")], [{**loss("-500.00"), "mode": "shadow"}]),
        ([size(4)], [size(4, count_working=False)]),
    ],
)
def test_what_is_looser_waits(old: list[Rule], new: list[Rule]) -> None:
    """The old rules stay in force, and the new ones are kept for later."""
    change = change_of(spec(*old), spec(*new))

    assert (change.spec, change.at_once) == (spec(*old), ())
    assert change.waiting


def test_where_neither_is_stricter_both_apply() -> None:
    """4 contracts become 3 minis: until the change is complete neither may be exceeded."""
    change = change_of(spec(size(4)), spec(size(3, unit="minis")))

    ids = [(rule.get("id", rule["rule"]), rule["params"]) for rule in json.loads(change.spec)["rules"]]
    assert ids == [
        ("MaxContracts", {"max_contracts": 4}),
        ("MaxContracts (coming)", {"max_contracts": 3, "unit": "minis"}),
    ]
    assert change.at_once == ("MaxContracts beside it: max_contracts 3, unit minis",)
    assert change.later == ("MaxContracts max_contracts 4 → 3", "MaxContracts unit contracts → minis")
    assert change.waiting == ("MaxContracts",)


def test_a_change_of_some_rules_is_taken_apart() -> None:
    """The tighter one applies, the looser one waits."""
    change = change_of(spec(size(4), loss("-500.00")), spec(size(3), loss("-900.00")))

    assert change.spec == spec(size(3), loss("-500.00"))
    assert change.at_once == ("MaxContracts max_contracts 4 → 3",)
    assert change.later == ("DailyRealizedLoss limit -500.00 → -900.00",)
    assert change.waiting == ("DailyRealizedLoss",)


def test_a_rule_that_becomes_another_under_its_id_is_no_tightening() -> None:
    """Both apply until the old one may go."""
    change = change_of(spec({**size(4), "id": "cap"}), spec({**loss("-100.00"), "id": "cap"}))

    assert [rule["rule"] for rule in json.loads(change.spec)["rules"]] == ["MaxContracts", "DailyRealizedLoss"]
    assert change.waiting == ("cap",)


def test_an_account_in_shadow_may_change_at_will() -> None:
    """It has enforced nothing so far; the other way round is a loosening."""
    strict, lax = spec(size(4)), spec(size(9), mode="shadow")

    assert change_of(lax, strict).spec == strict
    change = change_of(strict, lax)
    assert (change.spec, change.waiting) == (strict, ("MaxContracts", "mode"))


def test_how_pnl_is_reckoned_is_a_limit_too() -> None:
    """Another price source waits, though the rules did not change."""
    old, new = spec(size(4)), spec(size(4), pnl={"price_source": "bid_ask"})

    change = change_of(old, new)

    assert (change.spec, change.later) == (old, ("pnl.price_source last → bid_ask",))
    assert not change_of(spec(pnl={"stale_after": "10s"}), spec(pnl={"stale_after": "5s"})).waiting


def test_nothing_can_be_proved_of_a_rule_that_cannot_be_loaded() -> None:
    """Both stay, and the account takes no new risk while one is a fault."""
    old, new = spec({"rule": "Gone", "params": {"x": 1}}), spec({"rule": "Gone", "params": {"x": 2}})

    change = change_of(old, new)

    assert len(json.loads(change.spec)["rules"]) == 2
    assert compile_rulebook("A1", change.spec).faults


def test_coming_rules_do_not_pile_up() -> None:
    """The same change again adds nothing, another one is added once, and what a tighter rule covers is left out."""
    once = change_of(spec(size(4)), spec(size(3, unit="minis"))).spec
    assert change_of(once, spec(size(3, unit="minis"))).spec == once

    twice = change_of(once, spec(size(2, unit="minis"))).spec
    assert [rule.get("id", rule["rule"]) for rule in json.loads(twice)["rules"]] == [
        "MaxContracts",
        "MaxContracts (coming) 2",
        "MaxContracts (coming)",
    ]

    back = change_of(twice, spec(size(4)))
    assert back.spec == twice
    assert back.waiting == ("MaxContracts",)

    covered = change_of(once, spec(size(0)))
    assert [rule["params"] for rule in json.loads(covered.spec)["rules"]] == [
        {"max_contracts": 0},
        {"max_contracts": 3, "unit": "minis"},
    ]


def test_what_to_loosen_is_a_part_of_the_rules() -> None:
    """To let changes apply at once is itself a change that waits; once it holds, everything applies."""
    strict, free = spec(size(4)), canonical({**json.loads(spec(size(4))), "loosening": "immediate"})

    assert change_of(strict, free).waiting == ("loosening",)
    assert change_of(strict, free).spec == strict
    assert change_of(free, spec(size(9))) == RulesChange(
        spec(size(9)), ("MaxContracts max_contracts 4 → 9", "loosening immediate → next_day")
    )


SIZES = st.builds(
    size,
    st.integers(0, 6),
    unit=st.sampled_from(["contracts", "minis"]),
    order=st.sampled_from(["lifo", "largest_risk"]),
)
LOSSES = st.builds(
    loss,
    st.integers(1, 8).map(lambda hundreds: f"-{hundreds}00.00"),
    basis=st.sampled_from(["combined", "realized", "worst"]),
    reserve=st.sampled_from(["0", "50.00", "150.00"]),
)
EACH: st.SearchStrategy[Rule] = st.builds(
    lambda limits, default: {
        "rule": "MaxContractsPerInstrument",
        "params": {"limits": limits, "default": default},
    },
    st.dictionaries(st.sampled_from(["MNQ", "ES"]), st.integers(0, 4), min_size=1),
    st.none() | st.integers(0, 3),
)
SPECS = st.tuples(SIZES | st.none(), LOSSES | st.none(), EACH | st.none()).map(
    lambda rules: spec(*(rule for rule in rules if rule is not None))
)
ACCOUNTS = st.builds(
    lambda mnq, es, realized, mark: view(
        account(positions=[position(root, q) for root, q in (("MNQ", mnq), ("ES", es)) if q], realized=f"{realized}00"),
        marks={"MNQ": str(21000 + mark), "ES": "5800"},
    ),
    st.integers(-5, 5),
    st.integers(-5, 5),
    st.integers(-9, 3),
    st.integers(-50, 50),
)


def broken(text: str, state: AccountView) -> bool:
    """Tell whether any rule of a spec is broken in this state."""
    return any(entry.rule.evaluate(None, state) is not None for entry in compile_rulebook("A1", text).entries)


def assert_as_strict_as_both(old: str, new: str, state: AccountView) -> None:
    """Check that what applies now stops whatever either of the two stops."""
    change = change_of(old, new)

    if broken(old, state) or broken(new, state):
        assert broken(change.spec, state)


@settings(max_examples=20)
@given(old=SPECS, new=SPECS, state=ACCOUNTS)
def test_no_change_loosens_before_its_time(old: str, new: str, state: AccountView) -> None:
    """Until a change is complete, whatever the old or the new rules would have stopped is stopped."""
    assert_as_strict_as_both(old, new, state)


@pytest.mark.slow
@settings(max_examples=300)
@given(old=SPECS, new=SPECS, state=ACCOUNTS)
def test_no_change_loosens_before_its_time_at_length(old: str, new: str, state: AccountView) -> None:
    """The same, long enough to meet the odd pairs."""
    assert_as_strict_as_both(old, new, state)

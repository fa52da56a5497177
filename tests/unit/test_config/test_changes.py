import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.config.changes import change_of, loosening_due, tighter_or_equal
from riskd.config.config_changes import compare
from riskd.config.models import Config
from riskd.domain.account_view import AccountView
from riskd.rules.daily_realized_loss import DailyRealizedLossParams
from riskd.rules.max_contracts import MaxContractsParams
from riskd.rules.registry import canonical, compile_rulebook
from tests.support.rule_builders import account, ct, position, view

Rule = dict[str, object]


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

    assert (change.now, change.then) == (spec(*new), None)


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

    assert (change.now, change.then) == (spec(*old), spec(*new))
    assert not all(difference.tighter for difference in change.changes)


def test_where_neither_is_stricter_both_apply() -> None:
    """4 contracts become 3 minis: until the change is complete neither may be exceeded."""
    change = change_of(spec(size(4)), spec(size(3, unit="minis")))

    ids = [(rule.get("id", rule["rule"]), rule["params"]) for rule in json.loads(change.now)["rules"]]
    assert ids == [
        ("MaxContracts", {"max_contracts": 4}),
        ("MaxContracts (coming)", {"max_contracts": 3, "unit": "minis"}),
    ]
    assert change.then == spec(size(3, unit="minis"))


def test_a_change_of_some_rules_is_taken_apart() -> None:
    """The tighter one applies, the looser one waits."""
    change = change_of(spec(size(4), loss("-500.00")), spec(size(3), loss("-900.00")))

    assert change.now == spec(size(3), loss("-500.00"))
    assert change.then == spec(size(3), loss("-900.00"))
    assert [(str(difference), difference.tighter) for difference in change.changes] == [
        ("MaxContracts max_contracts: 4 → 3", True),
        ("DailyRealizedLoss limit: -500.00 → -900.00", False),
    ]


def test_a_rule_that_becomes_another_under_its_id_is_no_tightening() -> None:
    """Both apply until the old one may go."""
    change = change_of(spec({**size(4), "id": "cap"}), spec({**loss("-100.00"), "id": "cap"}))

    assert [rule["rule"] for rule in json.loads(change.now)["rules"]] == ["MaxContracts", "DailyRealizedLoss"]
    assert change.then is not None


def test_an_account_in_shadow_may_change_at_will() -> None:
    """It has enforced nothing so far; the other way round is a loosening."""
    strict, lax = spec(size(4)), spec(size(9), mode="shadow")

    assert change_of(lax, strict).then is None
    change = change_of(strict, lax)
    assert (change.now, change.then) == (strict, lax)


def test_how_pnl_is_reckoned_is_a_limit_too() -> None:
    """Another price source waits, though the rules did not change."""
    old, new = spec(size(4)), spec(size(4), pnl={"price_source": "bid_ask"})

    change = change_of(old, new)

    assert (change.now, change.then) == (old, new)
    assert [str(difference) for difference in change.changes] == ["pnl price_source: last → bid_ask"]
    assert change_of(spec(pnl={"stale_after": "10s"}), spec(pnl={"stale_after": "5s"})).then is None


def test_nothing_can_be_proved_of_a_rule_that_cannot_be_loaded() -> None:
    """Both stay, and the account takes no new risk while one is a fault."""
    old, new = spec({"rule": "Gone", "params": {"x": 1}}), spec({"rule": "Gone", "params": {"x": 2}})

    change = change_of(old, new)

    assert len(json.loads(change.now)["rules"]) == 2
    assert compile_rulebook("A1", change.now).faults


def test_parameters_of_two_kinds_are_never_tighter() -> None:
    """A size is no loss."""
    size_params = MaxContractsParams.model_validate({"max_contracts": 1})

    assert not tighter_or_equal(size_params, DailyRealizedLossParams.model_validate({"limit": "-1.00"}))
    assert tighter_or_equal(size_params, size_params)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2025-10-15 04:59:59", "2025-10-15 17:00"),
        ("2025-10-15 05:00:00", "2025-10-15 17:00"),
        ("2025-10-15 05:00:01", "2025-10-16 17:00"),
        ("2025-10-15 16:59:00", "2025-10-16 17:00"),
        ("2025-10-17 12:00:00", "2025-10-20 17:00"),
        ("2025-10-18 12:00:00", "2025-10-20 17:00"),
        ("2026-03-08 12:00:00", "2026-03-09 17:00"),
        ("2025-11-02 12:00:00", "2025-11-03 17:00"),
    ],
)
def test_a_loosening_waits_for_a_reset_that_is_half_a_day_away(at: str, due: str) -> None:
    """The first 17:00 Chicago time at least 12 hours away, never on a weekend."""
    assert loosening_due(ct(at)) == ct(due)


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
        assert broken(change.now, state)


@settings(max_examples=20)
@given(old=SPECS, new=SPECS, state=ACCOUNTS)
def test_no_change_loosens_before_its_time(old: str, new: str, state: AccountView) -> None:
    """Until a change is complete, whatever the old or the new rules would have stopped is stopped."""
    assert_as_strict_as_both(old, new, state)


@pytest.mark.slow
@settings(max_examples=2000)
@given(old=SPECS, new=SPECS, state=ACCOUNTS)
def test_no_change_loosens_before_its_time_at_length(old: str, new: str, state: AccountView) -> None:
    """The same, long enough to meet the odd pairs."""
    assert_as_strict_as_both(old, new, state)


def config(**changes: object) -> Config:
    """Return a small configuration with changes to its top level."""
    rules = {"default": {"rules": [size(4)]}, "strict": {"rules": [size(1)]}}
    return Config.model_validate({"version": 1, "accounts": [{"id": "101"}], "profiles": rules, **changes})


def test_an_account_that_is_no_longer_named_keeps_its_rules_for_now() -> None:
    """Leaving it out of the file is no way round a limit."""
    change = compare(config(), config(accounts=[{"id": "102"}]))

    assert change.accounts["101"].now == spec(size(4))
    assert change.accounts["101"].then is not None
    assert change.accounts["102"].then is None
    assert change.waits


def test_a_new_account_is_compared_with_what_applied_to_it_unnamed() -> None:
    """An account that had the strict profile unnamed cannot be named into a looser one at once."""
    old = config(unlisted_accounts="strict")
    new = config(unlisted_accounts="strict", accounts=[{"id": "101"}, {"id": "102"}])

    assert compare(old, new).accounts["102"].now == spec(size(1))


@pytest.mark.parametrize(
    ("old", "new", "waits"),
    [
        ({"loosening": "next_day"}, {"loosening": "immediate"}, True),
        ({"loosening": "immediate"}, {"loosening": "next_day"}, False),
        ({"arming": "enforce"}, {"arming": "shadow"}, True),
        ({"admin_under_lockout": "allow"}, {"admin_under_lockout": "refuse"}, False),
        ({"unlisted_accounts": "alert"}, {"unlisted_accounts": "strict"}, False),
        ({"unlisted_accounts": "strict"}, {"unlisted_accounts": "alert"}, True),
        ({}, {}, False),
        ({}, {"api": {"port": 0}}, False),
    ],
)
def test_the_guards_of_the_rules_are_guarded(old: dict[str, object], new: dict[str, object], waits: bool) -> None:  # noqa: FBT001 - a column
    """A setting that would let rules be loosened is itself a loosening; a port is none."""
    assert compare(config(**old), config(**new)).waits is waits

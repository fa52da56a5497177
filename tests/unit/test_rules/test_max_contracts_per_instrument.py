from datetime import datetime

import pytest
from pydantic import ValidationError

from riskd.domain.events import ClockTicked, QuoteReported
from riskd.rules.max_contracts_per_instrument import MaxContractsPerInstrumentRule
from tests.support.rule_builders import NOON, account, closed_per_root, contract, ct, fill, order, position, view

LIMITS = {"limits": {"ES": 2, "MNQ": 5}, "default": 1}


@pytest.mark.parametrize(
    ("root", "held", "closed"),
    [
        ("ES", 2, 0),
        ("ES", 3, 1),
        ("ES", -2, 0),
        ("ES", -4, 2),
        ("MNQ", 5, 0),
        ("MNQ", 6, 1),
        ("GC", 1, 0),
        ("GC", 2, 1),
        ("NQ", 2, 1),
    ],
)
def test_each_product_has_its_limit(root: str, held: int, closed: int) -> None:
    """At the limit is allowed, above it the excess goes; a product that is not named has the default."""
    rule = MaxContractsPerInstrumentRule(params=LIMITS)

    violation = rule.evaluate(None, view(account(positions=[position(root, held)])))

    assert (closed_per_root(violation)[root] if violation else 0) == closed


def test_without_a_default_other_products_are_free() -> None:
    """Only what is named is limited."""
    rule = MaxContractsPerInstrumentRule(params={"limits": {"ES": 2}})

    assert rule.evaluate(None, view(account(positions=[position("GC", 50)]))) is None


def test_a_micro_is_no_mini() -> None:
    """Products are matched by root: MNQ is neither NQ nor M."""
    rule = MaxContractsPerInstrumentRule(params={"limits": {"NQ": 0, "MNQ": 3}})

    assert rule.evaluate(None, view(account(positions=[position("MNQ", 3)]))) is None
    assert rule.evaluate(None, view(account(positions=[position("NQ", 1)]))) is not None


def test_each_product_is_told_apart() -> None:
    """Two products over their limits are two violations, each closing its own newest contracts."""
    rule = MaxContractsPerInstrumentRule(params=LIMITS)
    state = view(account(positions=[position("ES", 2, 1, seq=1), position("MNQ", 7, seq=9)]))

    es, mnq = rule.violations(None, state)

    assert (es.key, es.current_value, es.limit_value, closed_per_root(es)) == ("ES", 3, 2, {"ES": 1})
    assert (mnq.key, mnq.current_value, mnq.limit_value, closed_per_root(mnq)) == ("MNQ", 7, 5, {"MNQ": 2})
    assert es.headline == "MaxContractsPerInstrument violated: 3 ES > 2"
    assert rule.get_enforcement_action(mnq).quantity == 2


def test_every_expiry_counts_and_the_newest_goes_first() -> None:
    """Two months of one product share its limit."""
    rule = MaxContractsPerInstrumentRule(params={"limits": {"ES": 2}})
    near = position("ES", 2, seq=1)
    far = type(near)(
        contract="CON.F.US.EP.H26", quantity=1, lots=position("ES", 1, seq=5).lots, opening_seq=5, opened_at=NOON
    )

    violation = rule.evaluate(None, view(account(positions=[near, far])))

    assert violation is not None
    assert [(cut.contract, cut.left) for cut in violation.reductions] == [("CON.F.US.EP.H26", 0)]


def test_the_rest_of_the_order_that_did_it_is_cancelled() -> None:
    """What has not filled of the order that went over goes with the close."""
    rule = MaxContractsPerInstrumentRule(params=LIMITS)
    state = view(account(orders=[order("O1", "ES", 5, filled=3)])).including(fill("ES", 3, order_id="O1"))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert violation.cancels == ("O1",)


@pytest.mark.parametrize("at", [ct("2025-10-15 17:00"), ct("2026-03-08 17:00"), ct("2025-11-02 17:00")])
def test_the_time_changes_nothing(at: datetime) -> None:
    """Neither the reset nor a clock change lifts the limit."""
    rule = MaxContractsPerInstrumentRule(params=LIMITS)

    assert rule.evaluate(ClockTicked(), view(account(positions=[position("ES", 3)], at=at), at=at)) is not None


def test_quotes_are_not_heard() -> None:
    """Prices change no size."""
    rule = MaxContractsPerInstrumentRule(params=LIMITS)

    assert not rule.applies_to(QuoteReported(contract=contract("ES"), at=NOON))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "limits nothing"),
        ({"limits": {"ESZ5": 2}}, 'write the product, "ES", not "ESZ5"'),
        ({"limits": {"es": 2}}, 'write the product, "ES", not "es"'),
        ({"limits": {"ENQ": 2}}, 'write the product, "NQ", not "ENQ"'),
        ({"limits": {"e-mini": 2}}, "is not a product"),
        ({"limits": {"ES": -1}}, "greater than or equal to 0"),
        ({"limits": {"ES": "2"}}, "valid integer"),
        ({"limits": {"ES": 2.0}}, "valid integer"),
        ({"default": 2, "limit": {}}, "Extra inputs"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object], said: str) -> None:
    """A symbol where a product belongs would limit nothing, so it is refused."""
    with pytest.raises(ValidationError, match=said):
        MaxContractsPerInstrumentRule(params=params)


@pytest.mark.parametrize(
    ("old", "new", "tighter"),
    [
        ({"limits": {"ES": 2}}, {"limits": {"ES": 2, "MNQ": 10}}, True),
        ({"limits": {"ES": 2}, "default": 1}, {"limits": {"ES": 2, "MNQ": 10}, "default": 1}, False),
        ({"limits": {"ES": 2}, "default": 1}, {"default": 1}, True),
        ({"limits": {"ES": 2}, "default": 3}, {"default": 3}, False),
        ({"default": 3}, {"limits": {"ES": 2}, "default": 3}, True),
        ({"default": 3}, {"limits": {"ES": 2}}, False),
    ],
)
def test_limits_and_default_are_compared_together(
    old: dict[str, object],
    new: dict[str, object],
    tighter: bool,  # noqa: FBT001 - a column
) -> None:
    """A limit that is added takes its product out of the default, which may be the smaller one."""
    params = MaxContractsPerInstrumentRule.Params

    assert params.model_validate(new).as_strict_as(params.model_validate(old)) is tighter

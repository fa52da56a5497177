from datetime import datetime

import pytest
from pydantic import ValidationError

from riskd.domain.events import ClockTicked, Fill, QuoteReported
from riskd.domain.orders import OrderStatus, OrderType, WorkingOrder
from riskd.domain.violations import RuleViolation
from riskd.rules.max_contracts import MaxContractsRule
from tests.support.rule_builders import (
    NOON,
    account,
    broker_says,
    closed_per_root,
    contract,
    ct,
    fill,
    order,
    position,
    view,
)


def test_max_contracts_not_violated() -> None:
    """2 contracts open, limit 4, one more bought: 3 are no violation."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    event = fill("ES", 1)
    state = view(account(positions=[position("MNQ", 2)])).including(event)

    assert rule.evaluate(event, state) is None


def test_max_contracts_violated() -> None:
    """3 contracts open, limit 4, two more bought: 5 are one too many."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    event = fill("ES", 2)
    state = view(account(positions=[position("MNQ", 3)])).including(event)

    violation = rule.evaluate(event, state)

    assert violation is not None
    assert violation.current_value == 5
    assert violation.limit_value == 4
    assert violation.exceeded_by == 1
    assert violation.headline == "MaxContracts violated: 5 > 4"
    assert "MaxContracts limit exceeded" in violation.message


def test_max_contracts_enforcement_action() -> None:
    """A violation alone tells that one contract is to be closed."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    violation = RuleViolation(rule_name="MaxContracts", current_value=5, limit_value=4, exceeded_by=1)

    action = rule.get_enforcement_action(violation)

    assert action.action_type == "close_position"
    assert action.quantity == 1


def test_the_newest_contracts_go_first() -> None:
    """2 MNQ held, 3 ES bought, limit 4: one ES goes, 2 MNQ and 2 ES stay."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    event = fill("ES", 3, trade_id="T9")
    state = view(account(positions=[position("MNQ", 2)])).including(event)

    violation = rule.evaluate(event, state)

    assert violation is not None
    assert closed_per_root(violation) == {"ES": 1}
    assert [cut.left for cut in violation.reductions] == [2]


@pytest.mark.parametrize(("held", "breached"), [(3, False), (4, False), (5, True), (-4, False), (-5, True)])
def test_the_limit_itself_is_allowed(held: int, breached: bool) -> None:  # noqa: FBT001 - a column of the table
    """A size limit is breached above it, long and short alike."""
    rule = MaxContractsRule(params={"max_contracts": 4})

    assert (rule.evaluate(None, view(account(positions=[position("MNQ", held)]))) is not None) is breached


def test_a_trim_may_reach_across_instruments() -> None:
    """Newest lots go first whatever their instrument, and only as many as needed."""
    rule = MaxContractsRule(params={"max_contracts": 3})
    state = view(account(positions=[position("MNQ", 2, seq=1), position("ES", -2, seq=5), position("CL", 1, seq=9)]))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert closed_per_root(violation) == {"CL": 1, "ES": 1}
    assert {cut.left for cut in violation.reductions} == {0, -1}


def test_lots_of_one_event_go_by_their_place() -> None:
    """Of lots that one snapshot brought, the later one in the position is the newer."""
    rule = MaxContractsRule(params={"max_contracts": 1})
    state = view(account(positions=[position("MNQ", 1, 1, orders=("O1", "O2"))], orders=[order("O2", "MNQ", 3)]))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert violation.cancels == ("O2",)


def test_the_rest_of_the_order_that_did_it_is_cancelled() -> None:
    """What has not filled yet of the order that went over the limit is cancelled with the close."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    rest = order("O7", "ES", 5, kind=OrderType.MARKET, filled=3)
    event = fill("ES", 3, order_id="O7", trade_id="T9")
    state = view(account(positions=[position("MNQ", 2)], orders=[rest])).including(event)

    violation = rule.evaluate(event, state)

    assert violation is not None
    assert violation.cancels == ("O7",)
    assert rule.get_enforcement_action(violation).cancels == ("O7",)


def test_resting_entries_that_would_exceed_the_limit_are_cancelled_newest_first() -> None:
    """2 held, 1 and 2 more resting, limit 4: the newer order goes, the older one may stay."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    resting = [order("O1", "MNQ", 1, seq=10), order("O2", "ES", 2, seq=11)]
    state = view(account(positions=[position("MNQ", 2)], orders=resting))

    (violation,) = rule.violations(None, state)
    action = rule.get_enforcement_action(violation)

    assert (violation.key, violation.current_value, violation.cancels) == ("resting", 5, ("O2",))
    assert (action.action_type, action.quantity, action.reductions) == ("cancel_order", None, ())


def test_resting_orders_do_not_count_where_that_is_switched_off() -> None:
    """count_working false judges what is held alone."""
    rule = MaxContractsRule(params={"max_contracts": 4, "count_working": False})
    state = view(account(positions=[position("MNQ", 2)], orders=[order("O1", "MNQ", 9)]))

    assert rule.evaluate(None, state) is None


@pytest.mark.parametrize(
    "harmless",
    [
        order("X", "MNQ", -4, kind=OrderType.STOP),
        order("X", "MNQ", 9, kind=OrderType.MARKET),
        order("X", "MNQ", 4, status=OrderStatus.SUSPENDED, parent="O9"),
        order("X", "MNQ", -8),
    ],
    ids=["stop", "market order", "bracket child that waits for its entry", "reversal that ends at the limit"],
)
def test_orders_that_cannot_exceed_the_limit_stay(harmless: WorkingOrder) -> None:
    """Exits, market orders on their way and whatever ends within the limit are let be."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    state = view(account(positions=[position("MNQ", 4)], orders=[harmless]))

    assert rule.evaluate(None, state) is None


def test_an_order_that_flips_beyond_the_limit_is_cancelled() -> None:
    """Long 2 with a limit of 4, a resting sale of 7 would leave short 5."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    state = view(account(positions=[position("MNQ", 2)], orders=[order("O1", "MNQ", -7)]))

    (violation,) = rule.violations(None, state)

    assert (violation.current_value, violation.cancels) == (5, ("O1",))


def test_a_straddle_is_counted_by_its_larger_leg_and_goes_as_a_whole() -> None:
    """A buy stop and a sell stop of 5 cannot both be held, but either exceeds 4, so both go."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    legs = [order("B", "MNQ", 5, kind=OrderType.STOP, seq=1), order("S", "MNQ", -5, kind=OrderType.STOP, seq=2)]

    (violation,) = rule.violations(None, view(account(orders=legs)))

    assert (violation.current_value, violation.cancels) == (5, ("S", "B"))


def test_what_is_held_and_what_rests_are_told_apart() -> None:
    """One too many held and one more resting are two violations, and no contract is counted twice."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    state = view(account(positions=[position("ES", 5)], orders=[order("O1", "MNQ", 1)]))

    held, resting = rule.violations(None, state)

    assert (held.key, held.current_value, held.cancels) == ("", 5, ())
    assert (resting.key, resting.current_value, resting.cancels) == ("resting", 5, ("O1",))


@pytest.mark.parametrize(("micros", "closed"), [(20, {}), (21, {"MNQ": 1})], ids=["3 NQ + 20 MNQ", "one MNQ more"])
def test_minis_count_micros_by_the_table(micros: int, closed: dict[str, int]) -> None:
    """Cap 5 minis: 3 NQ and 20 MNQ are exactly 5, one MNQ more is a breach."""
    rule = MaxContractsRule(params={"max_contracts": 5, "unit": "minis"})
    state = view(account(positions=[position("NQ", 3, seq=1), position("MNQ", micros, seq=5)]))

    violation = rule.evaluate(None, state)

    assert (closed_per_root(violation) if violation else {}) == closed


@pytest.mark.parametrize(("root", "held", "most"), [("SIL", 5, 1), ("QM", 2, 1), ("QG", 4, 1), ("MNQ", 10, 1)], ids=str)
def test_minis_know_the_odd_sizes(root: str, held: int, most: int) -> None:
    """5 SIL, 2 QM, 4 QG and 10 MNQ are one mini each; one more is a breach."""
    rule = MaxContractsRule(params={"max_contracts": most, "unit": "minis"})

    assert rule.evaluate(None, view(account(positions=[position(root, held)]))) is None
    assert rule.evaluate(None, view(account(positions=[position(root, held + 1)]))) is not None


def test_a_mini_goes_whole_for_a_tenth() -> None:
    """Where the newest contract is a mini and a tenth is too much, the mini is the fewest that will do."""
    rule = MaxContractsRule(params={"max_contracts": 2, "unit": "minis"})
    state = view(account(positions=[position("MNQ", 11, seq=1), position("NQ", 1, seq=5)]))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert str(violation.current_value) == "2.1"
    assert closed_per_root(violation) == {"NQ": 1}


def test_a_product_outside_the_table_counts_as_a_mini() -> None:
    """An unknown product never counts for less than a standard contract."""
    rule = MaxContractsRule(params={"max_contracts": 1, "unit": "minis"})

    violation = rule.evaluate(None, view(account(reported=broker_says("XYZ", 2))))

    assert violation is not None
    assert violation.exceeded_by == 1


def test_the_position_worth_the_most_may_go_first() -> None:
    """With order largest_risk, ES worth 290,000 goes before an MNQ that is newer but worth 42,000."""
    rule = MaxContractsRule(params={"max_contracts": 2, "order": "largest_risk"})
    state = view(account(positions=[position("ES", 1, seq=1), position("MNQ", 2, seq=5)]))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert closed_per_root(violation) == {"ES": 1}


def test_the_larger_exposure_is_judged_while_fills_and_broker_differ() -> None:
    """The broker has shown 5 for longer than a moment where the fills say 4: the fifth contract is the newest."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    state = view(account(positions=[position("MNQ", 4)], reported=broker_says("MNQ", 5)))

    violation = rule.evaluate(None, state)

    assert violation is not None
    assert [(cut.held, cut.left) for cut in violation.reductions] == [(5, 4)]


def test_a_flip_is_judged_by_what_it_leaves() -> None:
    """Long 2, sell 7: short 5 is one too many and one is bought back."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    event = fill("MNQ", -7, trade_id="T9")
    state = view(account(positions=[position("MNQ", 2)])).including(event)

    violation = rule.evaluate(event, state)

    assert violation is not None
    assert [(cut.held, cut.left) for cut in violation.reductions] == [(-5, -4)]


def test_a_duplicate_fill_changes_nothing() -> None:
    """The same trade told twice is one trade."""
    rule = MaxContractsRule(params={"max_contracts": 4})
    event = fill("MNQ", 4)
    state = view().including(event).including(event)

    assert rule.evaluate(event, state) is None


@pytest.mark.parametrize("event", [None, ClockTicked(), fill("GC", 1)], ids=["no event", "time", "another's fill"])
def test_the_breach_is_in_the_state_not_in_the_event(event: Fill | ClockTicked | None) -> None:
    """A bare snapshot, a restart or a tightening finds the breach as well as a fill does."""
    rule = MaxContractsRule(params={"max_contracts": 1})

    assert rule.evaluate(event, view(account(positions=[position("MNQ", 2)]))) is not None


def test_quotes_are_not_heard() -> None:
    """Prices change no size."""
    rule = MaxContractsRule(params={"max_contracts": 1})

    assert not rule.applies_to(QuoteReported(contract=contract("MNQ"), at=NOON))
    assert rule.applies_to(ClockTicked())


def test_a_product_without_a_known_value_goes_last_of_the_largest() -> None:
    """What nobody can price cannot be called the largest; without a quote the price paid is the price."""
    rule = MaxContractsRule(params={"max_contracts": 2, "order": "largest_risk"})
    state = account(positions=[position("ES", 1)], reported=broker_says("XYZ", 2))

    violation = rule.evaluate(None, view(state))

    assert violation is not None
    assert closed_per_root(violation) == {"ES": 1}


@pytest.mark.parametrize(
    "at",
    [ct("2025-10-15 16:59:59"), ct("2025-10-15 17:00"), ct("2026-03-08 17:00"), ct("2025-11-02 17:00")],
    ids=["before the reset", "at the reset", "spring change", "autumn change"],
)
def test_the_time_changes_nothing(at: datetime) -> None:
    """Neither the reset nor a clock change lifts a size limit."""
    rule = MaxContractsRule(params={"max_contracts": 1})
    state = view(account(positions=[position("MNQ", 2)], at=at), at=at)

    assert rule.evaluate(None, state) is not None
    assert rule.next_deadline(state) is None


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "Field required"),
        ({"max_contracts": -1}, "must be from 0"),
        ({"max_contracts": "four"}, "whole number"),
        ({"max_contracts": True}, "whole number"),
        ({"max_contracts": "2.5"}, "whole number"),
        ({"max_contracts": 4, "maximum": 4}, "Extra inputs"),
        ({"max_contracts": 4, "unit": "micros"}, "'contracts' or 'minis'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object], said: str) -> None:
    """Each says what is wrong; none is guessed."""
    with pytest.raises(ValidationError, match=said):
        MaxContractsRule(params=params)

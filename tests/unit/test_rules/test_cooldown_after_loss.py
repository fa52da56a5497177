from datetime import timedelta

import pytest
from pydantic import ValidationError

from riskd.domain.booking import roll_day
from riskd.domain.events import Fill, QuoteReported
from riskd.rules.cooldown_after_loss import CooldownAfterLossParams, CooldownAfterLossRule
from riskd.rules.params import tightness_of
from tests.support.rule_builders import NOON, contract, ct, fill, traded, view

TIERS = {
    "tiers": [
        {"threshold": "-100.00", "duration": "300s"},
        {"threshold": "-200.00", "duration": "900s"},
        {"threshold": "-300.00", "duration": "1800s"},
    ]
}


def round_trip(points: str, *, fees: str = "0") -> tuple[Fill, Fill]:
    """Return a position of 1 MNQ that loses so many points at noon; a point is 2 USD."""
    sold = str(21000 - int(points))
    return fill("MNQ", 1, "21000"), fill("MNQ", -1, sold, fees=fees)


@pytest.mark.parametrize(
    ("lost", "seconds"), [("37", 0), ("50", 300), ("75", 300), ("125", 900), ("175", 1800)], ids=str
)
def test_the_worst_tier_that_matches_counts(lost: str, seconds: int) -> None:
    """Losses of 74, 100, 150, 250 and 350 USD: none, 300, 300, 900 and 1,800 seconds."""
    rule = CooldownAfterLossRule(params=TIERS)

    violation = rule.evaluate(None, traded(*round_trip(lost), at=NOON))

    assert (violation.until if violation else None) == (NOON + timedelta(seconds=seconds) if seconds else None)


def test_each_loss_pauses_for_itself() -> None:
    """Net losses of 75, 100, 150, 250 and 350: the pauses after the last four, each told apart."""
    rule = CooldownAfterLossRule(params=TIERS)
    trips = [f for lost in ("37", "50", "75", "125", "175") for f in round_trip(lost)]

    found = rule.violations(None, traded(*trips, at=NOON))

    assert [(v.until - NOON).seconds for v in found if v.until] == [300, 300, 900, 1800]
    assert len({v.key for v in found}) == 4


def test_fees_are_part_of_the_loss() -> None:
    """98 lost and 2 paid are 100."""
    rule = CooldownAfterLossRule(params={"loss_threshold": "-100.00", "cooldown_duration": "5min"})

    assert rule.evaluate(None, traded(*round_trip("49"), at=NOON)) is None
    assert rule.evaluate(None, traded(*round_trip("49", fees="2.00"), at=NOON)) is not None


def test_once_per_position_and_tier() -> None:
    """Scaling out at -60, -120 and -220 starts the first pause at the second exit and the second at the third."""
    rule = CooldownAfterLossRule(params=TIERS)
    exits = [ct("2025-10-15 12:00"), ct("2025-10-15 12:01"), ct("2025-10-15 12:02"), ct("2025-10-15 12:03")]
    fills = [fill("MNQ", 4, "21000", at=exits[0])]
    fills += [
        fill("MNQ", -1, price, at=at) for price, at in zip(("20970", "20970", "20950", "20990"), exits, strict=True)
    ]

    found = rule.violations(None, traded(*fills, at=exits[3]))

    assert [(v.limit_value, v.until) for v in found] == [
        (-100, exits[1] + timedelta(seconds=300)),
        (-200, exits[2] + timedelta(seconds=900)),
    ]


def test_a_pause_ends_by_itself() -> None:
    """It is over exactly its duration after the broker's time of the fill, and the core is asked to look then."""
    rule = CooldownAfterLossRule(params={"loss_threshold": "-100.00", "cooldown_duration": "5min"})
    trip, end = round_trip("60"), NOON + timedelta(minutes=5)

    assert rule.evaluate(None, traded(*trip, at=end - timedelta(microseconds=1))) is not None
    assert rule.next_deadline(traded(*trip, at=NOON)) == end
    assert rule.evaluate(None, traded(*trip, at=end)) is None
    assert rule.next_deadline(traded(*trip, at=end)) is None


def test_a_flip_ends_one_position_and_begins_another() -> None:
    """Long 1 flipped to short 1 at a loss of 120: the pause belongs to the long."""
    rule = CooldownAfterLossRule(params=TIERS)

    violation = rule.evaluate(None, traded(fill("MNQ", 1, "21000"), fill("MNQ", -2, "20940"), at=NOON))

    assert violation is not None
    assert violation.message == "MNQ lost -120.00 USD, past -100.00 USD: no new risk for 5min"


def test_a_trade_told_twice_is_one_loss() -> None:
    """A duplicate neither repeats nor lengthens the pause."""
    rule = CooldownAfterLossRule(params={"loss_threshold": "-100.00", "cooldown_duration": "5min"})
    bought, sold = round_trip("40")
    again = fill("MNQ", -1, "20960", trade_id="X")

    assert rule.evaluate(None, traded(bought, sold, at=NOON)) is None
    assert rule.evaluate(None, traded(bought, again, again, at=NOON)) is None


@pytest.mark.parametrize("at", ["2025-10-15 16:58", "2026-03-06 15:58", "2025-10-31 15:58"])
def test_a_reset_does_not_shorten_a_pause(at: str) -> None:
    """What began before 17:00 or a weekend lasts as long as it lasts."""
    rule = CooldownAfterLossRule(params={"loss_threshold": "-100.00", "cooldown_duration": "10min"})
    bought, sold = fill("MNQ", 1, "21000", at=ct(at)), fill("MNQ", -1, "20900", at=ct(at))
    state = roll_day(traded(bought, sold, at=ct(at)).account, {}, ct(at) + timedelta(minutes=9))

    violation = rule.evaluate(None, view(state, at=ct(at) + timedelta(minutes=9)))

    assert violation is not None
    assert violation.until == ct(at) + timedelta(minutes=10)


def test_the_action_is_a_cooldown() -> None:
    """Nothing is closed that was held when it began."""
    rule = CooldownAfterLossRule(params=TIERS)
    violation = rule.evaluate(None, traded(*round_trip("50"), at=NOON))

    assert violation is not None
    action = rule.get_enforcement_action(violation)
    assert (action.action_type, action.lockout_until, action.lock) == ("set_cooldown", violation.until, False)
    assert not rule.applies_to(QuoteReported(contract=contract("MNQ"), at=NOON))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "needs loss_threshold and cooldown_duration"),
        ({"loss_threshold": "-100.00"}, "needs loss_threshold and cooldown_duration"),
        ({"loss_threshold": "100.00", "cooldown_duration": "5min"}, "written negative"),
        ({"loss_threshold": "-100.00", "cooldown_duration": "0s"}, "longer than zero"),
        ({"loss_threshold": "-100.00", "cooldown_duration": "2 days"}, "a day at most"),
        ({"loss_threshold": "-100.00", "cooldown_duration": 300}, "text with a unit"),
        ({**TIERS, "cooldown_duration": "5min"}, "keep one of them"),
        ({"tiers": []}, "must not be empty"),
        ({"tiers": [TIERS["tiers"][0], {"threshold": "-200.00", "duration": "60s"}]}, "longer after a smaller loss"),
        ({"tiers": [TIERS["tiers"][0], TIERS["tiers"][0]]}, "two tiers with one threshold"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, object], said: str) -> None:
    """Half a rule, a wrong sign and tiers that contradict each other."""
    with pytest.raises(ValidationError, match=said):
        CooldownAfterLossRule(params=params)


@pytest.mark.parametrize(
    ("old", "new", "tighter"),
    [
        (TIERS, TIERS, True),
        (TIERS, {"tiers": [{"threshold": "-50.00", "duration": "1800s"}]}, True),
        (TIERS, {"tiers": TIERS["tiers"][:2]}, False),
        (TIERS, {"tiers": [{"threshold": "-50.00", "duration": "900s"}]}, False),
        ({"loss_threshold": "-1", "cooldown_duration": "5min"}, TIERS, True),
    ],
)
def test_which_tiers_are_tighter(old: dict[str, object], new: dict[str, object], tighter: bool) -> None:  # noqa: FBT001 - a column
    """Every loss must pause at least as long as before."""
    holds = tightness_of(CooldownAfterLossParams.model_fields["tiers"]).holds
    before, later = (CooldownAfterLossParams.model_validate(params).tiers for params in (old, new))

    assert holds(before, later) is tighter


SINGLE = {"loss_threshold": "-100.00", "cooldown_duration": "5min"}


@pytest.mark.parametrize(
    ("old", "new", "strict"),
    [
        (SINGLE, {"tiers": [{"threshold": "-100.00", "duration": "5min"}]}, True),
        (SINGLE, {"tiers": [{"threshold": "-50.00", "duration": "5min"}]}, True),
        (SINGLE, {"tiers": [{"threshold": "-100.00", "duration": "4min"}]}, False),
        (SINGLE, {"loss_threshold": "-150.00", "cooldown_duration": "1h"}, False),
        (TIERS, SINGLE, False),
        (TIERS, {"loss_threshold": "-100.00", "cooldown_duration": "1800s"}, True),
    ],
)
def test_tiers_and_a_single_threshold_can_be_compared(
    old: dict[str, object],
    new: dict[str, object],
    strict: bool,  # noqa: FBT001 - a column
) -> None:
    """What counts is how long each loss pauses, however it is written."""
    before, later = (CooldownAfterLossParams.model_validate(params) for params in (old, new))

    assert later.as_strict_as(before) is strict

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.rules.session_block_outside import SessionBlockOutsideParams
from riskd.rules.session_inside import inside
from riskd.rules.session_params import SessionHours
from riskd.rules.session_times import WEEKDAYS
from riskd.rules.timetable import Timetable

QUARTERS = st.integers(0, 95).map(lambda n: f"{n // 4:02}:{n % 4 * 15:02}")
ENDS = QUARTERS | st.sampled_from(["15:58", "15:55", "15:56", "24:00"])
TIMES = st.lists(
    st.tuples(QUARTERS, ENDS).filter(lambda t: t[0] != t[1]).map(lambda t: {"start": t[0], "end": t[1]}),
    min_size=1,
    max_size=2,
)
BY_HAND = st.fixed_dictionaries(
    {"allowed_times": TIMES, "flat_lead": st.sampled_from([None, "0s", "5min", "10min"])},
    optional={"allowed_days": st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True)},
)
HOURS = BY_HAND | st.sampled_from([{"preset": name} for name in ("RTH", "ETH", "24/5", "topstep")])
WEEK = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def hours(**written: object) -> SessionHours:
    """Return trading hours."""
    return SessionHours.model_validate(written)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({"preset": "RTH"}, {"preset": "ETH"}),
        ({"preset": "topstep"}, {"preset": "24/5"}),
        ({"preset": "RTH", "flat_lead": "5min"}, {"preset": "RTH"}),
        ({"allowed_days": ["Friday"], "allowed_times": [{"start": "09:00", "end": "10:00"}]}, {"preset": "RTH"}),
        (
            {"allowed_times": [{"start": "09:00", "end": "15:55"}]},
            {"allowed_times": [{"start": "09:00", "end": "16:00"}]},
        ),
    ],
)
def test_hours_inside_others_are_tighter_and_not_the_other_way_round(
    narrow: dict[str, object], wide: dict[str, object]
) -> None:
    """Whatever way they are written."""
    assert inside(hours(**narrow), hours(**wide))
    assert not inside(hours(**wide), hours(**narrow))


def test_an_end_just_before_the_exchange_closes_is_no_tightening() -> None:
    """Until 16:00 means flat by 15:55, since nothing can be closed after it; until 15:58 means flat by 15:58."""
    until_four = hours(allowed_times=[{"start": "09:00", "end": "16:00"}])
    until_two_to = hours(allowed_times=[{"start": "09:00", "end": "15:58"}])

    assert not inside(until_two_to, until_four)


def test_an_end_inside_another_range_is_no_end() -> None:
    """Until 16:00 or 15:58 is until 16:00, so until 15:58 alone may hold longer: flat by 15:58, not by 15:55."""
    both = hours(allowed_times=[{"start": "00:00", "end": "16:00"}, {"start": "00:00", "end": "15:58"}])

    assert not inside(hours(allowed_times=[{"start": "00:00", "end": "15:58"}]), both)
    assert inside(both, both)


def test_another_zone_proves_nothing() -> None:
    """Its clocks may change on other days."""
    assert not inside(hours(preset="RTH", timezone="America/New_York"), hours(preset="24/5"))


def test_hours_of_a_product_count_by_themselves() -> None:
    """A product with hours of its own gets wider ones when it is left out, and narrower ones when it is added."""
    general = SessionBlockOutsideParams.model_validate({"preset": "ETH"})
    with_gold = SessionBlockOutsideParams.model_validate({"preset": "ETH", "instruments": {"GC": {"preset": "RTH"}}})

    assert with_gold.as_strict_as(general)
    assert not general.as_strict_as(with_gold)


def assert_never_open_outside(narrow: dict[str, object], wide: dict[str, object]) -> None:
    """Look at every minute of a week."""
    if not inside(hours(**narrow), hours(**wide)):
        return
    inner, outer = (Timetable(h.times, h.flat_lead) for h in (hours(**narrow), hours(**wide)))
    for minute in range(7 * 24 * 60):
        at = WEEK + minute * MINUTE
        assert inner.blocked(at) or not outer.blocked(at)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(narrow=HOURS, wide=HOURS)
def test_what_is_proven_holds_for_every_minute_of_a_week(narrow: dict[str, object], wide: dict[str, object]) -> None:
    """Hours that are said to lie inside others are never open where those are not."""
    assert_never_open_outside(narrow, wide)
    assert_never_open_outside({**narrow, "flat_lead": "10min"}, narrow)

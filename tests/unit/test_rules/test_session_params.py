import pytest
from pydantic import ValidationError

from riskd.rules.params import tightness_of
from riskd.rules.session_params import SessionHours
from tests.support.rule_builders import ct


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "needs allowed_days and allowed_times, or a preset"),
        ({"preset": "RTH", "allowed_days": ["Monday"]}, "keep one of them"),
        ({"preset": "rth"}, "'RTH', 'ETH', '24/5' or 'topstep'"),
        ({"allowed_days": ["Mon"]}, "'Monday'"),
        ({"allowed_days": []}, "must not be empty"),
        ({"allowed_times": [{"start": "8.30", "end": "15:00"}]}, '"8.30" is not a time of day'),
        ({"allowed_times": [{"start": 830, "end": "15:00"}]}, "not a time of day"),
        ({"allowed_times": [{"start": "24:00", "end": "15:00"}]}, "not a time of day"),
        ({"allowed_times": [{"start": "09:00", "end": "09:00"}]}, "whole day"),
        ({"preset": "RTH", "timezone": "Chicago"}, "not a time zone"),
        ({"preset": "RTH", "flat_lead": 5}, "text with a unit"),
        ({"preset": "RTH", "flat_lead": "-5min"}, "not a duration"),
        ({"preset": "RTH", "days": ["Monday"]}, "Extra inputs"),
    ],
)
def test_hours_that_make_no_sense_are_refused(params: dict[str, object], said: str) -> None:
    """Each mistake says what to write instead."""
    with pytest.raises(ValidationError, match=said):
        SessionHours.model_validate(params)


def test_days_alone_are_whole_days() -> None:
    """No times: from midnight to midnight."""
    times = SessionHours.model_validate({"allowed_days": ["Wednesday"]}).times

    assert times.contains(ct("2025-10-15 00:00"))
    assert times.contains(ct("2025-10-15 23:59:59"))
    assert not times.contains(ct("2025-10-16 00:00"))


def test_times_alone_are_every_day() -> None:
    """No days: the same hours all week."""
    times = SessionHours.model_validate({"allowed_times": [{"start": "17:00", "end": "24:00"}]}).times

    assert times.contains(ct("2025-10-19 17:00"))
    assert not times.contains(ct("2025-10-20 00:00"))


def span(start: str, end: str) -> dict[str, object]:
    """Return one range as a configuration writes it."""
    return {"allowed_times": [{"start": start, "end": end}]}


@pytest.mark.parametrize(
    ("field", "old", "new", "tighter"),
    [
        ("allowed_times", span("08:30", "15:00"), span("09:00", "14:00"), True),
        ("allowed_times", span("08:30", "15:00"), span("08:30", "15:00"), True),
        ("allowed_times", span("08:30", "15:00"), span("08:29", "15:00"), False),
        ("allowed_times", span("17:00", "15:10"), span("18:00", "15:00"), True),
        ("allowed_times", span("17:00", "15:10"), span("08:30", "15:00"), False),
        ("allowed_times", {"allowed_days": ["Monday"]}, span("08:30", "15:00"), True),
        ("allowed_times", span("08:30", "15:00"), {"allowed_days": ["Monday"]}, False),
        ("allowed_days", {"allowed_days": ["Monday", "Friday"]}, {"allowed_days": ["Friday"]}, True),
        ("allowed_days", {"allowed_days": ["Monday"]}, {"allowed_days": ["Tuesday"]}, False),
        ("allowed_days", {"allowed_days": ["Monday"]}, span("08:30", "15:00"), False),
        ("allowed_days", span("08:30", "15:00"), {"allowed_days": ["Monday"]}, True),
        ("allowed_times", {"allowed_days": ["Monday"]}, {"allowed_days": ["Monday"]}, True),
        ("flat_lead", {"preset": "RTH"}, {"preset": "RTH", "flat_lead": "5min"}, True),
        ("flat_lead", {"preset": "RTH"}, {"preset": "RTH", "flat_lead": "0s"}, False),
        ("flat_lead", {"preset": "RTH", "flat_lead": "5min"}, {"preset": "RTH", "flat_lead": "10min"}, True),
        ("flat_lead", {"preset": "RTH", "flat_lead": "5min"}, {"preset": "RTH"}, False),
        ("preset", {"preset": "ETH"}, {"preset": "RTH"}, False),
    ],
)
def test_which_hours_are_tighter(field: str, old: dict[str, object], new: dict[str, object], tighter: bool) -> None:  # noqa: FBT001 - a column
    """Fewer days, ranges inside the old ones and a longer lead are tighter; anything else waits."""
    was, becomes = dict(SessionHours.model_validate(old)), dict(SessionHours.model_validate(new))

    assert tightness_of(SessionHours.model_fields[field]).holds(was[field], becomes[field]) is tighter


def test_what_is_no_list_of_ranges_is_never_tighter() -> None:
    """Values of another kind cannot be compared."""
    holds = tightness_of(SessionHours.model_fields["allowed_times"]).holds

    assert not holds("08:30-15:00", "09:00-14:00")

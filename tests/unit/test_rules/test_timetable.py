from datetime import timedelta

import pytest

from riskd.domain.calendar import last_close
from riskd.domain.exchange_days import Schedule
from riskd.rules.session_params import PRESETS, Preset, SessionHours
from riskd.rules.session_times import SessionTimes
from riskd.rules.timetable import Timetable
from tests.support.rule_builders import ct


def preset(name: Preset, lead: timedelta | None = None) -> Timetable:
    """Return the timetable of a preset."""
    return Timetable(SessionTimes(PRESETS[name], "America/Chicago"), lead)


@pytest.mark.parametrize(
    ("name", "at", "flat_by"),
    [
        ("RTH", "2025-10-15 12:00", "2025-10-15 15:00"),
        ("topstep", "2025-10-15 12:00", "2025-10-15 15:10"),
        ("ETH", "2025-10-15 12:00", "2025-10-15 15:55"),
        ("24/5", "2025-10-15 12:00", "2025-10-17 15:55"),
    ],
)
def test_when_all_must_be_closed(name: Preset, at: str, flat_by: str) -> None:
    """At the end of the hours, but five minutes before it where the exchange itself closes."""
    table = preset(name)

    assert table.stretch(ct(at)).flat_by == ct(flat_by)
    assert not table.blocked(ct(flat_by) - timedelta(microseconds=1))
    assert table.blocked(ct(flat_by))
    assert table.next_verdict(ct(at)) == ct(flat_by)


def test_a_lead_of_ones_own_wins() -> None:
    """flat_lead counts back from the end, whichever end that is."""
    assert preset("RTH", timedelta(minutes=2)).stretch(ct("2025-10-15 12:00")).flat_by == ct("2025-10-15 14:58")
    assert preset("ETH", timedelta(0)).stretch(ct("2025-10-15 12:00")).flat_by == ct("2025-10-15 16:00")


def test_after_the_lead_the_verdict_waits_for_the_next_start() -> None:
    """Between the lead and the end it stays blocked, and after the end until the hours start again."""
    table = preset("ETH")

    assert table.blocked(ct("2025-10-15 15:58"))
    assert table.next_verdict(ct("2025-10-15 15:58")) == ct("2025-10-15 16:00")
    assert table.next_verdict(ct("2025-10-15 16:00")) == ct("2025-10-15 17:00")
    assert not table.blocked(ct("2025-10-15 17:00"))


@pytest.mark.parametrize(
    ("end", "close"),
    [
        ("2025-10-15 16:00", "2025-10-15 16:00"),
        ("2025-10-15 16:30", "2025-10-15 16:00"),
        ("2025-10-18 12:00", "2025-10-17 16:00"),
        ("2025-10-19 03:00", "2025-10-17 16:00"),
    ],
)
def test_the_exchange_closes_before_a_session_that_ends_later(end: str, close: str) -> None:
    """A session that ends where the market is closed must be flat before the market closed."""
    assert last_close(ct(end)) == ct(close)


@pytest.mark.parametrize(
    ("end", "flat_by"), [("15:59", "15:59"), ("16:00", "15:55"), ("16:30", "15:55"), ("17:00", "15:55")]
)
def test_a_session_that_ends_in_the_daily_break_ends_before_it(end: str, flat_by: str) -> None:
    """Just before 17:00 nothing can be closed either: flat is to be five minutes before 16:00."""
    hours = SessionHours.model_validate({"allowed_times": [{"start": "08:30", "end": end}]})

    assert Timetable(hours.times, None).stretch(ct("2025-10-15 12:00")).flat_by == ct(f"2025-10-15 {flat_by}")


def test_looking_back_in_time_looks_again() -> None:
    """What was remembered of a later stretch says nothing about an earlier one."""
    table = preset("RTH")

    assert table.blocked(ct("2025-10-15 15:30"))
    assert not table.blocked(ct("2025-10-15 12:00"))


@pytest.mark.parametrize(
    ("name", "schedule", "at", "flat_by"),
    [
        ("RTH", "equity", "2026-11-26 09:00", "2026-11-26 11:55"),
        ("RTH", "energy", "2026-11-26 09:00", "2026-11-26 13:25"),
        ("RTH", "fx", "2026-11-26 09:00", "2026-11-26 15:00"),
        ("RTH", "equity", "2026-11-25 09:00", "2026-11-25 15:00"),
        ("RTH", "equity", "2026-12-25 09:00", "2026-12-24 12:10"),
        ("ETH", "equity", "2026-11-26 09:00", "2026-11-26 11:55"),
        ("ETH", "equity", "2026-12-24 18:00", "2026-12-24 12:10"),
        ("24/5", "equity", "2026-11-26 09:00", "2026-11-27 12:10"),
        ("24/5", "equity", "2026-12-23 09:00", "2026-12-24 12:10"),
    ],
)
def test_early_closes_and_holidays_end_a_session(name: Preset, schedule: Schedule, at: str, flat_by: str) -> None:
    """Five minutes before the exchange's own close, by the products' own days; a session that runs on is not ended."""
    hours = SessionTimes(PRESETS[name], "America/Chicago")

    assert Timetable(hours, None, schedule).stretch(ct(at)).flat_by == ct(flat_by)


def test_a_lead_counts_from_an_early_close_too() -> None:
    """Half an hour before noon on Thanksgiving."""
    hours = SessionTimes(PRESETS["RTH"], "America/Chicago")
    table = Timetable(hours, timedelta(minutes=30), "equity")

    assert not table.blocked(ct("2026-11-26 11:29:59"))
    assert table.blocked(ct("2026-11-26 11:30"))
    assert table.blocked(ct("2026-11-26 14:00"))

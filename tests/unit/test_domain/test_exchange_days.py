import json
from datetime import date, time, timedelta

import pytest

from riskd.domain.calendar import last_close, market_open, next_open
from riskd.domain.exchange_days import (
    CLOSING_TIMES,
    KNOWN_FROM,
    KNOWN_UNTIL,
    SHUT,
    Schedule,
    early_close,
    schedule_of,
)
from riskd.domain.instruments import PRODUCTS
from tests.support.desk import ct
from tests.support.recorded import recorded


def test_every_product_has_a_schedule() -> None:
    """And what riskd does not know has none."""
    assert None not in {schedule_of(root) for root in PRODUCTS}
    roots = ("MNQ", "MGC", "ZN", "6E", "MBT", "ZC", "HE", "NKD", "XYZ")
    expected = ["equity", "energy", "rates", "fx", "crypto", "grains", "livestock", "equity", None]
    assert [schedule_of(root) for root in roots] == expected


@pytest.mark.parametrize(
    ("day", "schedule", "close"),
    [
        ("2026-11-25", "equity", None),
        ("2026-11-26", "equity", time(12)),
        ("2026-11-26", "energy", time(13, 30)),
        ("2026-11-26", "fx", None),
        ("2026-11-26", "grains", SHUT),
        ("2026-11-27", "equity", time(12, 15)),
        ("2026-04-03", "equity", time(8, 15)),
        ("2026-04-03", "energy", SHUT),
        ("2025-04-18", "equity", SHUT),
        ("2025-01-09", "equity", time(8, 30)),
        ("2025-01-09", "energy", None),
        ("2026-12-25", None, None),
        ("2031-12-25", "equity", None),
    ],
)
def test_days_that_are_no_usual_ones(day: str, schedule: Schedule | None, close: time | None) -> None:
    """Each group of products has its own; beyond what is known every day is a usual one."""
    assert early_close(date.fromisoformat(day), schedule) == close


@pytest.mark.parametrize(
    ("closed_at", "closed_since", "opens_at"),
    [
        ("2026-11-26 12:00", "2026-11-26 12:00", "2026-11-26 17:00"),
        ("2026-11-26 16:59:59", "2026-11-26 12:00", "2026-11-26 17:00"),
        ("2026-12-24 12:15", "2026-12-24 12:15", "2026-12-27 17:00"),
        ("2026-12-24 20:00", "2026-12-24 12:15", "2026-12-27 17:00"),
        ("2026-12-26 12:00", "2026-12-24 12:15", "2026-12-27 17:00"),
        ("2026-01-01 09:00", "2025-12-31 16:00", "2026-01-01 17:00"),
        ("2026-03-10 16:30", "2026-03-10 16:00", "2026-03-10 17:00"),
        ("2026-03-14 12:00", "2026-03-13 16:00", "2026-03-15 17:00"),
    ],
)
def test_the_market_is_closed_from_the_last_close_to_the_next_open(
    closed_at: str, closed_since: str, opens_at: str
) -> None:
    """On Thanksgiving until the evening, over Christmas until Sunday, and every day from four to five."""
    at, moment = ct(closed_at), timedelta(microseconds=1)

    assert not market_open(at, "equity")
    assert (last_close(at, "equity"), next_open(at, "equity")) == (ct(closed_since), ct(opens_at))
    assert market_open(ct(closed_since) - moment, "equity")
    assert market_open(ct(opens_at), "equity")
    assert not market_open(ct(opens_at) - moment, "equity")


def test_without_a_schedule_the_regular_week_holds() -> None:
    """Nothing is known of what a strange product does on holidays."""
    assert market_open(ct("2026-12-25 10:00"))
    assert next_open(ct("2026-12-25 10:00")) == ct("2026-12-25 10:00")


def test_the_table_is_known_to_end() -> None:
    """It covers whole years, and every time in it is one at which a session may have to be over early."""
    assert (date(2024, 1, 1), date(2027, 12, 31)) == (KNOWN_FROM, KNOWN_UNTIL)
    assert {time(12), time(12, 15), time(13, 30), time(16)} <= CLOSING_TIMES
    assert SHUT not in CLOSING_TIMES


# --- a second source -----------------------------------------------------------------------------------------------

SECOND_SOURCE: dict[Schedule, str] = {
    "equity": "Future-cme-ES",
    "rates": "Future-cbot-ZN",
    "fx": "Future-cme-6E",
    "energy": "Future-comex-GC",
}
FROM, TO = date(2025, 12, 1), date(2027, 1, 1)
EARLIER = {("fx", "2025-12-24"), ("fx", "2026-11-27"), ("fx", "2026-12-24")}
"""Where the two differ riskd has the earlier close."""
FOUR = 16 * 60


def second_source(name: str) -> dict[date, time]:
    """Return the special days of one product as another calendar has them, in Chicago time."""
    path = recorded("ref-lean-sessions-specs", "market_hours_futures.json")
    hours = json.loads(path.read_text(encoding="utf-8"))[name]
    behind = 60 if hours["exchangeTimeZone"] == "America/New_York" else 0
    found = {}
    for text, close in hours["earlyCloses"].items():
        hour, minute, _ = map(int, close.split(":"))
        at = hour * 60 + minute - behind
        if at < FOUR:
            found[_date(text)] = time(at // 60, at % 60)
    found.update((_date(text), SHUT) for text in hours["holidays"])
    return found


def _date(text: str) -> date:
    month, day, year = map(int, text.split("/"))
    return date(year, month, day)


@pytest.mark.recorded
@pytest.mark.parametrize("schedule", SECOND_SOURCE)
def test_another_calendar_says_the_same(schedule: Schedule) -> None:
    """Every special day of the year around now, to the minute; where the two differ riskd is out earlier."""
    other = second_source(SECOND_SOURCE[schedule])
    days = [FROM + timedelta(days=n) for n in range((TO - FROM).days)]
    differing = {}
    for day in (day for day in days if day.weekday() <= 4):
        mine, theirs = early_close(day, schedule), other.get(day)
        # The other calendar writes a holiday of the past as a late opening only.
        if mine != theirs and not (mine == SHUT and theirs is None):
            differing[schedule, day.isoformat()] = (mine, theirs)
    assert set(differing) == {place for place in EARLIER if place[0] == schedule}
    assert all(mine is not None and theirs is not None and mine < theirs for mine, theirs in differing.values())

"""When the markets are open: weekly timetables in Chicago time, as the exchange keeps them."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from riskd.simulator.exchange.model import Phase
from riskd.simulator.exchange.products import Hours

CHICAGO = ZoneInfo("America/Chicago")

_SUNDAY, _FRIDAY, _SATURDAY = 6, 4, 5
_REOPEN, _CLOSE = time(17), time(16)
_DAILY_PRE_OPEN, _SUNDAY_PRE_OPEN = time(16, 45), time(16)
_GRAIN_PAUSE, _GRAIN_PRE_OPEN = time(7, 45), time(8)
_GRAIN_DAY, _GRAIN_CLOSE, _GRAIN_EVENING = time(8, 30), time(13, 20), time(19)
_MEAT_PRE_OPEN, _MEAT_OPEN, _MEAT_CLOSE = time(8), time(8, 30), time(13, 5)


def phase_at(hours: Hours, at: datetime) -> Phase:
    """Return what a market on this timetable does at a moment; holidays are not known here."""
    local = at.astimezone(CHICAGO)
    match hours:
        case Hours.GLOBEX:
            return _globex(local.weekday(), local.time())
        case Hours.GRAINS:
            return _grains(local.weekday(), local.time())
        case Hours.LIVESTOCK:
            return _livestock(local.weekday(), local.time())


def _globex(weekday: int, clock: time) -> Phase:
    if weekday == _SATURDAY or (weekday == _FRIDAY and clock >= _CLOSE):
        return Phase.CLOSED
    if weekday == _SUNDAY and clock < _REOPEN:
        return Phase.PRE_OPEN if clock >= _SUNDAY_PRE_OPEN else Phase.CLOSED
    if _CLOSE <= clock < _REOPEN:
        return Phase.PRE_OPEN if clock >= _DAILY_PRE_OPEN else Phase.CLOSED
    return Phase.OPEN


def _grains(weekday: int, clock: time) -> Phase:
    evening = clock >= _GRAIN_EVENING and weekday not in {_FRIDAY, _SATURDAY}
    weekday_session = weekday not in {_SATURDAY, _SUNDAY}
    morning = weekday_session and (clock < _GRAIN_PAUSE or _GRAIN_DAY <= clock < _GRAIN_CLOSE)
    if evening or morning:
        return Phase.OPEN
    if weekday_session and _GRAIN_PRE_OPEN <= clock < _GRAIN_DAY:
        return Phase.PRE_OPEN
    return Phase.CLOSED


def _livestock(weekday: int, clock: time) -> Phase:
    if weekday in {_SATURDAY, _SUNDAY}:
        return Phase.CLOSED
    if _MEAT_OPEN <= clock < _MEAT_CLOSE:
        return Phase.OPEN
    return Phase.PRE_OPEN if _MEAT_PRE_OPEN <= clock < _MEAT_OPEN else Phase.CLOSED

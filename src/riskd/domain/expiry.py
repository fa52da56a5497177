"""When a contract month ends for somebody who only trades it.

That is its last trading day, or its first notice day where that comes first: whoever is long from then on may be
delivered to.

Source: the exchange's contract rulebooks, by product group, as published in 2026.
"""

from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Final, Literal

import msgspec

from riskd.domain.exchange_days import SHUT, early_close
from riskd.domain.instruments import MONTH_CODES, PRODUCTS, root_of_contract

_FRIDAY: Final = 4
_WEDNESDAY: Final = 2
_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)
_BANK_HOLIDAY_CLOSE: Final = time(12)


class Ending(msgspec.Struct, frozen=True):
    """The day by which to be out of a contract, and why."""

    day: date
    what: Literal["last trading day", "first notice day"]


@lru_cache(maxsize=1024)
def ending_of(contract: str) -> Ending | None:
    """Return when a contract ends, None for one whose product or month riskd does not know."""
    product = PRODUCTS.get(root_of_contract(contract))
    month = contract.rsplit(".", 1)[-1]
    known = product is not None and len(month) == len("H26") and month[0] in MONTH_CODES and month[1:].isdecimal()
    if product is None or not known:
        return None
    return _ending(product.root, product.group, 2000 + int(month[1:]), MONTH_CODES.index(month[0]) + 1)


def _ending(root: str, group: str, year: int, month: int) -> Ending | None:
    rule = _BY_ROOT.get(root) or _BY_GROUP.get(group)
    if rule is None:
        return None
    what, day = rule
    return Ending(day(date(year, month, 1)), what)


def business_day(day: date) -> bool:
    """Tell whether a date counts in the exchange's rules: a weekday that is no bank holiday.

    Shape: on a bank holiday equities stop at noon or do not trade, or the agricultural markets are shut.
    """
    if day.weekday() >= _SATURDAY or early_close(day, "grains") == SHUT:
        return False
    return early_close(day, "equity") not in (SHUT, _BANK_HOLIDAY_CLOSE)


def _before(day: date, count: int) -> date:
    """Return the business day that is so many business days before a date."""
    while count:
        day -= _DAY
        count -= business_day(day)
    return day


def _on_or_before(day: date) -> date:
    return day if business_day(day) else _before(day, 1)


def _nth(first: date, weekday: int, n: int) -> date:
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _third_friday(first: date) -> date:
    return _on_or_before(_nth(first, _FRIDAY, 3))


def _before_second_friday(first: date) -> date:
    return _before(_nth(first, _FRIDAY, 2), 1)


def _crude(first: date) -> date:
    twenty_fifth = (first - _DAY).replace(day=25)
    return _before(_on_or_before(twenty_fifth), 3)


def _small_crude(first: date) -> date:
    return _before(_crude(first), 1)


def _gas(first: date) -> date:
    return _before(first, 3)


def _small_gas(first: date) -> date:
    return _before(first, 4)


def _last_day_before(first: date) -> date:
    return _before(first, 1)


def _currency(first: date) -> date:
    return _before(_nth(first, _WEDNESDAY, 3), 2)


def _canadian(first: date) -> date:
    return _before(_nth(first, _WEDNESDAY, 3), 1)


def _last_friday(first: date) -> date:
    last = _next_month(first) - _DAY
    return _on_or_before(last - timedelta(days=(last.weekday() - _FRIDAY) % 7))


def _last_of_month(first: date) -> date:
    return _before(_next_month(first), 1)


def _tenth(first: date) -> date:
    day = first - _DAY
    for _ in range(10):
        day += _DAY
        while not business_day(day):
            day += _DAY
    return day


_Rule = tuple[Literal["last trading day", "first notice day"], Callable[[date], date]]


def _last(day: Callable[[date], date]) -> _Rule:
    return "last trading day", day


_NOTICE: Final[_Rule] = ("first notice day", _last_day_before)

_BY_GROUP: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys(("SP500", "NASDAQ100", "RUSSELL2000", "DOW"), _last(_third_friday)),
    **dict.fromkeys(("EURO", "POUND", "YEN", "AUSSIE", "FRANC", "KIWI", "PESO"), _last(_currency)),
    **dict.fromkeys(("BITCOIN", "ETHER"), _last(_last_friday)),
    **dict.fromkeys(("GASOLINE", "HEATINGOIL"), _last(_last_day_before)),
    **dict.fromkeys(("GOLD", "SILVER", "COPPER", "PLATINUM"), _NOTICE),
    **dict.fromkeys(("BOND30", "BONDULTRA", "NOTE10", "NOTE10ULTRA", "NOTE5", "NOTE2"), _NOTICE),
    **dict.fromkeys(("CORN", "WHEAT", "SOYBEANS", "SOYMEAL", "SOYOIL"), _NOTICE),
    "NIKKEI": _last(_before_second_friday),
    "CRUDE": _last(_crude),
    "NATGAS": _last(_gas),
    "CANADIAN": _last(_canadian),
    "CATTLE": _last(_last_of_month),
    "HOGS": _last(_tenth),
}
_BY_ROOT: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys(("QM", "MCL"), _last(_small_crude)),
    **dict.fromkeys(("QG", "MNG"), _last(_small_gas)),
}

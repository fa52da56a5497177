"""The days on which the exchange closes early or does not trade, by group of products.

A group's trading day is named as riskd's is, by the date on which it ends. "closed" means that it does not happen: the
market stays shut from the close before until the evening of that date. Otherwise the time is that in Chicago at which
trading stops until the evening.

Source: derived by `.ci/exchange-days` from pandas_market_calendars 5.5.0 on 2026-11-23, corrected there.
"""

from collections.abc import Mapping
from datetime import date, time
from typing import Final, Literal

from riskd.domain.instruments import PRODUCTS

Schedule = Literal["equity", "rates", "fx", "energy", "crypto", "grains", "livestock"]

KNOWN_FROM: Final = date(2024, 1, 1)
KNOWN_UNTIL: Final = date(2027, 12, 31)
"""Before and after, every weekday is taken for a usual one."""

SHUT: Final = time(0)
"""Stands for a day without trading: it is over before it begins."""

_DAYS: Final = """
2024-01-01 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2024-01-15 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2024-02-19 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2024-03-29 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2024-05-27 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2024-06-19 equity=12:00 rates=12:00 energy=13:30
2024-07-03 equity=12:15 crypto=12:15
2024-07-04 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2024-09-02 equity=12:00 rates=12:00 energy=12:00 grains=closed livestock=closed
2024-11-28 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2024-11-29 equity=12:15 rates=12:15 fx=12:15 energy=12:45 crypto=12:45 livestock=12:05
2024-12-24 equity=12:15 rates=12:15 fx=12:15 energy=12:45 crypto=12:15 livestock=12:05
2024-12-25 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2025-01-01 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2025-01-09 equity=08:30
2025-01-20 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2025-02-17 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2025-04-18 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2025-05-26 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2025-06-19 equity=12:00 rates=12:00 energy=13:30
2025-07-03 equity=12:15 crypto=12:15
2025-07-04 equity=12:00 rates=12:00 fx=12:00 energy=12:00 crypto=12:00 grains=closed livestock=closed
2025-09-01 equity=12:00 rates=12:00 energy=12:00 grains=closed livestock=closed
2025-11-27 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2025-11-28 equity=12:15 rates=12:15 fx=12:15 energy=12:45 crypto=12:45 livestock=12:05
2025-12-24 equity=12:15 rates=12:15 fx=12:15 energy=12:45 crypto=12:15 livestock=12:05
2025-12-25 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2026-01-01 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2026-01-19 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2026-02-16 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2026-04-03 equity=08:15 rates=10:15 fx=10:15 energy=closed crypto=10:15 grains=closed livestock=closed
2026-05-25 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2026-06-19 equity=12:00 rates=12:00 fx=12:00 energy=12:00 crypto=12:00
2026-07-03 equity=12:00 rates=12:00 fx=12:00 energy=12:00 crypto=12:00 grains=closed livestock=closed
2026-09-07 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2026-11-26 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2026-11-27 equity=12:15 rates=12:15 fx=12:15 energy=13:45 crypto=12:45 livestock=12:05
2026-12-24 equity=12:15 rates=12:15 fx=12:15 energy=12:45 crypto=12:15 livestock=12:05
2026-12-25 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2027-01-01 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2027-01-18 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2027-02-15 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2027-03-26 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
2027-05-31 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2027-06-18 equity=12:00 rates=12:00 fx=12:00 energy=12:00 crypto=12:00
2027-07-05 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2027-09-06 equity=12:00 rates=12:00 energy=12:00 grains=closed livestock=closed
2027-11-25 equity=12:00 rates=12:00 energy=13:30 grains=closed livestock=closed
2027-11-26 equity=12:15 rates=12:15 fx=12:15 energy=12:45 crypto=12:45 livestock=12:05
2027-12-24 equity=closed rates=closed fx=closed energy=closed crypto=closed grains=closed livestock=closed
"""

_GROUPS: Final[Mapping[Schedule, str]] = {
    "equity": "SP500 NASDAQ100 RUSSELL2000 DOW NIKKEI",
    "rates": "BOND30 BONDULTRA NOTE10 NOTE10ULTRA NOTE5 NOTE2",
    "fx": "EURO POUND YEN AUSSIE CANADIAN FRANC KIWI PESO",
    "energy": "CRUDE NATGAS GASOLINE HEATINGOIL GOLD SILVER COPPER PLATINUM",
    "crypto": "BITCOIN ETHER",
    "grains": "CORN WHEAT SOYBEANS SOYMEAL SOYOIL",
    "livestock": "CATTLE HOGS",
}
_SCHEDULES: Final[Mapping[str, Schedule]] = {
    group: schedule for schedule, groups in _GROUPS.items() for group in groups.split()
}


def _read() -> Mapping[Schedule, Mapping[date, time]]:
    found: dict[Schedule, dict[date, time]] = {schedule: {} for schedule in _GROUPS}
    for line in _DAYS.strip().splitlines():
        day, *closes = line.split()
        said = dict(close.split("=") for close in closes)
        for schedule, days in found.items():
            if schedule in said:
                days[date.fromisoformat(day)] = (
                    SHUT if said[schedule] == "closed" else time.fromisoformat(said[schedule])
                )
    return found


_CLOSES: Final = _read()
CLOSING_TIMES: Final = frozenset({time(16), *(close for days in _CLOSES.values() for close in days.values())} - {SHUT})
"""Every time of day in Chicago at which trading has ever stopped."""


def schedule_of(root: str) -> Schedule | None:
    """Return by which schedule a product trades, None for one that riskd does not know."""
    product = PRODUCTS.get(root)
    return None if product is None else _SCHEDULES.get(product.group)


def early_close(day: date, schedule: Schedule | None) -> time | None:
    """Return when trading stops on a TradingDay that is no usual one, ``SHUT`` where there is none at all.

    Shape: None on a usual day, and where the schedule is not known.
    """
    return None if schedule is None else _CLOSES[schedule].get(day)

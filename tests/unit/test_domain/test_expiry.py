from datetime import date

import pytest

from riskd.domain.expiry import business_day, ending_of
from riskd.domain.instruments import MONTH_CODES, PRODUCTS, contract_of_symbol


@pytest.mark.parametrize(
    ("symbol", "day", "what"),
    [
        ("ESH6", "2026-03-20", "last trading day"),
        ("MNQZ6", "2026-12-18", "last trading day"),
        ("NKDZ6", "2026-12-10", "last trading day"),
        ("CLZ6", "2026-11-20", "last trading day"),
        ("CLF6", "2025-12-19", "last trading day"),
        ("MCLZ6", "2026-11-19", "last trading day"),
        ("NGZ5", "2025-11-25", "last trading day"),
        ("MNGZ5", "2025-11-24", "last trading day"),
        ("RBZ5", "2025-11-28", "last trading day"),
        ("GCZ5", "2025-11-28", "first notice day"),
        ("SILH6", "2026-02-27", "first notice day"),
        ("ZNZ5", "2025-11-28", "first notice day"),
        ("ZCH6", "2026-02-27", "first notice day"),
        ("6EZ5", "2025-12-15", "last trading day"),
        ("M6EH6", "2026-03-16", "last trading day"),
        ("6CZ5", "2025-12-16", "last trading day"),
        ("MBTX5", "2025-11-28", "last trading day"),
        ("LEZ5", "2025-12-31", "last trading day"),
        ("HEZ5", "2025-12-12", "last trading day"),
    ],
)
def test_when_a_contract_ends(symbol: str, day: str, what: str) -> None:
    """The day that the rule of each group of products leads to."""
    ending = ending_of(contract_of_symbol(symbol))

    assert ending is not None
    assert (ending.day.isoformat(), ending.what) == (day, what)


def test_every_product_ends() -> None:
    """No month of a known product is without an end, which is always a business day."""
    for root in PRODUCTS:
        for month in MONTH_CODES:
            ending = ending_of(contract_of_symbol(f"{root}{month}6"))
            assert ending is not None
            assert business_day(ending.day)


@pytest.mark.parametrize("contract", ["CON.F.US.XYZ.H26", "CON.F.US.MNQ.A26", "MNQ", ""])
def test_of_what_is_not_known_no_end_is_known(contract: str) -> None:
    """A product or a month that riskd does not know."""
    assert ending_of(contract) is None


def test_a_bank_holiday_is_no_business_day() -> None:
    """Although the market is open in the morning; the Friday after Thanksgiving is one."""
    days = [date(2026, 1, 19), date(2026, 11, 26), date(2026, 11, 27), date(2026, 12, 24), date(2026, 11, 28)]

    assert [business_day(day) for day in days] == [False, False, True, True, False]

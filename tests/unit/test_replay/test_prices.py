import gzip
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from riskd.app.exports.prices import PriceFile, merged, read_prices
from riskd.app.exports.table import ForeignFile

ES = "CON.F.US.EP.H26"
NQ = "CON.F.US.ENQ.H26"


def read(text: str, *only: str) -> PriceFile:
    """Read prices of ES, or of what is named."""
    return read_prices("prices.csv", text.encode(), only=only or (ES,))


def at(clock: str) -> datetime:
    """Return a time of 2026-03-10 in UTC."""
    return datetime.fromisoformat(f"2026-03-10T{clock}+00:00").astimezone(UTC)


def test_ticks_become_last_prices() -> None:
    """A tick file gives one last price a row, cut to microseconds."""
    quotes = read("ts_utc,price\n2026-03-10T14:30:00.001532789Z,5800.25\n").quotes
    assert [(q.contract, q.at, q.last) for q in quotes] == [(ES, at("14:30:00.001532"), Decimal("5800.25"))]


def test_quotes_keep_bid_and_ask_apart_and_may_be_partial() -> None:
    """A row of best bid and ask gives those, and nothing for an empty cell."""
    quotes = read("ts_utc,kind,price,bid_px,ask_px\n2026-03-10T14:30:00Z,quote,,5800.00,\n").quotes
    assert [(q.last, q.bid, q.ask) for q in quotes] == [(None, Decimal(5800), None)]


def test_a_bar_is_known_at_its_end() -> None:
    """A bar is one quote at the end of its time, with its low and high, so that no fill sees the future."""
    text = (
        "timestamp_utc,open,high,low,close,volume\n"
        "2026-03-10 14:30:00,5800,5801,5799,5800.5,10\n"
        "2026-03-10 14:31:00,5800.5,5802,5800,5801,10\n"
    )
    first, second = read(text).quotes
    assert (first.at, second.at) == (at("14:31:00"), at("14:32:00"))
    assert (first.last, first.low_last, first.high_last) == (Decimal("5800.5"), Decimal(5799), Decimal(5801))


def test_bars_of_bid_and_ask_keep_both_extremes() -> None:
    """A bar of best prices gives low and high of either side."""
    text = (
        "ts_utc,contract,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close\n"
        "2026-03-10T14:30:00Z,ES202603,1,5,1,2,3,6,3,4\n"
    )
    (quote,) = read(text).quotes
    assert (quote.bid, quote.ask, quote.low_bid, quote.high_ask) == (Decimal(2), Decimal(4), Decimal(1), Decimal(6))


def test_only_the_traded_contracts_are_read() -> None:
    """Prices of contracts that nobody traded are passed over."""
    text = "ts_utc,contract,price\n2026-03-10T14:30:00Z,ESH6,5800\n2026-03-10T14:30:00Z,NQH6,20000\n"
    assert [q.contract for q in read(text, NQ).quotes] == [NQ]


def test_a_file_may_be_packed() -> None:
    """A gzipped file is read like a plain one."""
    packed = gzip.compress(b"ts_utc,price\n2026-03-10T14:30:00Z,5800.25\n")
    assert len(read_prices("prices.csv.gz", packed, only=(ES,)).quotes) == 1


def test_several_files_become_one_stream_in_time() -> None:
    """Quotes of several files are played in the order of their time."""
    late, early = read("ts_utc,price\n2026-03-10T14:31:00Z,2\n"), read("ts_utc,price\n2026-03-10T14:30:00Z,1\n")
    assert [q.last for q in merged([late, early])] == [Decimal(1), Decimal(2)]


def test_a_bad_row_is_named() -> None:
    """A price that is no number is left out with its line."""
    prices = read("ts_utc,price\nnever,5800\n2026-03-10T14:30:00Z,soon\n2026-03-10T14:30:00Z,5800\n")
    assert [row.line for row in prices.unread] == [2, 3]
    assert len(prices.quotes) == 1


@pytest.mark.parametrize(
    ("raw", "only", "said"),
    [
        (b"a,b\n1,2\n", (ES,), "expected prices"),
        (b"ts_utc,price\n", (ES, NQ), "has no contract column"),
        (b"\x1f\x8b\x08damaged", (ES,), "a damaged gzip file"),
    ],
)
def test_what_is_no_price_file_is_refused(raw: bytes, only: tuple[str, ...], said: str) -> None:
    """A file without prices, or without the contract they are of, is refused with what to do."""
    with pytest.raises(ForeignFile, match=said):
        read_prices("prices.csv", raw, only=only)

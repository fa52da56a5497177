"""Price files: ticks, best bid and ask, or bars of any length, as quotes in the order of their time."""

import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import Final

from riskd.app.exports.cells import decimal, utc_time
from riskd.app.exports.table import ForeignFile, Row, Table, UnreadableRow, UnreadRow, open_table
from riskd.domain.events import QuoteReported
from riskd.domain.instruments import MONTH_CODES, contract_of_symbol

_TIMES: Final = ("ts_utc", "timestamp_utc", "timestamp", "time", "t")
_SYMBOLS: Final = ("contract", "symbol", "contractname")
_BAR: Final = ("open", "high", "low", "close")
_LONG_SYMBOL: Final = re.compile(r"^([A-Z0-9]{1,5}?)(20\d\d)(0[1-9]|1[0-2])$")
_GZIP: Final = b"\x1f\x8b"
_ONE_MINUTE: Final = timedelta(minutes=1)
_ROWS_TO_LEARN_FROM: Final = 200


@dataclass(frozen=True, slots=True)
class PriceFile:
    """Quotes by time, and the rows that could not be read."""

    file: str
    quotes: tuple[QuoteReported, ...]
    unread: tuple[UnreadRow, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a price file keeps what, and how its rows become quotes."""

    time: str
    symbol: str | None
    quote: Callable[[Row, str, datetime], QuoteReported]
    bars: bool


def read_prices(file: str, raw: bytes, *, only: Sequence[str]) -> PriceFile:
    """Read the quotes of these contracts from a CSV file, plain or gzipped.

    Shape: a bar is known at its end, not before, so it becomes one quote there, with its low and high.
    Errors: ForeignFile when no price column is found, or when it names no contract and ``only`` has several.
    """
    table = open_table(file, _unpacked(file, raw))
    layout = _layout_of(table)
    if layout.symbol is None and len(only) != 1:
        raise ForeignFile(
            f"{file}: has no contract column, and the fills are in {len(only)} contracts; "
            "give it one (a column named contract with names such as ESH6)"
        )
    quotes, unread = _quotes(table, layout, only)
    if layout.bars:
        quotes = _moved_to_their_end(quotes)
    return PriceFile(file, tuple(sorted(quotes, key=lambda quote: quote.at)), tuple(unread))


def _unpacked(file: str, raw: bytes) -> bytes:
    if not raw.startswith(_GZIP):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError):
        raise ForeignFile(f"{file}: a damaged gzip file") from None


def _layout_of(table: Table) -> _Layout:
    time = next((name for name in _TIMES if name in table.header), None)
    symbol = next((name for name in _SYMBOLS if name in table.header), None)
    if time is not None:
        for columns, quote, bars in _KINDS:
            if table.has(columns):
                return _Layout(time, symbol, quote, bars)
    raise ForeignFile(
        f"{table.file}: expected prices (a time column such as ts_utc, with price, or bid_px and ask_px, or "
        f"open, high, low and close); found the columns {', '.join(table.header[:12])}"
    )


def _quotes(table: Table, layout: _Layout, only: Sequence[str]) -> tuple[list[QuoteReported], list[UnreadRow]]:
    quotes: list[QuoteReported] = []
    unread: list[UnreadRow] = []
    for row in table.rows():
        try:
            contract = only[0] if layout.symbol is None else _contract(row.required(layout.symbol))
            if contract in only:
                quotes.append(layout.quote(row, contract, utc_time(row.required(layout.time), layout.time)))
        except UnreadableRow as why:
            unread.append(UnreadRow(table.file, row.line, str(why)))
    return quotes, unread


def _moved_to_their_end(quotes: Sequence[QuoteReported]) -> list[QuoteReported]:
    """Date bars, which are named by their beginning, by the moment they are over."""
    lengths = {contract: _bar_length(times) for contract, times in _times(quotes).items()}
    return [_at(quote, quote.at + lengths[quote.contract]) for quote in quotes]


def _times(quotes: Sequence[QuoteReported]) -> Mapping[str, list[datetime]]:
    times: dict[str, list[datetime]] = defaultdict(list)
    for quote in quotes:
        times[quote.contract].append(quote.at)
    return times


def _bar_length(times: Sequence[datetime]) -> timedelta:
    gaps = (after - before for before, after in pairwise(islice(sorted(times), _ROWS_TO_LEARN_FROM)))
    return min((gap for gap in gaps if gap > timedelta(0)), default=_ONE_MINUTE)


def _at(quote: QuoteReported, at: datetime) -> QuoteReported:
    return QuoteReported(
        contract=quote.contract,
        at=at,
        last=quote.last,
        bid=quote.bid,
        ask=quote.ask,
        low_last=quote.low_last,
        high_last=quote.high_last,
        low_bid=quote.low_bid,
        high_bid=quote.high_bid,
        low_ask=quote.low_ask,
        high_ask=quote.high_ask,
    )


def _contract(symbol: str) -> str:
    long = _LONG_SYMBOL.match(symbol)
    if long is not None:
        root, year, month = long.groups()
        symbol = f"{root}{MONTH_CODES[int(month) - 1]}{year[-2:]}"
    try:
        return contract_of_symbol(symbol)
    except ValueError as error:
        raise UnreadableRow(str(error)) from None


def _price(row: Row, *columns: str) -> Decimal | None:
    for column in columns:
        text = row.text(column)
        if text:
            return decimal(text, column)
    return None


def _tick(row: Row, contract: str, at: datetime) -> QuoteReported:
    return QuoteReported(
        contract=contract,
        at=at,
        last=_price(row, "price", "last"),
        bid=_price(row, "bid_px", "bid"),
        ask=_price(row, "ask_px", "ask"),
    )


def _trade_bar(row: Row, contract: str, at: datetime) -> QuoteReported:
    return QuoteReported(
        contract=contract,
        at=at,
        last=_price(row, "close"),
        low_last=_price(row, "low"),
        high_last=_price(row, "high"),
    )


def _quote_bar(row: Row, contract: str, at: datetime) -> QuoteReported:
    return QuoteReported(
        contract=contract,
        at=at,
        bid=_price(row, "bid_close"),
        ask=_price(row, "ask_close"),
        low_bid=_price(row, "bid_low"),
        high_bid=_price(row, "bid_high"),
        low_ask=_price(row, "ask_low"),
        high_ask=_price(row, "ask_high"),
    )


_KINDS: Final[tuple[tuple[tuple[str, ...], Callable[[Row, str, datetime], QuoteReported], bool], ...]] = (
    (("bid_close", "ask_close"), _quote_bar, True),
    (_BAR, _trade_bar, True),
    (("price",), _tick, False),
    (("last",), _tick, False),
    (("bid_px", "ask_px"), _tick, False),
    (("bid", "ask"), _tick, False),
)


def merged(files: Sequence[PriceFile]) -> Iterator[QuoteReported]:
    """Return the quotes of all files in the order of their time."""
    yield from sorted((quote for file in files for quote in file.quotes), key=lambda quote: quote.at)

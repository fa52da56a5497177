"""Recorded prices from CSV files, plain or gzipped, in any of several shapes.

The shape is told by the column names: trade ticks, best bid and offer with trades, one-minute
trade bars, one-minute quote bars. A bar is played as four prices, the nearer extreme first.
"""

import csv
import gzip
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from riskd.simulator.exchange.model import PriceUpdate, Side
from riskd.simulator.exchange.products import Product
from riskd.simulator.market.tape import PriceSource, Tick

Row: TypeAlias = dict[str, str]

_TIME_COLUMNS = ("ts_utc", "timestamp_utc", "timestamp", "time", "ts", "datetime")
_PRODUCT_COLUMNS = ("contract", "symbol")
_MONTH = re.compile(r"[FGHJKMNQUVXZ]?\d+$")
_LONG_GAP = timedelta(hours=1)
_BAR = timedelta(minutes=1)
_BAR_STEPS = (timedelta(0), _BAR * 0.25, _BAR * 0.5, _BAR * 0.98)
_PLAYABLE = (
    "a time column (ts_utc, timestamp) with price; or bid_px and ask_px; or open, high, low, close; "
    "or bid_open to ask_close"
)


class PriceFileError(Exception):
    """A price file that cannot be played; the text says where, why, and what to do."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of one product in the order of time, and what is odd about them."""

    ticks: tuple[Tick, ...]
    oddities: tuple[str, ...]

    @property
    def begins_at(self) -> datetime:
        """Return the first price's time."""
        return self.ticks[0][0]

    @property
    def ends_at(self) -> datetime:
        """Return the last price's time."""
        return self.ticks[-1][0]

    def play(self, contract_id: str, *, shift: timedelta) -> PriceSource:
        """Yield the prices as a contract's, moved in time."""
        for at, change in self.ticks:
            yield at + shift, msgspec.structs.replace(change, contract_id=contract_id)


class _Line(msgspec.Struct, frozen=True):
    number: int
    at: datetime
    row: Row


def read_prices(path: Path, product: Product, instrument: str | None = None) -> Recording:
    """Read a file whole; `instrument` picks one of several by its instrument_id.

    Errors: PriceFileError for what is no price file, not in order of time, or another product's.
    """
    try:
        zipped = path.suffix == ".gz"
        # Spreadsheets put a byte order mark before the first column's name.
        how: dict[str, Any] = {"encoding": "utf-8-sig", "newline": ""}
        with gzip.open(path, "rt", **how) if zipped else path.open(**how) as lines:
            return _read(path, csv.DictReader(lines), product, instrument)
    except FileNotFoundError:
        raise PriceFileError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise PriceFileError(f"{path}: cannot be read as CSV text ({error})") from None


def _read(path: Path, reader: "csv.DictReader[str]", product: Product, instrument: str | None) -> Recording:
    columns = frozenset(reader.fieldnames or ())
    convert, time_column = _shape(path, columns)
    oddities: list[str] = []
    ticks: list[Tick] = []
    for line in _lines(path, reader, time_column, instrument):
        _check_product(path, line, product)
        try:
            found = tuple(convert(line, product))
        except (InvalidOperation, ValueError, KeyError, TypeError):
            raise PriceFileError(f"{path}, line {line.number}: a price or size is not a number") from None
        for tick in found:
            _check(path, line, tick, product, ticks[-1] if ticks else None)
            oddities += _gap(line, tick, ticks)
            ticks.append(tick)
    if not ticks:
        raise PriceFileError(f"{path}: holds no prices")
    return Recording(ticks=tuple(ticks), oddities=tuple(oddities))


def _shape(path: Path, columns: frozenset[str]) -> tuple[Callable[[_Line, Product], Iterator[Tick]], str]:
    times = [name for name in _TIME_COLUMNS if name in columns]
    if times:
        for needed, convert in _SHAPES:
            if needed <= columns:
                return convert, times[0]
    raise PriceFileError(
        f"{path}: these columns are no prices ({', '.join(sorted(columns)) or 'none'}); playable are {_PLAYABLE}"
    )


def _lines(path: Path, reader: "csv.DictReader[str]", time_column: str, instrument: str | None) -> Iterator[_Line]:
    only = instrument
    for row in reader:
        found = row.get("instrument_id")
        if found is not None:
            only = only if only is not None else found
            if found != only and instrument is None:
                raise PriceFileError(
                    f"{path}, line {reader.line_num}: holds several instruments ({only}, {found}); "
                    f"choose one by adding #{found} to the file name"
                )
            if found != only:
                continue
        yield _Line(reader.line_num, _moment(path, reader.line_num, row[time_column]), row)


def _moment(path: Path, number: int, text: str | None) -> datetime:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        raise PriceFileError(f"{path}, line {number}: {text!r} is not a time") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _check_product(path: Path, line: _Line, product: Product) -> None:
    for column in _PRODUCT_COLUMNS:
        named = line.row.get(column)
        if named and not named.startswith((product.code, product.symbol_id)):
            raise PriceFileError(
                f"{path}, line {line.number}: holds {named}, not {product.code}; "
                f"name the file's own product, as in {_MONTH.sub('', named)}=FILE"
            )


def _check(path: Path, line: _Line, tick: Tick, product: Product, before: Tick | None) -> None:
    at, change = tick
    if before is not None and at < before[0]:
        raise PriceFileError(
            f"{path}, line {line.number}: {at.isoformat()} comes after {before[0].isoformat()}; sort the file by time"
        )
    for price in (change.last, change.bid, change.ask):
        if price is not None and (not price.is_finite() or price % product.tick_size):
            raise PriceFileError(
                f"{path}, line {line.number}: {price} is not on {product.code}'s grid of "
                f"{product.tick_size}; is this another product's file?"
            )


def _gap(line: _Line, tick: Tick, before: list[Tick]) -> list[str]:
    if not before or tick[0] - before[-1][0] < _LONG_GAP:
        return []
    silent = tick[0] - before[-1][0]
    return [f"line {line.number}: no prices for {silent} before {tick[0].isoformat()}"]


# ---------------------------------------------------------------------- shapes


def _trade_tick(line: _Line, _: Product) -> Iterator[Tick]:
    size = int(line.row.get("size") or 1)
    price = Decimal(line.row["price"])
    yield line.at, PriceUpdate(contract_id="", last=price, bid=price, ask=price, size=max(size, 1))


def _book_change(line: _Line, _: Product) -> Iterator[Tick]:
    row = line.row
    bid, ask = _price(row["bid_px"]), _price(row["ask_px"])
    if bid is not None and ask is not None and bid >= ask:
        return
    traded = row.get("kind") == "trade" or row.get("action") in {"T", "F"}
    sides = {"B": Side.BUY, "A": Side.SELL, "buy": Side.BUY, "sell": Side.SELL}
    yield (
        line.at,
        PriceUpdate(
            contract_id="",
            last=_price(row["price"]) if traded else None,
            bid=bid,
            ask=ask,
            size=int(row["size"] or 1) if traded else 0,
            side=sides.get(row.get("side") or "") if traded else None,
        ),
    )


def _trade_bar(line: _Line, product: Product) -> Iterator[Tick]:
    row = line.row
    prices = _path(*(Decimal(row[name]) for name in ("open", "high", "low", "close")))
    size = max(int(row.get("volume") or 0) // len(prices), 1)
    for after, price in zip(_BAR_STEPS, prices, strict=True):
        yield (
            line.at + after,
            PriceUpdate(contract_id="", last=price, bid=price, ask=price + product.tick_size, size=size),
        )


def _quote_bar(line: _Line, _: Product) -> Iterator[Tick]:
    row = line.row
    names = ("open", "high", "low", "close")
    bids = [_price(row[f"bid_{name}"]) for name in names]
    asks = [_price(row[f"ask_{name}"]) for name in names]
    for after, place in zip(_BAR_STEPS, (0, 2, 1, 3), strict=True):
        bid, ask = bids[place], asks[place]
        if bid is not None or ask is not None:
            yield line.at + after, PriceUpdate(contract_id="", bid=bid, ask=ask)


def _path(opened: Decimal, high: Decimal, low: Decimal, close: Decimal) -> tuple[Decimal, ...]:
    """Return the way through a bar: to the extreme nearer to the open first."""
    if high - opened < opened - low:
        return (opened, high, low, close)
    return (opened, low, high, close)


def _price(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


_SHAPES: tuple[tuple[frozenset[str], Callable[[_Line, Product], Iterator[Tick]]], ...] = (
    (frozenset({"bid_px", "ask_px", "price", "size"}), _book_change),
    (frozenset({"bid_open", "bid_high", "bid_low", "bid_close", "ask_open", "ask_close"}), _quote_bar),
    (frozenset({"open", "high", "low", "close"}), _trade_bar),
    (frozenset({"price"}), _trade_tick),
)

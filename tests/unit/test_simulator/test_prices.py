"""Price files, generated prices and bars."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from riskd.simulator.exchange.contracts import ContractBook
from riskd.simulator.exchange.model import PriceUpdate
from riskd.simulator.market.bars import BarStore, bucket
from riskd.simulator.market.recordings import PriceFileError, read_prices
from riskd.simulator.market.tape import PriceTape, Walk, generate

_NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
_BOOK = ContractBook()
_ES = _BOOK.front("ES", _NOW)
_DATA = Path(__file__).parents[4] / "shared" / "data"


def _file(folder: Path, *lines: str) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("lines", "prices"),
    [
        (["ts_utc,price", "2026-11-18T15:00:00.5Z,6700.25"], [("6700.25", "6700.25", "6700.25")]),
        (["\ufeffts_utc,price", "2026-11-18T15:00:00.5Z,6700.25"], [("6700.25", "6700.25", "6700.25")]),
        (
            [
                "ts_utc,kind,side,price,size,bid_px,bid_sz,ask_px,ask_sz",
                "2026-11-18T15:00:00Z,quote,,,,6700.00,3,6700.25,4",
                "2026-11-18T15:00:01Z,quote_crossed,,,,6701.00,3,6700.25,4",
                "2026-11-18T15:00:02Z,trade,B,6700.25,2,,,,",
            ],
            [(None, "6700.00", "6700.25"), ("6700.25", None, None)],
        ),
        (
            ["timestamp_utc,open,high,low,close,volume", "2026-11-18 15:00:00,10,12,9.5,11,8"],
            [
                ("10", "10", "10.25"),
                ("9.5", "9.5", "9.75"),
                ("12", "12", "12.25"),
                ("11", "11", "11.25"),
            ],
        ),
        (
            [
                "ts_utc,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close",
                "2026-11-18T15:00:00Z,,,,,10.25,10.5,10,10.25",
            ],
            [(None, None, "10.25"), (None, None, "10"), (None, None, "10.5"), (None, None, "10.25")],
        ),
    ],
)
def test_files_of_several_shapes_are_read(
    tmp_path: Path, lines: list[str], prices: list[tuple[str | None, ...]]
) -> None:
    """Ticks, books with trades, trade bars and quote bars give last, bid and ask."""
    recording = read_prices(_file(tmp_path, *lines), _ES.product)

    found = [(change.last, change.bid, change.ask) for _, change in recording.ticks]
    assert found == [tuple(None if each is None else Decimal(each) for each in row) for row in prices]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["a,b", "1,2"], "columns are no prices"),
        ([""], "columns are no prices"),
        (["ts_utc,price"], "holds no prices"),
        (["ts_utc,price", "soon,6700"], "line 2: 'soon' is not a time"),
        (["ts_utc,price", "2026-11-18T15:00:00Z,"], "line 2: a price or size is not a number"),
        (["ts_utc,price", "2026-11-18T15:00:00Z,6700.10"], "not on ES's grid of 0.25"),
        (["ts_utc,price", "2026-11-18T15:00:00Z,NaN"], "not on ES's grid"),
        (
            ["ts_utc,price", "2026-11-18T15:00:01Z,6700", "2026-11-18T15:00:00Z,6700"],
            "line 3: .* comes after .*; sort the file by time",
        ),
        (
            ["ts_utc,contract,price", "2026-11-18T15:00:00Z,GC201312,1310"],
            "line 2: holds GC201312, not ES; .* GC=FILE",
        ),
        (
            ["ts_utc,symbol,price", "2026-11-18T15:00:00Z,NQM6,25000"],
            "line 2: holds NQM6, not ES; .* NQ=FILE",
        ),
        (
            [
                "ts_utc,instrument_id,price",
                "2026-11-18T15:00:00Z,1,6700",
                "2026-11-18T15:00:00Z,2,6700",
            ],
            r"line 3: holds several instruments \(1, 2\); choose one by adding #2",
        ),
    ],
)
def test_a_file_that_is_no_price_file_is_told_in_one_sentence(tmp_path: Path, lines: list[str], complaint: str) -> None:
    """Where, what, and where possible what to do."""
    with pytest.raises(PriceFileError, match=complaint):
        read_prices(_file(tmp_path, *lines), _ES.product)


def test_missing_and_unreadable_files_are_told_too(tmp_path: Path) -> None:
    """No traceback for a wrong path or a binary file."""
    binary = tmp_path / "binary.csv.gz"
    binary.write_bytes(b"\x00\x01")

    with pytest.raises(PriceFileError, match="no such file"):
        read_prices(tmp_path / "absent.csv", _ES.product)
    with pytest.raises(PriceFileError, match="cannot be read as CSV"):
        read_prices(binary, _ES.product)


def test_one_instrument_is_picked_and_a_long_gap_is_noted(tmp_path: Path) -> None:
    """Gaps are played as silence and said, not refused."""
    path = _file(
        tmp_path,
        "ts_utc,instrument_id,price",
        "2026-11-18T15:00:00Z,1,6700",
        "2026-11-18T15:00:00Z,2,100",
        "2026-11-18T17:00:00Z,1,6701",
    )

    recording = read_prices(path, _ES.product, "1")

    assert len(recording.ticks) == 2
    assert recording.oddities == ("line 4: no prices for 2:00:00 before 2026-11-18T17:00:00+00:00",)


@pytest.mark.recorded
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "ticks"),
    [
        ("price-databento-es/6eh4_1m_2024-01.csv.gz", "6E", 119_984),
        ("price-databento-es/esh4_bbo_trades_2023-12-25.csv.gz", "ES", 28_397),
        ("price-databento-es/esu4_mbp1_2024-07-01_2358.csv.gz", "ES", 2_288),
        ("price-esm8-ticks-2018-05-07/esm8_trades.csv.gz", "ES", 74_907),
        ("price-lean-es-gc/es_front_minute_quotes.csv.gz", "ES", 78_844),
        ("price-lean-es-gc/gc_front_ticks_trades.csv.gz", "GC", 156_452),
    ],
)
def test_real_recordings_are_read_whole(name: str, code: str, ticks: int) -> None:
    """Every recorded file plays, each in its own shape."""
    path = _DATA / name
    if not path.exists():
        pytest.skip(f"no recorded prices at {path}")
    product = _BOOK.product(code)
    assert product is not None

    assert len(read_prices(path, product).ticks) == ticks


def test_generated_prices_are_the_seeds_and_on_the_grid() -> None:
    """The same seed walks the same way; the book is never crossed."""
    first = list(islice(generate(_ES, Walk(seed=3), _NOW), 500))
    again = list(islice(generate(_ES, Walk(seed=3), _NOW), 500))
    other = list(islice(generate(_ES, Walk(seed=4), _NOW), 500))

    assert first == again != other
    for at, change in first:
        assert at >= _NOW
        assert change.bid is not None
        assert change.ask is not None
        assert change.bid < change.ask
        assert change.bid % _ES.tick_size == 0


def test_a_walk_may_have_a_trend() -> None:
    """A drift of minus a hundred ticks a minute ends far below."""
    walk = Walk(start=Decimal(6700), drift_ticks=-100, per_second=10)

    last = [change for _, change in islice(generate(_ES, walk, _NOW), 6000)][-1]

    assert last.bid is not None
    assert last.bid < Decimal(6600)


def test_a_tape_merges_sources_in_the_order_of_time() -> None:
    """Prices of two contracts come as their times say, and only up to the moment asked for."""
    tape = PriceTape()
    for name, seconds in (("a", (0, 2, 9)), ("b", (1, 2))):
        tape.add(iter([(_NOW + timedelta(seconds=each), PriceUpdate(contract_id=name)) for each in seconds]))

    played = [change.contract_id for _, change in tape.until(_NOW + timedelta(seconds=5))]

    assert played == ["a", "b", "a", "b"]
    assert tape.next_at == _NOW + timedelta(seconds=9)
    tape.clear("a")
    assert tape.next_at is None


def test_bars_hold_what_traded() -> None:
    """Prints of one minute make one bar; the past before them is invented and joins on."""
    store = BarStore(seed=1)
    for second, price in ((0, "10"), (20, "12"), (40, "9"), (59, "11"), (60, "20")):
        store.add(_ES.id, _NOW + timedelta(seconds=second), Decimal(price), 2)

    found = list(store.find(_ES, (_NOW, _NOW + timedelta(hours=1)), unit=2, count=1))
    past = list(store.find(_ES, (_NOW - timedelta(hours=1), _NOW), unit=2, count=1))

    first = found[0]
    shape = [str(each) for each in (first.open, first.high, first.low, first.close, first.volume)]
    assert shape == ["10", "12", "9", "11", "8"]
    assert len(found) == 2
    assert len(past) == 60
    assert past[-1].close == Decimal(10)


@pytest.mark.parametrize(
    ("unit", "count", "begins"),
    [
        (1, 15, "2026-11-18T15:07:30+00:00"),
        (2, 5, "2026-11-18T15:05:00+00:00"),
        (3, 4, "2026-11-18T12:00:00+00:00"),
        (4, 1, "2026-11-18T00:00:00+00:00"),
        (5, 1, "2026-11-16T00:00:00+00:00"),
        (6, 1, "2026-11-01T00:00:00+00:00"),
    ],
)
def test_a_bar_begins_at_a_whole_unit(unit: int, count: int, begins: str) -> None:
    """Seconds, minutes, hours, days, weeks from Monday, months."""
    at = datetime(2026, 11, 18, 15, 7, 44, tzinfo=UTC)

    assert bucket(at, unit, count).isoformat() == begins

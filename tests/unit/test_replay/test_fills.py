from datetime import UTC, datetime
from decimal import Decimal

import pytest

from riskd.app.exports.fills import Export, Kind, read_export
from riskd.app.exports.table import ForeignFile
from riskd.domain.orders import Side
from tests.unit.test_replay.exports import ORDERS_HEADER, order_row, orders, trade_row, trades


def read(raw: bytes) -> Export:
    """Read an export."""
    return read_export("export.csv", raw)


def test_a_filled_order_is_one_fill() -> None:
    """A filled order is a fill of its size, side and price, at the UTC instant that its own offset gives."""
    fill = read(orders(order_row())).fills[0]
    assert (fill.account, fill.trade_id, fill.contract) == ("ACCT-A", "1", "CON.F.US.MNQ.H26")
    assert (fill.side, fill.quantity, fill.price) == (Side.BUY, 2, Decimal(18000))
    assert fill.at == datetime(2026, 3, 10, 14, 31, tzinfo=UTC)


def test_orders_that_did_not_fill_are_passed_over_in_silence() -> None:
    """Cancelled, rejected and working orders are read and are no fills."""
    rows = [
        order_row(Id=str(n), Status=status, FilledAt="", ExecutePrice="0.000000000")
        for n, status in enumerate(("Cancelled", "Rejected", "Expired", "Open"))
    ]
    export = read(orders(*rows))
    assert (export.fills, export.unread, export.doubtful) == ((), (), ())


def test_a_cancelled_order_with_a_price_is_pointed_out() -> None:
    """An order that filled in part before it was cancelled is where a day's missing contracts are."""
    export = read(orders(order_row(Status="Cancelled", Size="5")))
    assert export.fills == ()
    (row,) = export.doubtful
    assert row.line == 2
    assert row.why.startswith("cancelled after a part of its 5 MNQH6 had filled (buy at 18000); how many")


def test_fills_of_one_second_come_in_the_order_of_their_numbers() -> None:
    """Orders of one second are sorted by Id as a number, wherever they stand in the file."""
    rows = [order_row(Id="100"), order_row(Id="99"), order_row(Id="3", FilledAt="03/10/2026 15:30:59 +01:00")]
    assert [fill.trade_id for fill in read(orders(*rows)).fills] == ["3", "99", "100"]


def test_columns_may_come_in_any_order_after_a_byte_order_mark() -> None:
    """What a column is called decides, not where it stands; a spreadsheet's mark at the beginning does no harm."""
    names = ORDERS_HEADER.split(",")
    cells = dict(zip(names, order_row().split(","), strict=True))
    turned = ",".join(reversed(names)) + "\n" + ",".join(cells[name] for name in reversed(names))
    assert read(b"\xef\xbb\xbf" + turned.encode()).fills == read(orders(order_row())).fills


def test_a_quoted_text_over_two_lines_does_not_shift_the_line_numbers() -> None:
    """The line that is named for a row is where the row begins in the file."""
    long = order_row(Status="Rejected", RejectionReason='"exceeded,\nNewMax: [6]"')
    export = read(orders(long, order_row(Status="Levitated")))
    assert [(row.line, row.why) for row in export.unread] == [(4, "Status is Levitated; only Filled is counted")]


def test_an_id_counts_once() -> None:
    """The same fill twice is one fill."""
    export = read(orders(order_row(), order_row()))
    assert (len(export.fills), export.repeated, export.unread) == (1, 1, ())


def test_an_id_with_other_figures_is_said() -> None:
    """Two rows with one Id that do not agree are a contradiction: the first counts, the second is named."""
    export = read(orders(order_row(), order_row(Size="3")))
    assert [fill.quantity for fill in export.fills] == [2]
    assert [row.line for row in export.unread] == [3]


def test_a_trade_is_an_entry_and_an_exit_that_share_its_costs() -> None:
    """A Trades row is two fills; fees and commissions are split evenly, the P&L belongs to the exit."""
    entry, leaving = read(trades(trade_row(Commissions="0.52"))).fills
    assert (entry.side, entry.pnl, entry.fees) == (Side.BUY, None, Decimal("1.00"))
    assert (leaving.side, leaving.pnl, leaving.fees) == (Side.SELL, Decimal(40), Decimal("1.00"))
    assert (leaving.at - entry.at).total_seconds() == 240


def test_a_short_trade_sells_first() -> None:
    """Type Short enters by selling."""
    entry, leaving = read(trades(trade_row(Type="Short"))).fills
    assert (entry.side, leaving.side) == (Side.SELL, Side.BUY)


def test_a_list_of_fills_is_read_as_it_is() -> None:
    """A plain list of fills carries its fee and, on closing fills, the P&L."""
    raw = (
        b"ts_utc,trade_day,contract,side,qty,price,ref,fee,realized_pnl\n"
        b"2026-04-02T07:56:11Z,2026-04-02,MNQM6,B,5,23863.0,1E,1.85,\n"
        b"2026-04-02T07:56:22Z,2026-04-02,MNQM6,S,5,23865.0,1X,1.85,20.0\n"
    )
    export = read(raw)
    assert (export.kind, export.has_fees) == (Kind.FILLS, True)
    assert [(fill.side, fill.pnl) for fill in export.fills] == [(Side.BUY, None), (Side.SELL, Decimal(20))]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (order_row(FilledAt="03/10/2026 15:31:00"), "FilledAt is not a time with its UTC offset"),
        (order_row(FilledAt="02/30/2026 15:31:00 +01:00"), "2026-02-30T15:31:00+01:00 is not a possible time"),
        (order_row(FilledAt=""), "filledat is empty"),
        (order_row(ExecutePrice="1e5"), "ExecutePrice is not a number: '1e5'"),
        (order_row(ExecutePrice="NaN"), "ExecutePrice is not a number: 'NaN'"),
        (order_row(Size="0"), "Size is not a number of contracts: '0'"),
        (order_row(Size="2.5"), "Size is not a number of contracts: '2.5'"),
        (order_row(Side="Both"), "Side is 'Both'; expected Bid or Ask"),
        (order_row(ContractName="SPY"), "'SPY' is not a contract symbol such as MNQH6"),
        (order_row(ContractName="ABCH6"), "ABCH6: what a point of it is worth is not known"),
        (order_row(Id=""), "id is empty"),
        (order_row(Status="Voided"), "Status is Voided; only Filled is counted"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_reason(row: str, why: str) -> None:
    """One bad row is left out and said; the rows around it count."""
    export = read(orders(order_row(Id="8"), row, order_row(Id="9")))
    assert len(export.fills) == 2
    assert [(u.file, u.line) for u in export.unread] == [("export.csv", 3)]
    assert export.unread[0].why.startswith(why)


def test_a_voided_trade_is_left_out() -> None:
    """A trade that the platform took back is named and not counted."""
    raw = (
        trades(trade_row())
        .replace(b"Commissions\r\n", b"Commissions,Voided\r\n")
        .replace(b"-05:00,,\r\n", b"-05:00,,,true\r\n")
    )
    export = read(raw)
    assert export.fills == ()
    assert export.unread[0].why == "the trade is voided and not counted"


def test_a_trade_cannot_end_before_it_began() -> None:
    """A row whose exit is before its entry is not believed."""
    export = read(trades(trade_row(ExitedAt="03/10/2026 09:30:00 -05:00")))
    assert export.unread[0].why == "ExitedAt is before EnteredAt"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "export.csv: empty"),
        (b"\n\n", "export.csv: empty"),
        (b"date,weather\n2026-03-10,rain\n", "found the columns date, weather"),
        (b"\xff\xfe\x00\x01", "export.csv: not a CSV file in UTF-8"),
        (b"PK\x03\x04\x14\x00\x08\x08\x08\x00\xed\xbd", "export.csv: not a CSV file in UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_sentence(raw: bytes, said: str) -> None:
    """A file that is no export is refused with what was expected and what was found."""
    with pytest.raises(ForeignFile) as refused:
        read(raw)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)

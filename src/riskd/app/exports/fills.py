"""Fills from a platform's exports: TopstepX Orders, TopstepX Trades, and plain lists of fills.

An Orders export has one row per order; a filled one is a fill at FilledAt and ExecutePrice and carries no fee. A Trades
export has one row per round trip, which is two fills: fees and commissions are of both together. Every time carries the
offset of whoever exported it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from riskd.app.exports.cells import count, decimal, time_with_offset, utc_time
from riskd.app.exports.table import ForeignFile, Row, Table, UnreadableRow, UnreadRow, open_table
from riskd.domain.events import Fill
from riskd.domain.instruments import PRODUCTS, contract_of_symbol, root_of_contract
from riskd.domain.orders import Side


class Kind(StrEnum):
    """What a file of fills is."""

    ORDERS = "Orders export"
    TRADES = "Trades export"
    FILLS = "list of fills"
    JOURNAL = "journal of riskd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was read from one file.

    Shape: ``fills`` by time, then number; ``doubtful`` are rows that were read but seem to hide a fill; ``repeated``
    counts fills whose Id had been read before.
    """

    file: str
    kind: Kind
    has_fees: bool
    fills: tuple[Fill, ...]
    unread: tuple[UnreadRow, ...]
    doubtful: tuple[UnreadRow, ...]
    repeated: int


class _Doubtful(Exception):
    """A row without a fill that all the same seems to have one; the message says why."""


_COLUMNS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.ORDERS: ("Id", "ContractName", "Status", "Size", "Side", "FilledAt", "ExecutePrice"),
    Kind.TRADES: (
        "Id", "ContractName", "EnteredAt", "ExitedAt", "EntryPrice", "ExitPrice", "Fees", "PnL", "Size", "Type",
    ),
    Kind.FILLS: ("ts_utc", "contract", "side", "qty", "price", "ref"),
}  # fmt: skip

# Orders that never filled. Whatever else stands in the Status column is said to the trader, not passed over.
_NO_FILL: Final = frozenset(
    {"cancelled", "canceled", "rejected", "expired", "open", "working", "pending", "pendingcancellation", "suspended"}
)
_SIDES: Final[Mapping[str, Side]] = {
    "bid": Side.BUY, "buy": Side.BUY, "b": Side.BUY, "ask": Side.SELL, "sell": Side.SELL, "s": Side.SELL,
}  # fmt: skip


def read_export(file: str, raw: bytes) -> Export:
    """Read the fills of one export, told apart by its header.

    Errors: ForeignFile, with one sentence that names what was expected and found, when it is something else.
    """
    table = open_table(file, raw)
    kind = _kind_of(table)
    reader = _READERS[kind]
    fills: dict[str, Fill] = {}
    unread: list[UnreadRow] = []
    doubtful: list[UnreadRow] = []
    repeated = 0
    for row in table.rows():
        try:
            for fill in reader(row):
                repeated += _take(fill, fills)
        except UnreadableRow as why:
            unread.append(UnreadRow(file, row.line, str(why)))
        except _Doubtful as why:
            doubtful.append(UnreadRow(file, row.line, str(why)))
    return Export(
        file=file,
        kind=kind,
        has_fees=table.has(("fees",)) or table.has(("fee",)),
        fills=tuple(in_order(fills.values())),
        unread=tuple(unread),
        doubtful=tuple(doubtful),
        repeated=repeated,
    )


def in_order(fills: Iterable[Fill]) -> list[Fill]:
    """Sort fills by the broker's time, those of one second by the number in their Id."""
    return sorted(fills, key=lambda fill: (fill.at, _number(fill.trade_id), fill.trade_id))


def _kind_of(table: Table) -> Kind:
    for kind, columns in _COLUMNS.items():
        if table.has([name.casefold() for name in columns]):
            return kind
    expected = " or ".join(f"a TopstepX {k} ({', '.join(_COLUMNS[k])})" for k in (Kind.ORDERS, Kind.TRADES))
    found = ", ".join(name or "(no name)" for name in table.header[:12])
    raise ForeignFile(f"{table.file}: expected {expected}; found the columns {found}")


def _take(fill: Fill, fills: dict[str, Fill]) -> int:
    """Keep a fill unless its Id is known; a known Id with other figures is a contradiction, not a repetition."""
    known = fills.setdefault(fill.trade_id, fill)
    if known is fill:
        return 0
    if known != fill:
        raise UnreadableRow(f"Id {fill.trade_id} was read before with other figures; the first one counts")
    return 1


def _orders_row(row: Row) -> tuple[Fill, ...]:
    status = row.required("status").casefold()
    if status in _NO_FILL:
        return _unfilled(row, status)
    if status != "filled" or _voided(row):
        raise UnreadableRow(f"Status is {row.text('status')}; only Filled is counted")
    return (
        Fill(
            account=row.text("accountname"),
            trade_id=row.required("id"),
            contract=_contract(row.required("contractname")),
            side=_side(row.required("side")),
            quantity=count(row.text("size"), "Size"),
            price=decimal(row.required("executeprice"), "ExecutePrice"),
            at=time_with_offset(row.required("filledat"), "FilledAt"),
            order_id=row.required("id"),
        ),
    )


def _unfilled(row: Row, status: str) -> tuple[Fill, ...]:
    # An order that did not fill has no price, or one of zero. With a price, a part filled before it was cancelled,
    # and the export does not say how much: such a part is what a day lacks that does not come to flat.
    if row.text("executeprice").strip("0."):
        side, price = _side(row.required("side")), decimal(row.text("executeprice"), "ExecutePrice")
        what = f"{row.text('size')} {row.text('contractname')}"
        raise _Doubtful(
            f"{status} after a part of its {what} had filled ({side} at {price:f}); how many contracts is not said, "
            "so none is counted"
        )
    return ()


def _trades_row(row: Row) -> tuple[Fill, ...]:
    if _voided(row):
        raise UnreadableRow("the trade is voided and not counted")
    size = count(row.text("size"), "Size")
    paid = decimal(row.required("fees"), "Fees") + decimal(row.text("commissions") or "0", "Commissions")
    side = _direction(row.required("type"))
    entered = time_with_offset(row.required("enteredat"), "EnteredAt")
    exited = time_with_offset(row.required("exitedat"), "ExitedAt")
    if exited < entered:
        raise UnreadableRow("ExitedAt is before EnteredAt")
    entry_price = decimal(row.required("entryprice"), "EntryPrice")
    exit_price = decimal(row.required("exitprice"), "ExitPrice")
    pnl = decimal(row.required("pnl"), "PnL")
    number, account = row.required("id"), row.text("accountname")
    contract = _contract(row.required("contractname"))

    def half(leg: str, *, side: Side, price: Decimal, at: datetime, pnl: Decimal | None) -> Fill:
        return Fill(
            account=account,
            trade_id=f"{number}{leg}",
            contract=contract,
            side=side,
            quantity=size,
            price=price,
            at=at,
            fees=paid / 2,
            commission=Decimal(0),
            pnl=pnl,
        )

    return (
        half("-entry", side=side, price=entry_price, at=entered, pnl=None),
        half("-exit", side=_opposite(side), price=exit_price, at=exited, pnl=pnl),
    )


def _fills_row(row: Row) -> tuple[Fill, ...]:
    pnl = row.text("realized_pnl")
    return (
        Fill(
            account=row.text("account"),
            trade_id=row.required("ref"),
            contract=_contract(row.required("contract")),
            side=_side(row.required("side")),
            quantity=count(row.text("qty"), "qty"),
            price=decimal(row.required("price"), "price"),
            at=utc_time(row.required("ts_utc"), "ts_utc"),
            fees=decimal(row.text("fee") or "0", "fee"),
            commission=Decimal(0),
            pnl=decimal(pnl, "realized_pnl") if pnl else None,
        ),
    )


_READERS: Final[Mapping[Kind, Callable[[Row], tuple[Fill, ...]]]] = {
    Kind.ORDERS: _orders_row,
    Kind.TRADES: _trades_row,
    Kind.FILLS: _fills_row,
}


def _voided(row: Row) -> bool:
    return row.text("voided").casefold() in {"true", "1", "yes"}


def _contract(symbol: str) -> str:
    try:
        contract = contract_of_symbol(symbol)
    except ValueError as error:
        raise UnreadableRow(str(error)) from None
    if root_of_contract(contract) not in PRODUCTS:
        raise UnreadableRow(f"{symbol}: what a point of it is worth is not known")
    return contract


def _side(text: str) -> Side:
    found = _SIDES.get(text.casefold())
    if found is None:
        raise UnreadableRow(f"Side is {text!r}; expected Bid or Ask")
    return found


def _direction(text: str) -> Side:
    found = {"long": Side.BUY, "short": Side.SELL}.get(text.casefold())
    if found is None:
        raise UnreadableRow(f"Type is {text!r}; expected Long or Short")
    return found


def _opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _number(trade_id: str) -> int:
    digits = "".join(c for c in trade_id if c in "0123456789")
    return int(digits[:18]) if digits else 0

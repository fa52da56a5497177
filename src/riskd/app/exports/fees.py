"""Fee tables: what one contract costs per side, by product, for exports that do not say it."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from riskd.app.exports.cells import decimal
from riskd.app.exports.table import ForeignFile, UnreadableRow, open_table

FeeTable = Mapping[str, Decimal]
"""USD per contract and side, by product root."""


def read_fees(file: str, raw: bytes) -> FeeTable:
    """Read a fee table: CSV with the columns ``symbol`` and ``fee``, or a JSON object ``{"MNQ": "0.61"}``.

    Errors: ForeignFile for anything else, negative and unreadable fees included.
    """
    if raw.lstrip().startswith(b"{"):
        return _from_json(file, raw)
    table = open_table(file, raw)
    if not table.has(("symbol", "fee")):
        raise ForeignFile(f"{file}: expected the columns symbol and fee; found {', '.join(table.header)}")
    return {row.text("symbol"): _fee(file, row.text("symbol"), row.text("fee")) for row in table.rows()}


def _from_json(file: str, raw: bytes) -> FeeTable:
    try:
        pairs = msgspec.json.decode(raw, type=dict[str, str])
    except msgspec.MsgspecError as error:
        raise ForeignFile(f'{file}: expected a JSON object such as {{"MNQ": "0.61"}}: {error}') from None
    return {symbol: _fee(file, symbol, text) for symbol, text in pairs.items()}


def _fee(file: str, symbol: str, text: str) -> Decimal:
    try:
        fee = decimal(text, f"the fee of {symbol}")
    except UnreadableRow as why:
        raise ForeignFile(f"{file}: {why}") from None
    if fee < 0:
        raise ForeignFile(f"{file}: the fee of {symbol} is negative; write what one contract costs per side")
    return fee

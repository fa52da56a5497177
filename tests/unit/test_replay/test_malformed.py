"""Whatever stands in an export, it is read or it is refused in one sentence."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.app.exports.fees import read_fees
from riskd.app.exports.fills import read_export
from riskd.app.exports.prices import read_prices
from riskd.app.exports.table import ForeignFile
from tests.unit.test_replay.exports import ORDERS_HEADER, TRADES_HEADER, order_row, trade_row

HEADERS = (
    ORDERS_HEADER,
    TRADES_HEADER,
    "ts_utc,contract,side,qty,price,ref",
    "ts_utc,open,high,low,close",
    "symbol,fee",
)
CELLS = st.one_of(st.sampled_from((*order_row().split(","), *trade_row().split(","))), st.text(max_size=12))
ROWS = st.lists(st.lists(CELLS, max_size=20).map(",".join), max_size=5)
FILES = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.sampled_from(HEADERS), ROWS).map(lambda file: "\n".join((file[0], *file[1])).encode()),
)


@pytest.mark.slow
@given(FILES)
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """No file raises anything but the refusal, and what is left out is said with its line."""
    with suppress(ForeignFile):
        export = read_export("x", raw)
        assert all(row.line > 1 and row.why for row in export.unread)
    with suppress(ForeignFile):
        read_prices("x", raw, only=("CON.F.US.MNQ.H26",))
    with suppress(ForeignFile):
        read_fees("x", raw)

from decimal import Decimal

import pytest

from riskd.app.exports.fees import read_fees
from riskd.app.exports.table import ForeignFile


@pytest.mark.parametrize("raw", [b"symbol,fee\nMNQ,0.61\nES,1.40\n", b'{"MNQ": "0.61", "ES": "1.40"}'])
def test_a_fee_table_is_csv_or_json(raw: bytes) -> None:
    """Fees are USD per contract and side by product, in either form."""
    assert read_fees("fees", raw) == {"MNQ": Decimal("0.61"), "ES": Decimal("1.4")}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"product,cost\nMNQ,0.61\n", "expected the columns symbol and fee"),
        (b'{"MNQ": 0.61}', "expected a JSON object"),
        (b"symbol,fee\nMNQ,-0.61\n", "the fee of MNQ is negative"),
        (b"symbol,fee\nMNQ,free\n", "the fee of MNQ is not a number"),
    ],
)
def test_a_table_that_could_be_misread_is_refused(raw: bytes, said: str) -> None:
    """A fee that is negative, no number, or a JSON fraction is refused, since it would change money in silence."""
    with pytest.raises(ForeignFile, match=said):
        read_fees("fees", raw)

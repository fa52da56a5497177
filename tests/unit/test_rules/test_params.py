from decimal import Decimal

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from riskd.rules.params import Amount, LossLimit, ProfitLimit, Usd, tightness_of
from riskd.rules.tightness import FIXED, HIGHER, LOWER


@pytest.mark.parametrize(
    ("value", "amount"),
    [("-500.00", "-500.00"), ("0", "0"), (" 12.5 ", "12.5"), (Decimal("1.005"), "1.005"), ("+3", "3")],
)
def test_amounts_are_exact(value: object, amount: str) -> None:
    """Decimal text becomes that very decimal."""
    assert str(TypeAdapter(Usd).validate_python(value)) == amount


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (500, 'in quotes: "500.00"'),
        (0.1, "binary fraction"),
        (True, "text in quotes"),
        (None, "text in quotes"),
        ("500 USD", "is not an amount"),
        ("1_000", "is not an amount"),
        ("1,000.00", "is not an amount"),
        ("\uff1500", "is not an amount"),
        ("", "is not an amount"),
        ("Infinity", "at most a thousand million"),
        ("1e12", "at most a thousand million"),
        ("0.000000001", "more decimals"),
        ([], "binary fraction"),
    ],
)
def test_what_could_lose_a_cent_is_refused(value: object, said: str) -> None:
    """Numbers, other notations and nonsense are refused with the reason."""
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(Usd).validate_python(value)


def test_the_sign_is_part_of_the_limit() -> None:
    """A loss is negative, a profit positive, and zero is neither."""
    assert TypeAdapter(LossLimit).validate_python("-1.00") == Decimal(-1)
    assert TypeAdapter(ProfitLimit).validate_python("1.00") == Decimal(1)
    for limit, wrong in ((LossLimit, "1.00"), (LossLimit, "0.00"), (ProfitLimit, "-1.00"), (ProfitLimit, "0")):
        with pytest.raises(ValidationError):
            TypeAdapter(limit).validate_python(wrong)
    with pytest.raises(ValidationError, match="cannot be negative"):
        TypeAdapter(Amount).validate_python("-0.01")


def test_a_field_says_what_is_tighter() -> None:
    """The type carries it; a field that says nothing is taken for fixed."""

    class Table(BaseModel):
        loss: LossLimit
        profit: ProfitLimit
        other: int

    assert tightness_of(Table.model_fields["loss"]) is HIGHER
    assert tightness_of(Table.model_fields["profit"]) is LOWER
    assert tightness_of(Table.model_fields["other"]) is FIXED

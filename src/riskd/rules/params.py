"""What every rule's parameters have in common: strict models, exact money, and a base class for configured rules."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, ClassVar, Final, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, JsonValue, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent
from riskd.domain.instruments import PRODUCTS, root_of_symbol
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.contract import Category, RiskRule
from riskd.rules.tightness import FIXED, HIGHER, LOWER, Tightness

_LARGEST: Final = Decimal(1_000_000_000)
_FINEST: Final = -8
CODES: Final = {product.code: root for root, product in PRODUCTS.items()}
"""The broker's names of products: ENQ is NQ."""


class RuleParams(BaseModel):
    """Base of every rule's parameters: unknown keys are errors, and nothing is converted in silence."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    def as_strict_as(self, other: Self) -> bool:
        """Tell whether it is proven that these parameters stop whatever the others stop.

        Shape: by what each field declares; a rule whose fields only make sense together answers for all of them.
        """
        these, those = dict(self), dict(other)
        fields = type(self).model_fields.items()
        return all(tightness_of(field).holds(those[name], these[name]) for name, field in fields)


def with_examples(*examples: dict[str, JsonValue]) -> ConfigDict:
    """Return the part of a model's configuration that shows how it is written, for editors and the reference pages."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class ConfiguredRule(RiskRule, ABC):
    """A rule as an entry point offers it: a class that makes itself from its parameters.

    Errors: pydantic.ValidationError from the constructor for parameters that do not fit ``Params``.
    """

    name: ClassVar[str]
    category: ClassVar[Category]
    Params: ClassVar[type[RuleParams]]
    rule_id: str = ""
    """Its own id among the rules of an account, given by the registry; the name where it has none."""

    def memory(self, state: AccountView) -> Mapping[str, str]:
        """Return what this rule has remembered of the account."""
        return state.account.memories.get(self.rule_id or self.name, {})

    @abstractmethod
    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters and keep what they compile to."""

    @abstractmethod
    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the first violation, None where the limit holds."""

    @abstractmethod
    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return what to do about a violation, from the violation alone."""


def tightness_of(field: FieldInfo) -> Tightness:
    """Return which change of this field is tighter; undeclared means that every change is a loosening."""
    found = [item for item in field.metadata if isinstance(item, Tightness)]
    return found[-1] if found else FIXED


def read_money(value: object) -> Decimal:
    """Read an amount from its decimal text.

    Errors: PydanticCustomError for a JSON number, which may already have lost cents as a binary fraction.
    """
    match value:
        case Decimal():
            amount = value
        case str():
            amount = _from_text(value)
        case bool() | None:
            raise PydanticCustomError("money", 'an amount is text in quotes, such as "-500.00"')
        case int():
            raise PydanticCustomError("money", 'write the amount in quotes: "{text}"', {"text": f"{value}.00"})
        case _:
            # By the time anyone can look at it, a JSON fraction is the nearest binary fraction, not what was typed.
            raise PydanticCustomError(
                "money",
                'write the amount in quotes, such as "-500.00": a bare JSON number becomes a binary fraction and may '
                "lose cents",
            )
    if not amount.is_finite() or abs(amount) > _LARGEST:
        raise PydanticCustomError("money", "must be an amount of at most a thousand million dollars")
    return amount


def _from_text(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip()) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        amount = None
    if amount is None:
        raise PydanticCustomError("money", '"{text}" is not an amount; write it as "-500.00"', {"text": text})
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST:
        raise PydanticCustomError("money", '"{text}" has more decimals than money has', {"text": text})
    return amount


def _loss(amount: Decimal) -> Decimal:
    if amount > 0:
        raise PydanticCustomError(
            "loss_sign",
            'a loss limit is written negative: "-{amount}", not "{amount}"',
            {"amount": f"{amount:f}"},
        )
    if amount == 0:
        raise PydanticCustomError(
            "loss_sign", "a loss limit of zero would never let an account trade; write it negative"
        )
    return amount


def _profit(amount: Decimal) -> Decimal:
    if amount <= 0:
        raise PydanticCustomError(
            "profit_sign", 'must be above zero, such as "{amount}"', {"amount": f"{abs(amount) or 500:f}"}
        )
    return amount


def _not_negative(amount: Decimal) -> Decimal:
    if amount < 0:
        raise PydanticCustomError("money_sign", "cannot be negative")
    return amount


def list_to_tuple(value: object) -> object:
    """Take a JSON list for a tuple, which strict models would refuse."""
    return tuple(value) if isinstance(value, list) else value


_T = TypeVar("_T", bound=tuple[object, ...])


def not_empty(value: _T) -> _T:
    """Refuse an empty list; pydantic's own check would complain of one whose only item is wrong as well."""
    if not value:
        raise PydanticCustomError("empty", "must not be empty")
    return value


NOT_EMPTY: Final = AfterValidator(not_empty)


def _root(text: str) -> str:
    """Refuse what is no product root but could be taken for one: such a rule would protect nothing."""
    if text in PRODUCTS:
        return text
    meant = root_of_symbol(text.upper())
    meant = meant if meant in PRODUCTS else CODES.get(text.upper(), meant)
    if meant in PRODUCTS:
        raise PydanticCustomError("root", 'write the product, "{meant}", not "{text}"', {"meant": meant, "text": text})
    if not text.isascii() or not text.isalnum() or text != text.upper():
        raise PydanticCustomError("root", '"{text}" is not a product such as "MNQ"', {"text": text})
    return text


Root = Annotated[str, AfterValidator(_root), WithJsonSchema({"type": "string", "examples": ["MNQ", "ES"]})]
"""A product by its exchange root; every expiry of it is meant."""


def _money(sign: str, words: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": rf"^{sign}\d+(\.\d+)?$", "description": f"USD in quotes, {words}"}
    )


Usd = Annotated[Decimal, BeforeValidator(read_money), _money("[+-]?", 'such as "250.00"')]
LossLimit = Annotated[Usd, AfterValidator(_loss), HIGHER, _money("-", "negative")]
"""Below zero; closer to zero is tighter."""
ProfitLimit = Annotated[Usd, AfterValidator(_profit), LOWER, _money("[+]?", "above zero")]
"""Above zero; closer to zero is tighter."""
Amount = Annotated[Usd, AfterValidator(_not_negative), _money("[+]?", "zero or more")]
"""Zero or more."""
PositiveAmount = Annotated[Usd, AfterValidator(_profit), _money("[+]?", "above zero")]
"""Above zero."""

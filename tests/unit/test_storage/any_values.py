"""Hypothesis strategies for every value that riskd writes, derived from the types themselves.

A field that is added to an account or an event is covered from then on, without anybody thinking of it.
"""

from datetime import UTC, date, datetime
from typing import TypeVar

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from riskd.domain.account import AccountState
from riskd.ports import JournalEntry

S = TypeVar("S", bound=msgspec.Struct)
_TEXT = st.text(max_size=6)
_LEAVES: dict[type[inspect.Type], st.SearchStrategy[object]] = {
    inspect.StrType: _TEXT,
    inspect.BoolType: st.booleans(),
    inspect.IntType: st.integers(-(2**63), 2**63 - 1),
    inspect.DecimalType: st.decimals(allow_nan=False),
    inspect.DateType: st.dates(date(1970, 1, 1), date(2200, 1, 1)),
    inspect.DateTimeType: st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone
    inspect.NoneType: st.none(),
}


def account_states() -> st.SearchStrategy[AccountState]:
    """Return any account there could be, and many that there could not."""
    return _builds(AccountState)


def journal_entries() -> st.SearchStrategy[JournalEntry]:
    """Return any entry there could be."""
    return _builds(JournalEntry)


def _builds(cls: type[S]) -> st.SearchStrategy[S]:
    kind = inspect.type_info(cls)
    assert isinstance(kind, inspect.StructType)
    return st.builds(cls, **{field.name: _field(field) for field in kind.fields})


def _of(kind: inspect.Type) -> st.SearchStrategy[object]:  # noqa: PLR0911 - one answer for each kind of type
    match kind:
        case inspect.StructType(cls=cls):
            return _builds(cls)
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.UnionType(types=types):
            return st.one_of(*map(_of, types))
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_of(key), _of(value), max_size=2)
        case inspect.VarTupleType(item_type=item):
            return st.lists(_of(item), max_size=2).map(tuple)
        case inspect.FrozenSetType(item_type=item):
            return st.frozensets(_of(item), max_size=3)
        case _:
            return _LEAVES[type(kind)]


def _field(field: inspect.Field) -> st.SearchStrategy[object]:
    values = _of(field.type)
    if field.default is not msgspec.NODEFAULT:
        return st.one_of(st.just(field.default), values)
    return values

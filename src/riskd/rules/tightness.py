"""Which change of a parameter makes a rule tighter.

Every field of a rule's parameters carries one of these as metadata. A change that is not provably tighter (or equal)
is a loosening and waits, so the default of everything undeclared is `FIXED`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec


class Tightness(msgspec.Struct, frozen=True):
    """Tell whether going from one value of a field to another can only make the rule stricter.

    Shape: ``said`` is the sentence for the reference page. ``holds(old, new)`` is True for an unchanged value.
    """

    said: str
    holds: Callable[[object, object], bool]


def _compare(old: object, new: object) -> int | None:
    """Return -1, 0 or 1 as ``new`` is below, at or above ``old``, None where the two cannot be compared."""
    match old, new:
        case (Decimal() | int() as a, Decimal() | int() as b):
            return (b > a) - (b < a)
        case (timedelta() as c, timedelta() as d):
            return (d > c) - (d < c)
        case _:
            return 0 if old == new else None


def _lower(old: object, new: object) -> bool:
    return _compare(old, new) in (-1, 0)


def _higher(old: object, new: object) -> bool:
    return _compare(old, new) in (0, 1)


def _items(value: object) -> frozenset[object] | None:
    if isinstance(value, frozenset | set):
        return frozenset(value)
    return frozenset(value) if isinstance(value, Sequence) and not isinstance(value, str) else None


def _fewer(old: object, new: object) -> bool:
    before, after = _items(old), _items(new)
    return before is not None and after is not None and after <= before


def _more(old: object, new: object) -> bool:
    before, after = _items(old), _items(new)
    return before is not None and after is not None and after >= before


FIXED: Final = Tightness("any change is a loosening", lambda old, new: old == new)
LOWER: Final = Tightness("a lower value is tighter", _lower)
HIGHER: Final = Tightness("a higher value is tighter", _higher)
SHORTER: Final = Tightness("a shorter time is tighter", _lower)
LONGER: Final = Tightness("a longer time is tighter", _higher)
FEWER: Final = Tightness("fewer entries are tighter", _fewer)
MORE: Final = Tightness("more entries are tighter", _more)
ON: Final = Tightness("true is tighter", lambda old, new: new is True or old == new)
OFF: Final = Tightness("false is tighter", lambda old, new: new is False or old == new)


def only_to(value: str) -> Tightness:
    """Return the tightness of a choice where one value is provably the strictest."""
    return Tightness(f'"{value}" is the tightest', lambda old, new: new in (value, old))


def _none_last(old: object, new: object, inner: Callable[[object, object], bool]) -> bool:
    if new is None or old is None:
        return old is None
    return inner(old, new)


def or_none(inner: Tightness) -> Tightness:
    """Return the tightness of an optional limit, where none at all is the loosest."""
    return Tightness(f"{inner.said}; none is the loosest", lambda old, new: _none_last(old, new, inner.holds))


def each(inner: Tightness) -> Tightness:
    """Return the tightness of a table of limits: no entry may go, and each may only become tighter."""

    def holds(old: object, new: object) -> bool:
        if not isinstance(old, Mapping) or not isinstance(new, Mapping):
            return False
        return all(key in new and inner.holds(value, new[key]) for key, value in old.items())

    return Tightness(f"for each entry, {inner.said}; more entries are tighter", holds)

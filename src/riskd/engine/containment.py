"""The one place where whatever a rule raises is caught: its account fails closed, the other rules go on."""

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def contained(rule_id: str, ask: Callable[[], _T], otherwise: _T, faults: list[str]) -> _T:
    """Return what a rule answers; where it raises, ``otherwise``, with one sentence added to ``faults``.

    Shape: a sentence begins with the rule's id and a colon.
    """
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - a third party's rule may raise anything
        faults.append(f"{rule_id}: {type(error).__name__}: {error}")
        return otherwise

"""The one place where whatever a rule raises is caught: its account fails closed, the other rules go on."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from riskd.rules.contract import RuleEntry

_T = TypeVar("_T")


def answers(entries: Iterable[RuleEntry], ask: Callable[[RuleEntry], Sequence[_T]], faults: list[str]) -> list[_T]:
    """Return what rules answer, in their order; one that raises answers nothing and adds a sentence to ``faults``.

    Shape: a sentence begins with the rule's id and a colon.
    """
    found: list[_T] = []
    for entry in entries:
        try:
            found += ask(entry)
        except Exception as error:  # noqa: BLE001 - a third party's rule may raise anything
            faults.append(f"{entry.rule_id}: {type(error).__name__}: {error}")
    return found

"""What an attack is: a test whose docstring says what the trader does and, after an arrow, what riskd does about it."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import msgspec

_T = TypeVar("_T", bound=Callable[..., object])
ARROW = "→ "


class Answer(StrEnum):
    """How far riskd can go against an attack."""

    STOPPED = "stopped"
    UNDONE = "undone"
    TOLD = "told"


class Attack(msgspec.Struct, frozen=True):
    """One attack as the documentation lists it."""

    what: str
    answer: Answer
    response: str


CATALOGUE: dict[str, Attack] = {}
"""Every attack by the name of its test."""


def attack(answer: Answer) -> Callable[[_T], _T]:
    """List a test as an attack: first paragraph of its docstring what is tried, second what riskd does."""

    def listed(test: _T) -> _T:
        what, _, response = (inspect.getdoc(test) or "").partition(f"\n\n{ARROW}")
        name = str(getattr(test, "__name__", ""))
        assert response, f"{name}: its docstring does not say what riskd does"
        assert name not in CATALOGUE, f"{name}: another test has this name"
        CATALOGUE[name] = Attack(_one_line(what), answer, _one_line(response))
        return test

    return listed


def _one_line(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")

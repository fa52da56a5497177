"""Reckoning something from a day's fills once, not again for each event that brings no fill."""

from collections.abc import Callable
from typing import Generic, TypeVar

from riskd.domain.account import Execution

T = TypeVar("T")


class FromExecutions(Generic[T]):
    """What a pure function makes of an account's executions, kept until they are others."""

    def __init__(self, make: Callable[[tuple[Execution, ...]], T]) -> None:
        """Reckon with ``make``."""
        self._make = make
        self._seen: tuple[Execution, ...] = ()
        self._found: T | None = None

    def of(self, executions: tuple[Execution, ...]) -> T:
        """Return what these executions amount to."""
        if self._found is None or executions is not self._seen:
            self._found, self._seen = self._make(executions), executions
        return self._found

"""What is wrong with a configuration, said to a person: where, what, and what to write instead."""

from collections.abc import Sequence

import msgspec


class ConfigError(msgspec.Struct, frozen=True):
    """One mistake.

    Shape: ``path`` is the place in the JSON, "" for the file itself; ``line`` counts from 1, 0 when it is unknown.
    """

    path: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return it as one sentence, without the file."""
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message}" + (f"; {self.hint}" if self.hint else "")


class ConfigErrors(Exception):
    """A configuration cannot be used; every mistake in it is listed, in the order of the file."""

    def __init__(self, file: str, errors: Sequence[ConfigError]) -> None:
        """Keep the mistakes of one file."""
        self.file = file
        self.errors = sorted(errors, key=lambda error: error.line)
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return one line for each mistake, ``file:line: place: what is wrong``, that an editor can jump to."""
        return [
            f"{self.file}:{error.line}: {error}" if error.line else f"{self.file}: {error}" for error in self.errors
        ]

"""What is wrong with a configuration, and what looks as if it were."""

from datetime import date
from pathlib import Path

import msgspec

from riskd.config.errors import ConfigError, ConfigErrors
from riskd.config.loader import load
from riskd.config.suspicions import suspicions


class Checked(msgspec.Struct, frozen=True):
    """What was found in one file, in its order; with errors there are no warnings, since nothing can be relied on."""

    file: str
    errors: tuple[ConfigError, ...] = ()
    warnings: tuple[ConfigError, ...] = ()

    def lines(self) -> list[str]:
        """Return one line for each, ``file:line: place: what``, that an editor can jump to."""
        return [
            *(self._line(error, "") for error in self.errors),
            *(self._line(warning, "warning: ") for warning in self.warnings),
        ]

    def _line(self, found: ConfigError, kind: str) -> str:
        place = f"{self.file}:{found.line}" if found.line else self.file
        return f"{place}: {kind}{found}"

    def summary(self) -> str:
        """Return what it comes to, in one line."""
        if self.errors:
            return f"{_count(len(self.errors), 'error')}: riskd would not start with this file"
        if self.warnings:
            return f"no error, {_count(len(self.warnings), 'warning')}"
        return "no error, nothing suspicious"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def check(file: Path, *, for_daemon: bool, today: date) -> Checked:
    """Look at a file as a start or a reload would, and then for what can hardly be meant."""
    try:
        loaded = load(file, for_daemon=for_daemon)
    except ConfigErrors as errors:
        return Checked(str(file), errors=tuple(errors.errors))
    return Checked(str(file), warnings=tuple(suspicions(loaded, today)))

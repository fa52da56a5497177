"""Critical notifications on disk: one JSON file each, written before the first attempt, deleted on delivery.

A disk that fails is logged and stops no notification.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog

from riskd.domain.commands import Severity
from riskd.domain.decoding import UNDECODABLE

TIME_TO_LIVE: Final = timedelta(hours=24)
_EXPIRED: Final = "expired"


class Letter(msgspec.Struct, frozen=True):
    """One notification for one channel, as it will be sent.

    Shape: ``letter_id`` is unique, fit for a file name, and sorts by age.
    """

    letter_id: str
    channel: str
    account: str
    severity: Severity
    title: str
    body: str
    created_at: datetime

    @property
    def critical(self) -> bool:
        """Tell whether it is kept until it is delivered."""
        return self.severity is Severity.CRITICAL

    def expires_at(self) -> datetime:
        """Return when it is too old to be of use."""
        return self.created_at + TIME_TO_LIVE


class Outbox:
    """The letters that must not be forgotten, in a directory of their own."""

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        """Use a directory; it is created with the first letter."""
        self._directory = directory
        self.now = now
        self._log = structlog.get_logger("riskd.notifications")

    def keep(self, letter: Letter) -> None:
        """Write a letter so that it survives the end of the process and of the power."""
        with self._logged("written", self._path(letter)):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self._path(letter).with_suffix(".tmp")
            with half.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(letter), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            half.replace(self._path(letter))

    def discard(self, letter: Letter) -> None:
        """Forget a letter that has been delivered."""
        with self._logged("deleted", self._path(letter)):
            self._path(letter).unlink(missing_ok=True)

    def expired(self, letter: Letter) -> bool:
        """Move a letter that is too old out of the way, and tell whether it was."""
        if self.now() < letter.expires_at():
            return False
        folder, path = self._directory / _EXPIRED, self._path(letter)
        with self._logged("moved", path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists():
                path.replace(folder / path.name)
        self._log.error(
            "critical notification not delivered within 24 hours",
            channel=letter.channel,
            account=letter.account,
            kept=str(folder / path.name),
        )
        return True

    def waiting(self) -> list[Letter]:
        """Return the letters that nobody has delivered, oldest first.

        Shape: a file that is none is set aside, one that cannot be read is left for the next start.
        """
        found = [self._read(path) for path in sorted(self._directory.glob("*.json"))]
        return [letter for letter in found if letter is not None]

    def _path(self, letter: Letter) -> Path:
        return self._directory / f"{letter.letter_id}.json"

    def _read(self, path: Path) -> Letter | None:
        # One that is gone was delivered at this moment, by a channel that is being taken off the list.
        with self._logged("read", path), suppress(FileNotFoundError):
            text = path.read_bytes()
            try:
                return msgspec.json.decode(text, type=Letter)
            except UNDECODABLE as error:
                path.replace(path.with_suffix(".unreadable"))
                self._log.error("outbox file set aside, it is no notification", file=str(path), why=str(error))
        return None

    @contextmanager
    def _logged(self, what: str, path: Path) -> Iterator[None]:
        """Go on without the disk: a letter that cannot be kept is sent all the same."""
        try:
            yield
        except OSError as error:
            self._log.error(f"outbox file cannot be {what}", file=str(path), why=str(error))

"""Everything that riskd was told, in the order in which it took it, and what it did about it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from riskd.domain.commands import AnyCommand
from riskd.domain.events import Envelope


class Heard(msgspec.Struct, frozen=True):
    """One event as riskd took it; ``at`` is the world's own time, which riskd's clock may trail."""

    at: datetime
    envelope: Envelope
    commands: Sequence[AnyCommand]


class Chronicle:
    """What one trial's riskd heard, through all its lives."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def note(self, at: datetime, envelope: Envelope, commands: Sequence[AnyCommand]) -> None:
        """Note an event that has been processed, and written where it must be."""
        self.heard.append(Heard(at, envelope, commands))

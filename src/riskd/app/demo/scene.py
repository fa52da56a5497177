"""What there is to see at a moment, and who can show it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

import msgspec

from riskd.app.demo.daemon_log import Heard
from riskd.app.demo.desk import Desk
from riskd.app.demo.limits import Limits


class Who(Enum):
    """Who did something."""

    TRADER = "trader"
    RISKD = "riskd"
    MARKET = "market"
    DEMO = "demo"


class Tone(Enum):
    """How a line is meant."""

    PLAIN = "plain"
    ALARM = "alarm"
    GOOD = "good"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the story.

    Shape: ``detail`` is a second line for those who want figures, empty for none.
    """

    at: datetime
    who: Who
    text: str
    detail: str = ""
    tone: Tone = Tone.PLAIN


class Act(msgspec.Struct, frozen=True):
    """One part of the story: its title, and in a sentence or two what to look for."""

    title: str
    caption: str


ACTS: Final = (
    Act("riskd starts", "It logs in, reads the account, proves that it can act, and arms."),
    Act("Inside the limits", "A first trade well within the limits. riskd leaves it alone."),
    Act("Too much size", "The next order breaks the contract limit. Only the excess is closed."),
    Act("The market falls", "Realized and open loss count together. At the limit: lock, then flatten."),
    Act("One more try", "The trader wants it back. The account is locked: flattened again."),
    Act("A quiet order", "A limit order far below the market is cancelled before it can fill."),
    Act("A race", "A limit order that fills before any cancel can arrive is closed instead."),
    Act("Pull the plug", "riskd is killed without warning and started again. The lock must hold."),
    Act("17:00 in Chicago", "A new trading day: loss reset, lockout over, not a second earlier."),
    Act("A small trade", "Within the limits again, so nobody interferes. The trader closes it."),
)


class DaemonState(Enum):
    """What the daemon's process is doing, in a word."""

    NOT_STARTED = "not started"
    STARTING = "starting"
    RUNNING = "running"
    KILLED = "killed"
    STOPPED = "stopped"


@dataclass(slots=True)
class Scene:
    """All that a screen draws from."""

    desk: Desk
    heard: Heard
    limits: Limits
    seed: int
    act: int = 0
    daemon: DaemonState = DaemonState.NOT_STARTED
    pid: int | None = None
    entries: list[Entry] = field(default_factory=list)


class Show(Protocol):
    """Somebody who shows the story."""

    def begin_act(self, scene: Scene) -> None:
        """Show that the next part begins."""
        ...

    def add(self, scene: Scene, entry: Entry) -> None:
        """Show a new line; it is in the scene already."""
        ...

    def draw(self, scene: Scene) -> None:
        """Show how things are now; called often."""
        ...


class Nobody:
    """Shows nothing, for a program that wants the summary alone."""

    def begin_act(self, scene: Scene) -> None:
        """Show nothing."""

    def add(self, scene: Scene, entry: Entry) -> None:
        """Show nothing."""

    def draw(self, scene: Scene) -> None:
        """Show nothing."""

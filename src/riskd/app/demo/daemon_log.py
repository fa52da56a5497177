"""What the daemon says of itself: its log lines, as far as the demo understands them.

Every figure that the demo shows of riskd stands in one of these lines.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.instruments import root_of_symbol

ZERO: Final = Decimal(0)


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """One line of the log; the tag is its event."""

    account: str = ""


class Ready(Line, frozen=True, kw_only=True, tag="ready"):
    """The daemon is logged in, subscribed and reconciled."""

    took_ms: int


class Armed(Line, frozen=True, kw_only=True, tag="armed"):
    """The account is under riskd's protection."""

    mode: str
    resumed: bool


class Locked(Line, frozen=True, kw_only=True, tag="locked"):
    """A lockout was set."""

    rule: str
    until: datetime | None
    reason: str


class Unlocked(Line, frozen=True, kw_only=True, tag="unlocked"):
    """The last lockout has ended."""


class CloseSent(Line, frozen=True, kw_only=True, tag="close"):
    """A close request is out; ``quantity`` None asks for all that is held."""

    rule: str
    symbol: str
    quantity: int | None
    held: int
    left: int


class CancelSent(Line, frozen=True, kw_only=True, tag="cancel"):
    """A cancel request is out."""

    rule: str
    order: str


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What one enforcement did to one symbol: ``closed`` positive, ``left`` signed contracts."""

    symbol: str
    closed: int
    left: int


class Enforced(Line, frozen=True, kw_only=True, tag="enforced"):
    """A breach has been dealt with.

    Units: milliseconds from the breaching message to the first request, and to the target reached.
    """

    rule: str
    action: str
    targets: tuple[Target, ...]
    breach_to_sent_ms: Decimal | None
    breach_to_done_ms: Decimal | None
    breached_at: datetime
    text: str


class Violation(Line, frozen=True, kw_only=True, tag="violation"):
    """A limit is broken."""

    rule: str
    text: str


class Reentry(Line, frozen=True, kw_only=True, tag="reentry"):
    """The trader tried to trade under a lockout."""

    rule: str
    text: str


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One lockout that stands."""

    cause: str
    until: datetime | None = None


class Status(Line, frozen=True, kw_only=True, tag="status"):
    """The account's figures as riskd has them; written ten times a second.

    Shape: ``flattening`` until the broker has confirmed that the account is flat.
    Units: USD.
    """

    state: str
    at_account: datetime | None = None
    positions: dict[str, int] = {}
    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    net: Decimal = ZERO
    headrooms: dict[str, Decimal] = {}
    locked: tuple[Cause, ...] = ()
    flattening: bool = False

    @property
    def held(self) -> dict[str, int]:
        """Return the signed quantity of each product held."""
        return {root_of_symbol(symbol): quantity for symbol, quantity in self.positions.items()}

    @property
    def contracts(self) -> int:
        """Return how many contracts are held in all, long and short alike."""
        return sum(abs(quantity) for quantity in self.positions.values())

    @property
    def locked_until(self) -> datetime | None:
        """Return when the last of the lockouts ends, None without one that ends by itself."""
        return max((cause.until for cause in self.locked if cause.until is not None), default=None)


class Stopped(Line, frozen=True, kw_only=True, tag="stopped"):
    """The daemon has come to its end in good order."""


AnyLine = Ready | Armed | Locked | Unlocked | CloseSent | CancelSent | Enforced | Violation | Reentry | Status | Stopped
_DECODER: Final = msgspec.json.Decoder(AnyLine)


def understood(raw: str) -> AnyLine | None:
    """Return a log line as a value, None for those that the demo has no use for."""
    try:
        line: AnyLine = _DECODER.decode(raw)
    except msgspec.DecodeError:
        return None
    return line


class Heard:
    """All that riskd has said, over all its runs; what it says of the present is of the last run only."""

    def __init__(self) -> None:
        """Start with silence."""
        self.enforced: list[Enforced] = []
        self.locks: list[Locked] = []
        self.unlocks = 0
        self.closes: list[CloseSent] = []
        self.cancels: list[CancelSent] = []
        self.violations: list[Violation] = []
        self.ready: Ready | None = None
        self.armed: Armed | None = None
        self.status: Status | None = None
        self.reported_since = False

    def begin_run(self) -> None:
        """Forget the present: a new process has to say it anew."""
        self.ready = self.armed = self.status = None
        self.reported_since = False

    @property
    def confirmed(self) -> bool:
        """Tell whether riskd has reported figures since it last enforced, and has nothing left to flatten."""
        return self.reported_since and self.status is not None and not self.status.flattening

    def take(self, line: AnyLine) -> None:  # noqa: C901 - one case for each kind of line
        """Remember a line."""
        match line:
            case Status():
                self.status = line
                self.reported_since = True
            case Enforced():
                self.enforced.append(line)
                self.reported_since = False
            case Locked():
                self.locks.append(line)
            case Unlocked():
                self.unlocks += 1
            case CloseSent():
                self.closes.append(line)
            case CancelSent():
                self.cancels.append(line)
            case Violation():
                self.violations.append(line)
            case Ready():
                self.ready = line
            case Armed():
                self.armed = line
            case Reentry() | Stopped():
                pass

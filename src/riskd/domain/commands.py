"""What the core wants done: requests to the broker, and records for people.

Command ids derive from the envelope that caused them, so a replay names them the same.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class Command(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Base of all commands; the tag names the command in the journal."""


class LockAccount(Command, frozen=True, tag="lock"):
    """A lockout was set; ``until`` None means until an admin releases it."""

    account: str
    cause: str
    until: datetime | None
    reason: str


class UnlockAccount(Command, frozen=True, tag="unlock"):
    """The last lockout of an account has ended."""

    account: str


class StartCooldown(Command, frozen=True, tag="cooldown"):
    """The account takes no new risk until then."""

    account: str
    cause: str
    until: datetime | None
    reason: str


class ClosePosition(Command, frozen=True, tag="close"):
    """Close a position or a part of it with the broker's own close call.

    Units: ``quantity`` positive contracts, None for all that is held; ``left`` signed contracts that remain if it
    succeeds; ``held`` the signed quantity it was sized for.
    """

    account: str
    command_id: str
    contract: str
    quantity: int | None
    held: int
    left: int
    rule: str
    reason: str
    enforcement: int = 0


class CancelOrder(Command, frozen=True, tag="cancel"):
    """Cancel one working order."""

    account: str
    command_id: str
    order_id: str
    contract: str
    rule: str
    reason: str
    enforcement: int = 0


class ResizeOrder(Command, frozen=True, tag="resize"):
    """Cut an exit to ``size`` contracts in total, so that it cannot exceed what it protects."""

    account: str
    command_id: str
    order_id: str
    contract: str
    size: int
    rule: str
    reason: str
    enforcement: int = 0


class RequestSnapshot(Command, frozen=True, tag="snapshot"):
    """Ask the broker for positions, orders and the fills since a time; the answer is a SnapshotReported.

    Shape: not to be started before ``not_before`` (None: at once).
    """

    account: str
    request_id: str
    since: datetime
    not_before: datetime | None = None


class Severity(StrEnum):
    """How much a person must hear of it: critical alerts are kept until delivered."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(Command, frozen=True, tag="alert"):
    """Tell people: what happened, by which rule, why, and what was done.

    Shape: ``kind`` is a stable word for programs (``violation``, ``lockout``, ``error_state`` …); ``seq`` the envelope
    it came from, which is the event id that people see.
    """

    account: str
    seq: int
    at: datetime
    kind: str
    severity: Severity
    text: str
    rule: str = ""
    reason: str = ""
    action: str = ""


class ClosedTarget(msgspec.Struct, frozen=True):
    """What one enforcement did to one symbol: ``closed`` contracts (positive), ``left`` signed."""

    symbol: str
    closed: int
    left: int


class EnforcementEnded(Command, frozen=True, tag="enforced"):
    """A breach has been dealt with: its targets are reached.

    Shape: ``enforcement_id`` is the seq of the envelope that breached, at ``breached_at``; ``text`` the line for the
    log.
    ``overshoot`` is how far in USD the account ended beyond a money limit, None for other rules.
    """

    account: str
    enforcement_id: int
    at: datetime
    breached_at: datetime
    rule: str
    action: str
    targets: tuple[ClosedTarget, ...]
    text: str
    overshoot: Decimal | None = None


BrokerCommand = ClosePosition | CancelOrder | ResizeOrder
AnyCommand = (
    LockAccount
    | UnlockAccount
    | StartCooldown
    | ClosePosition
    | CancelOrder
    | ResizeOrder
    | RequestSnapshot
    | Alert
    | EnforcementEnded
)

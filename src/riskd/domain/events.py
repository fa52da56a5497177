"""Everything that can happen to riskd, as values.

Events are facts from outside: what the broker reported, how a command ended, what an admin asked, that time has passed.
They are named in the past tense, carry what was said and judge nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from riskd.domain.instruments import Instrument
from riskd.domain.orders import Side, WorkingOrder


class Event(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Base of all events; the tag names the event in the journal."""


class Fill(Event, frozen=True, tag="fill"):
    """One execution as the broker reported it.

    Units: ``price`` in points; ``pnl`` gross USD that the broker booked on a closing half-turn (None when it gave
    none); ``fees`` and ``commission`` positive USD for the whole quantity, ``commission`` None where the report
    carries none.
    Shape: ``trade_id`` is unique per account; ``at`` is the broker's stamp; ``voided`` takes the trade back.
    """

    account: str
    trade_id: str
    contract: str
    side: Side
    quantity: int
    price: Decimal
    at: datetime
    fees: Decimal = Decimal(0)
    commission: Decimal | None = None
    pnl: Decimal | None = None
    order_id: str | None = None
    voided: bool = False

    @property
    def signed(self) -> int:
        """Return the quantity with the sign of its side."""
        return self.side.sign * self.quantity


class OrderReported(Event, frozen=True, tag="order"):
    """The broker reported an order, working or ended."""

    account: str
    order: WorkingOrder


class PositionReported(Event, frozen=True, tag="position"):
    """The broker reported its net position in one contract.

    Units: ``quantity`` signed contracts; ``average_price`` may lie off the tick grid.
    """

    account: str
    contract: str
    quantity: int
    average_price: Decimal


class AccountReported(Event, frozen=True, tag="account"):
    """The broker reported an account's realized balance (USD) and whether it may trade."""

    account: str
    name: str
    balance: Decimal
    can_trade: bool


class SnapshotReported(Event, frozen=True, tag="snapshot"):
    """The broker's whole view of one account, read by REST.

    Shape: ``request_id`` names the RequestSnapshot it answers ("" for a periodic poll); ``asked_seq`` is the last
    envelope processed before the first read began, so that a fill booked after it makes the snapshot void. ``fills``
    are those since the time that was asked for, in any order.
    """

    account: str
    asked_seq: int
    positions: tuple[PositionReported, ...]
    orders: tuple[WorkingOrder, ...]
    fills: tuple[Fill, ...]
    request_id: str = ""
    balance: Decimal | None = None
    can_trade: bool | None = None
    name: str | None = None


class QuoteReported(Event, frozen=True, tag="quote"):
    """New prices of one contract; only the fields that changed.

    Units: points. ``low_*`` and ``high_*`` are set on a conflated quote: the extremes of what it stands for.
    """

    contract: str
    at: datetime
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    low_last: Decimal | None = None
    high_last: Decimal | None = None
    low_bid: Decimal | None = None
    high_bid: Decimal | None = None
    low_ask: Decimal | None = None
    high_ask: Decimal | None = None


class FeedSilent(Event, frozen=True, tag="feed_silent"):
    """The shell saw no price of a contract for the configured time although its market should be open."""

    contract: str


class InstrumentReported(Event, frozen=True, tag="instrument"):
    """The broker's contract record, checked against the built-in table."""

    instrument: Instrument


class Link(StrEnum):
    """A connection to the broker that can be lost."""

    LOGIN = "login"
    REST = "rest"
    USER_HUB = "user_hub"
    MARKET_HUB = "market_hub"


class ConnectionChanged(Event, frozen=True, tag="connection"):
    """A connection to the broker was lost or came back."""

    link: Link
    up: bool
    detail: str = ""


class Outcome(StrEnum):
    """How a command ended, as far as anyone can tell."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class CommandEnded(Event, frozen=True, tag="outcome"):
    """The outcome of one command.

    Shape: ``accepted`` and ``rejected`` are the broker's own word; ``unavailable`` means that nothing was sent;
    ``unknown`` that the request may or may not have taken effect. ``code`` is the broker's number or a word of the
    adapter's, such as ``market_closed``.
    """

    account: str
    command_id: str
    outcome: Outcome
    code: str = ""
    text: str = ""


class RulesApplied(Event, frozen=True, tag="rules"):
    """The rules of an account were set, as they are and at once; ``spec`` is their canonical JSON text."""

    account: str
    spec: str


class RulesProposed(Event, frozen=True, tag="rules_proposed"):
    """The configuration wants these rules for an account; what of them applies at once is for the core to say.

    Shape: ``spec`` is their canonical JSON text, "" where the configuration no longer names the account.
    """

    account: str
    spec: str


class AccountArmed(Event, frozen=True, tag="armed"):
    """The account passed its self-test; from now on it is enforced, or with ``shadow`` only watched and told about."""

    account: str
    shadow: bool = False


class CloseRequested(Event, frozen=True, tag="close_requested"):
    """Somebody with the right to do so asked for one position to be closed."""

    account: str
    contract: str
    reason: str


class LockoutReleased(Event, frozen=True, tag="released"):
    """An admin released a lockout that only an admin can release."""

    account: str
    by: str


class DaemonStarted(Event, frozen=True, tag="started"):
    """riskd started with what it had written: nothing is reconciled, and no outcome is known of what was under way.

    Shape: ``doubtful`` says that the end of the journal could not be trusted, as after a power cut; ``last_at`` is
    when the run before it was last heard of. ``lost`` maps the accounts that were enforced, and of which what was last
    written is not here, to where it was; ``broker`` names the broker whose accounts they are.
    """

    doubtful: bool = False
    last_at: datetime | None = None
    lost: Mapping[str, str] = {}
    broker: str = ""


class ClockTicked(Event, frozen=True, tag="tick"):
    """Time has reached a deadline that the core asked for."""


AccountEvent = (
    Fill
    | OrderReported
    | PositionReported
    | AccountReported
    | SnapshotReported
    | CommandEnded
    | RulesApplied
    | RulesProposed
    | AccountArmed
    | CloseRequested
    | LockoutReleased
)
AnyEvent = (
    AccountEvent | QuoteReported | FeedSilent | InstrumentReported | ConnectionChanged | DaemonStarted | ClockTicked
)


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event at its place in the one global order.

    Shape: ``seq`` counts from 1 in the order of processing; ``at`` is riskd's time and never runs backwards;
    ``broker_at`` is the broker's own stamp where it gave one, never later than ``at``.
    """

    seq: int
    at: datetime
    event: AnyEvent
    broker_at: datetime | None = None

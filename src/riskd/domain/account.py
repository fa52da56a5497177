"""The state of one account: everything riskd knows and must remember about it.

Immutable: each event makes a new one. Mappings in it are never changed in place.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from riskd.domain.drawdowns import Restarts
from riskd.domain.events import Fill, Link
from riskd.domain.instruments import Instrument
from riskd.domain.market import Quote
from riskd.domain.orders import Side, WorkingOrder


class Lot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Contracts opened by one fill and still held.

    Units: ``quantity`` signed contracts, ``price`` points. ``fees`` USD charged when they were opened.
    """

    quantity: int
    price: Decimal
    opened_at: datetime
    seq: int
    trade_id: str = ""
    order_id: str | None = None


class Execution(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one booked fill did: the fact behind trade counts and losses per position.

    Units: ``opened`` and ``closed`` positive contracts; ``realized`` USD, the net result of the position that was
    closed or enlarged since it opened from flat, this fill and its fees included.
    Shape: ``position_seq`` is that position's opening seq, on a flip the old one's; ``flat`` says that it ended here;
    ``own`` that the fill belongs to a close of riskd's. Kept for a day.
    """

    trade_id: str
    contract: str
    side: Side
    at: datetime
    seq: int
    opened: int
    closed: int
    position_seq: int
    realized: Decimal
    order_id: str | None = None
    flat: bool = False
    own: bool = False


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """A net position in one contract.

    Units: ``quantity`` signed contracts, the sum of its lots, oldest lot first; ``realized`` net USD since it opened
    from flat.
    Shape: ``opening_seq`` identifies this position: a later one of the same contract has another.
    """

    contract: str
    quantity: int
    lots: tuple[Lot, ...]
    opening_seq: int
    opened_at: datetime
    realized: Decimal = Decimal(0)


class Reported(msgspec.Struct, frozen=True, omit_defaults=True):
    """The broker's last word on a position, and since when it disagrees with the folded fills.

    Shape: ``drift`` is by how much a snapshot showed more than the fills add up to (signed), since ``drift_at``; when
    a second one shows the same it is adopted.
    """

    quantity: int
    average_price: Decimal
    disagrees_since: datetime | None = None
    drift: int | None = None
    drift_at: datetime | None = None


class Lockout(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cause for being locked; ``until`` None lasts until an admin releases it."""

    cause: str
    until: datetime | None
    since: datetime
    seq: int
    reason: str
    rule: str = ""


class NoNewRisk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cause for taking no new risk: a cooldown, a rule that failed, an account not yet reconciled.

    Shape: ``allowance`` is the signed position per contract that may be kept; it only shrinks towards zero.
    ``contract`` limits the cause to one contract.
    """

    cause: str
    until: datetime | None
    since: datetime
    reason: str
    allowance: Mapping[str, int] = {}
    contract: str | None = None


class Episode(msgspec.Struct, frozen=True, omit_defaults=True):
    """A violation from its first breach to its first clean evaluation, recorded and told once.

    Shape: where ``waits_until`` is set nothing is done before that time or a snapshot begun after ``seq``.
    """

    rule_id: str
    rule: str
    key: str
    seq: int
    since: datetime
    message: str
    waits_until: datetime | None = None


class CloseStatus(StrEnum):
    """Where an outstanding close stands."""

    SENT = "sent"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


class Close(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one close that is outstanding for a contract.

    Units: ``quantity`` positive contracts; ``filled`` those that have come back as fills; ``held`` signed at sending.
    Shape: bound to one position by ``opening_seq``. ``order_size`` is that of the order that the broker made of it,
    once that was seen, and ``order_done`` what that order had filled when it ended. Since ``unknown_seq`` the outcome
    is unknown: ``checks`` counts the snapshots since then that agree on ``checked_quantity``, the first of them at
    ``checked_at``; with no ``checks`` that is when the last look showed nothing certain.
    """

    command_id: str
    contract: str
    quantity: int
    whole: bool
    held: int
    opening_seq: int
    sent_at: datetime
    seq: int
    rule: str
    enforcement: int
    status: CloseStatus = CloseStatus.SENT
    filled: int = 0
    order_id: str | None = None
    order_size: int | None = None
    order_done: int | None = None
    accepted_at: datetime | None = None
    unknown_seq: int | None = None
    checked_at: datetime | None = None
    checked_quantity: int = 0
    checks: int = 0


class Watch(msgspec.Struct, frozen=True, omit_defaults=True):
    """A close, outstanding or lately ended, of which fills may still come.

    Units: ``quantity`` positive contracts; ``claimed`` those of fills that were counted towards it because they look
    like its own; ``held`` signed at sending.
    Shape: ``orders`` are the market orders that may be the broker's order of it; none is added that is first seen
    after ``first_seen_by``, and nothing is remembered beyond ``until``. Both are None while the close is outstanding.
    """

    contract: str
    held: int
    quantity: int
    whole: bool
    seq: int
    orders: tuple[str, ...] = ()
    claimed: int = 0
    until: datetime | None = None
    first_seen_by: datetime | None = None


class Cancel(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one cancel or resize that is outstanding for an order; ``size`` None cancels it."""

    command_id: str
    order_id: str
    sent_at: datetime
    seq: int
    size: int | None = None
    status: CloseStatus = CloseStatus.SENT


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often the broker refused, and when to ask again.

    Shape: ``refusals`` counts every answer of no, ``failures`` those that are riskd's or the broker's fault; a closed
    market is none. ``needs_snapshot`` is the seq after which a
    snapshot must have begun before anything is sent again, 0 for none.
    """

    failures: int
    not_before: datetime
    code: str = ""
    needs_snapshot: int = 0
    refusals: int = 0


class FlattenTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """The account must become flat, with nothing working; ends only when that is confirmed.

    Shape: ``flat_seq`` is the envelope at which everything first looked flat; a snapshot begun after it confirms.
    """

    rule: str
    reason: str
    seq: int
    since: datetime
    flat_seq: int | None = None


class Enforcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action under way, kept until its targets are reached so that its end can be told.

    Units: ``closed`` maps contract to the contracts that riskd's own closes have brought back so far.
    """

    enforcement_id: int
    rule: str
    action: str
    headline: str
    started_at: datetime
    contracts: tuple[str, ...] = ()
    closed: Mapping[str, int] = {}


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """The snapshot that is on its way; asked for again when it does not come."""

    request_id: str
    seq: int
    at: datetime


class Trim(msgspec.Struct, frozen=True, omit_defaults=True):
    """riskd reduced this position; exits placed before ``seq`` may not exceed what is left."""

    seq: int
    rule: str


class PendingRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rules that wait because they are not provably tighter than those in force.

    Shape: ``spec`` is their whole canonical text, "" where the configuration no longer names the account; ``rules`` are
    the ids of what changes with it and ``changes`` the same in words, from old to new.
    """

    spec: str
    effective_at: datetime
    since: datetime
    rules: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


class AccountState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One account.

    Units: USD for ``balance``, ``realized`` (gross, today's), ``realized_own`` (the same by riskd's own lots), ``fees``
    (positive, today's) and ``flow`` (the day's cash flows per contract in points x contracts, what was carried in at
    its 17:00 mark subtracted, so that net P&L = sum(point value x (flow + quantity x mark)) - fees).
    Shape: ``fills`` holds today's by trade id, ``earlier`` the ids of the TradingDay before, ``carried`` the positions
    held at 17:00 and ``carried_marks`` what they were valued at. ``armed`` accounts are judged, in ``shadow``
    only told about; ``rules`` is the canonical text in force, ``pending`` what is to replace it; ``locked_day`` is the
    last TradingDay on which a lockout stood. ``reconciled`` is False until a snapshot has been booked since the start;
    ``voided_at`` is when a trade was last taken back. A snapshot begun after ``recheck_seq`` is wanted while that is
    not zero. ``fills_until`` is how far the broker's own list of trades has been read without a gap. ``reentries``
    counts how often something appeared under the lockout; ``lapsed`` are the lockouts that ended last, since what was
    done under them may be heard of later.
    ``prices`` is the market table as it was when the account was written to disk, ``instruments`` the contract records
    then that the built-in table does not have; both are empty while riskd runs.
    ``realized_gap`` is by how much the broker's realized P&L was better than riskd's own at the last flat snapshot, and
    ``realized_doubt`` the same once a second one has shown it. ``ended`` maps the orders that ended lately to the seq
    at which they did, so that no report or snapshot from before brings them back. ``base`` is the balance without
    today's realized P&L and fees, from a snapshot that was consistent in itself, and ``base_drift`` another that one
    snapshot has shown since; ``highest_close`` and ``highest_equity`` are the high-water marks of closed balance at
    17:00 and of equity, ``restarts`` those of drawdowns that an admin has released. ``down`` says which connections are
    lost since when, ``gap_since`` from when on things may have happened unseen and ``gap_trades`` how many trades were
    read since then. ``close_requests`` and ``overshot`` map contract to the opening seq of a position that is to be
    closed because somebody asked for it, or because riskd's own close went through zero. ``watches`` are the closes, by
    command id, of which fills may still come. ``memories`` are what rules remember, by rule id.
    Source: rules.md section 0 for the definitions.
    """

    account: str
    trading_day: date
    day_ends_at: datetime
    name: str = ""
    balance: Decimal | None = None
    can_trade: bool = True
    armed: bool = False
    shadow: bool = False
    rules: str = ""
    pending: PendingRules | None = None
    locked_day: date | None = None
    reconciled: bool = False
    seq: int = 0
    last_fill_seq: int = 0
    last_fill_at: datetime | None = None
    voided_at: datetime | None = None
    base: Decimal | None = None
    base_drift: Decimal | None = None
    highest_close: Decimal | None = None
    highest_equity: Decimal | None = None
    restarts: Restarts = {}
    executions: tuple[Execution, ...] = ()
    memories: Mapping[str, Mapping[str, str]] = {}
    warned: frozenset[str] = frozenset()
    down: Mapping[Link, datetime] = {}
    gap_since: datetime | None = None
    gap_trades: int = 0
    positions: Mapping[str, Position] = {}
    reported: Mapping[str, Reported] = {}
    orders: Mapping[str, WorkingOrder] = {}
    ended: Mapping[str, int] = {}
    fills: Mapping[str, Fill] = {}
    earlier: frozenset[str] = frozenset()
    realized: Decimal = Decimal(0)
    realized_own: Decimal = Decimal(0)
    realized_doubt: Decimal = Decimal(0)
    realized_gap: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    flow: Mapping[str, Decimal] = {}
    commission_rates: Mapping[str, Decimal] = {}
    lockouts: tuple[Lockout, ...] = ()
    lapsed: tuple[Lockout, ...] = ()
    no_new_risk: tuple[NoNewRisk, ...] = ()
    episodes: Mapping[str, Episode] = {}
    flatten: FlattenTarget | None = None
    close_requests: Mapping[str, int] = {}
    overshot: Mapping[str, int] = {}
    closes: Mapping[str, Close] = {}
    watches: Mapping[str, Watch] = {}
    cancels: Mapping[str, Cancel] = {}
    retries: Mapping[str, Retry] = {}
    trims: Mapping[str, Trim] = {}
    enforcements: tuple[Enforcement, ...] = ()
    asked: Asked | None = None
    fills_until: datetime | None = None
    recheck_seq: int = 0
    snapshot_seq: int = 0
    prices: Mapping[str, Quote] = {}
    instruments: Mapping[str, Instrument] = {}
    carried: Mapping[str, Position] = {}
    carried_marks: Mapping[str, Decimal] = {}
    reentries: int = 0
    partial_close: bool = True
    error_state: bool = False

    def quantity(self, contract: str) -> int:
        """Return the signed quantity that the fills add up to."""
        position = self.positions.get(contract)
        return position.quantity if position else 0

    @property
    def locked(self) -> bool:
        """Tell whether any lockout stands."""
        return bool(self.lockouts)


MatchingMethod = Literal["fifo", "lifo", "average"]


class PnlSettings(msgspec.Struct, frozen=True):
    """How P&L is reckoned.

    Units: ``price_band`` in ticks.
    Shape: ``price_source`` "last" or "bid_ask"; ``fees`` "included" or "excluded".
    """

    price_source: Literal["last", "bid_ask"] = "last"
    matching: MatchingMethod = "fifo"
    fees: Literal["included", "excluded"] = "included"
    price_band: int = 8
    stale_after_ms: int = 10_000

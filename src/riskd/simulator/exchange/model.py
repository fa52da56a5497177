"""What the simulated exchange keeps and says: accounts, orders, trades, positions, quotes.

All values are frozen. The exchange replaces a value and hands the new one out in an event, so an
event never changes after it was emitted. Prices and money are Decimal, times are aware UTC.
"""

from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec


class Side(IntEnum):
    """Which way an order or a trade goes, as numbered on the wire."""

    BUY = 0
    SELL = 1

    @property
    def sign(self) -> int:
        """Return +1 for a buy and -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """Return the side that offsets this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(IntEnum):
    """The order types of the wire; 0 (unknown) is never accepted."""

    LIMIT = 1
    MARKET = 2
    STOP_LIMIT = 3
    STOP = 4
    TRAILING_STOP = 5
    JOIN_BID = 6
    JOIN_ASK = 7


class OrderStatus(IntEnum):
    """The order states of the wire."""

    OPEN = 1
    FILLED = 2
    CANCELLED = 3
    EXPIRED = 4
    REJECTED = 5
    PENDING = 6
    PENDING_CANCELLATION = 7
    SUSPENDED = 8


FINAL_STATUSES = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED})


class AccountKind(StrEnum):
    """What an account is, which decides the calls it refuses."""

    PRACTICE = "practice"
    COMBINE = "combine"
    FUNDED = "funded"
    LIVE = "live"
    LEADER = "leader"
    FOLLOWER = "follower"


class BracketMode(StrEnum):
    """Whether brackets belong to the netted position or to each entry order."""

    POSITION = "position"
    AUTO_OCO = "auto_oco"


class Phase(StrEnum):
    """What a contract's market does at a moment."""

    OPEN = "open"
    PRE_OPEN = "pre_open"
    HALTED = "halted"
    CLOSED = "closed"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One trading account; `balance` moves only when a half-turn books."""

    id: int
    name: str
    kind: AccountKind = AccountKind.PRACTICE
    balance: Decimal = Decimal(50_000)
    can_trade: bool = True
    is_visible: bool = True
    brackets: BracketMode = BracketMode.POSITION
    position_stop_usd: Decimal | None = None
    position_target_usd: Decimal | None = None
    leader_id: int | None = None
    copy_ratio: int = 1
    max_position: int | None = None

    @property
    def simulated(self) -> bool:
        """Return whether the broker books this account without real money."""
        return self.kind is not AccountKind.LIVE


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """One leg asked for with an entry order, in ticks from the entry's fill."""

    ticks: int
    type: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order; what the wire shows of it, and what the exchange needs to work it.

    An order with `fills_at` is left alone by prices until then.
    """

    id: int
    account_id: int
    contract_id: str
    created_at: datetime
    updated_at: datetime
    status: OrderStatus
    type: OrderType
    side: Side
    size: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_distance: int | None = None
    filled: int = 0
    filled_price: Decimal | None = None
    custom_tag: str | None = None
    parent_id: int | None = None
    linked_id: int | None = None
    oco_id: int | None = None
    stop_loss: Bracket | None = None
    take_profit: Bracket | None = None
    position_id: int | None = None
    triggered: bool = False
    closing: bool = False
    fills_at: datetime | None = None

    @property
    def left(self) -> int:
        """Return how many contracts are still to fill."""
        return self.size - self.filled

    @property
    def final(self) -> bool:
        """Return whether nothing can happen to this order any more."""
        return self.status in FINAL_STATUSES

    @property
    def working(self) -> bool:
        """Return whether the market may fill this order."""
        return self.status is OrderStatus.OPEN


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One half-turn; `profit_and_loss` is gross and None on an opening one."""

    id: int
    account_id: int
    contract_id: str
    created_at: datetime
    price: Decimal
    side: Side
    size: int
    order_id: int
    fees: Decimal
    commissions: Decimal
    profit_and_loss: Decimal | None = None
    voided: bool = False

    @property
    def cash(self) -> Decimal:
        """Return what this half-turn does to the balance."""
        return (self.profit_and_loss or Decimal(0)) - self.fees - self.commissions


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """The netted position of one account in one contract; `size` is signed, 0 when closed."""

    id: int
    account_id: int
    contract_id: str
    display_name: str
    created_at: datetime
    size: int
    average_price: Decimal


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The last known prices of one contract and the figures of its trading day."""

    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: int = 0


class PriceUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one contract's prices; None leaves the known value as it is.

    `size` contracts traded at `last`, bought at the ask or sold at the bid by `side`.
    """

    contract_id: str
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    size: int = 0
    side: Side | None = None

"""What the exchange emits, in order, to whoever carries it to the clients.

`after_ms` is how much later than its cause an event leaves the broker (the real one sends account
events again up to two seconds later); the carrier keeps that delay, or a virtual clock does.
"""

from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

import msgspec

from riskd.simulator.exchange.model import Account, Order, Position, Side, Trade


class AccountEvent(msgspec.Struct, frozen=True, tag=True):
    """An account's balance or right to trade, as it is now.

    The carrier shows a repeat with the account as it is when it arrives.
    """

    account: Account
    after_ms: int = 0
    repeat: bool = False

    @property
    def account_id(self) -> int:
        """Return whose event this is."""
        return self.account.id


class OrderEvent(msgspec.Struct, frozen=True, tag=True):
    """An order's new state."""

    order: Order
    after_ms: int = 0

    @property
    def account_id(self) -> int:
        """Return whose event this is."""
        return self.order.account_id


class TradeEvent(msgspec.Struct, frozen=True, tag=True):
    """A booked half-turn; the opening one comes again when it is closed."""

    trade: Trade
    after_ms: int = 0
    resent: bool = False

    @property
    def account_id(self) -> int:
        """Return whose event this is."""
        return self.trade.account_id


class PositionEvent(msgspec.Struct, frozen=True, tag=True):
    """A netted position's new state; size 0 says that it was closed."""

    position: Position
    after_ms: int = 0

    @property
    def account_id(self) -> int:
        """Return whose event this is."""
        return self.position.account_id


class QuoteEvent(msgspec.Struct, frozen=True, tag=True):
    """Changed prices of one contract; None means unchanged."""

    contract_id: str
    at: datetime
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    day: "DayFigures | None" = None
    after_ms: int = 0


class DayFigures(msgspec.Struct, frozen=True):
    """The trading day's open, high, low and volume, sent with a trade."""

    open: Decimal
    high: Decimal
    low: Decimal
    volume: int


class PrintEvent(msgspec.Struct, frozen=True, tag=True):
    """A trade in the market (not ours)."""

    contract_id: str
    at: datetime
    price: Decimal
    size: int
    side: Side
    after_ms: int = 0


class DepthEvent(msgspec.Struct, frozen=True, tag=True):
    """One side's best price level changed."""

    contract_id: str
    at: datetime
    price: Decimal
    size: int
    side: Side
    after_ms: int = 0


UserEvent: TypeAlias = AccountEvent | OrderEvent | TradeEvent | PositionEvent
MarketEvent: TypeAlias = QuoteEvent | PrintEvent | DepthEvent
Event: TypeAlias = UserEvent | MarketEvent

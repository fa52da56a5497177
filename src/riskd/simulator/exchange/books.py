"""What the exchange has written down: accounts, orders, trades, holdings, and the next ids.

Orders and trades get ids beyond 2^31, accounts and positions stay within it, as at the broker.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from random import Random

import msgspec

from riskd.simulator.exchange.contracts import Contract, ContractBook
from riskd.simulator.exchange.ledger import Holding
from riskd.simulator.exchange.market_state import MarketBook
from riskd.simulator.exchange.model import Account, Order, OrderStatus, Position, Trade

_FIRST_ORDER_ID = 3_000_000_101
_FIRST_TRADE_ID = 3_100_000_201
_FIRST_POSITION_ID = 825_000_001
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class ExchangeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange behaves where the real one is known to vary.

    `repeat_accounts` is the least and most identical account events after each fill;
    `fill_chunk` the most contracts one fill takes (None: all at once);
    `slippage_ticks` what a market order pays beyond the best price;
    `positions_lag_ms` how far positions trail trades, on the hub and over REST;
    `matching` off leaves fills and brackets to the hand of a test; `closes_fill` says whether the
    broker's own closes then still fill, at the last price;
    `orders_expire_daily` whether resting orders end at 16:00 Chicago.
    """

    repeat_accounts: tuple[int, int] = (1, 3)
    resend_opening_trade: bool = True
    fill_chunk: int | None = None
    slippage_ticks: int = 0
    positions_lag_ms: int = 0
    orders_expire_daily: bool = False
    exchange_hours: bool = False
    matching: bool = True
    closes_fill: bool = True
    orphan_brackets: bool = True


class CloseTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How the next close goes: `delay_ms` later, and only `part` contracts of it (None: all)."""

    delay_ms: int = 0
    part: int | None = None


class Books:
    """The exchange's state. Only the modules of the exchange write here."""

    def __init__(self, contracts: ContractBook, options: ExchangeOptions, rng: Random) -> None:
        """Start with empty books."""
        self.contracts = contracts
        self.options = options
        self.rng = rng
        self.market = MarketBook(exchange_hours=options.exchange_hours)
        self.accounts: dict[int, Account] = {}
        self.orders: dict[int, Order] = {}
        self.trades: dict[int, Trade] = {}
        self.holdings: dict[tuple[int, str], Holding] = {}
        self.working: dict[str, dict[int, None]] = {}
        self.orders_of: dict[int, list[int]] = {}
        self.trades_of: dict[int, list[int]] = {}
        self.positions_seen: dict[int, list[tuple[datetime, tuple[Position, ...]]]] = {}
        self.tags: set[tuple[int, str]] = set()
        self.deferred: list[tuple[datetime, int, int | None]] = []
        self._order_ids = count(_FIRST_ORDER_ID)
        self._trade_ids = count(_FIRST_TRADE_ID)
        self._position_ids = count(_FIRST_POSITION_ID)

    def next_order_id(self) -> int:
        """Return an unused order id, consecutive."""
        return next(self._order_ids)

    def next_trade_id(self) -> int:
        """Return an unused trade id, consecutive."""
        return next(self._trade_ids)

    def next_position_id(self) -> int:
        """Return an unused position id, consecutive."""
        return next(self._position_ids)

    def contract(self, contract_id: str) -> Contract:
        """Return a contract that the caller knows to exist."""
        contract = self.contracts.find(contract_id)
        if contract is None:
            raise KeyError(f"no contract {contract_id!r}")
        return contract

    def write_order(self, order: Order) -> Order:
        """Keep an order's new state and index it while it can still fill."""
        if order.id not in self.orders:
            self.orders_of.setdefault(order.account_id, []).append(order.id)
            if order.custom_tag is not None:
                self.tags.add((order.account_id, order.custom_tag))
        self.orders[order.id] = order
        resting = self.working.setdefault(order.contract_id, {})
        if order.status is OrderStatus.OPEN:
            resting[order.id] = None
        else:
            resting.pop(order.id, None)
        return order

    def write_trade(self, trade: Trade) -> Trade:
        """Keep a trade's new state."""
        if trade.id not in self.trades:
            self.trades_of.setdefault(trade.account_id, []).append(trade.id)
        self.trades[trade.id] = trade
        return trade

    def write_holding(self, holding: Holding, at: datetime) -> None:
        """Keep a holding, or drop it when it is flat, and remember when that was so."""
        key = (holding.position.account_id, holding.position.contract_id)
        lagging = self.options.positions_lag_ms > 0
        if lagging and key[0] not in self.positions_seen:
            self.remember_positions(key[0], _BEFORE_ALL)
        if holding.size:
            self.holdings[key] = holding
        else:
            self.holdings.pop(key, None)
        if lagging:
            self.remember_positions(key[0], at)

    def remember_all_positions(self) -> None:
        """Start the memory of every account's positions afresh from what is held now."""
        self.positions_seen.clear()
        for account_id in self.accounts:
            self.remember_positions(account_id, _BEFORE_ALL)

    def remember_positions(self, account_id: int, at: datetime) -> None:
        """Note an account's positions for readers that see them late."""
        history = self.positions_seen.setdefault(account_id, [])
        history.append((at, tuple(self.positions(account_id))))

    def positions_seen_at(self, account_id: int, at: datetime) -> list[Position]:
        """Return the positions of an account as they were at a moment."""
        seen: tuple[Position, ...] = ()
        for written_at, positions in self.positions_seen.get(account_id, ()):
            if written_at > at:
                break
            seen = positions
        return list(seen)

    def positions(self, account_id: int) -> Iterator[Position]:
        """Yield an account's open positions, oldest first."""
        for (owner, _), holding in self.holdings.items():
            if owner == account_id:
                yield holding.position

    def held(self, account_id: int, contract_id: str) -> int:
        """Return the signed size an account holds of a contract."""
        holding = self.holdings.get((account_id, contract_id))
        return holding.size if holding else 0

    def resting(self, contract_id: str) -> list[Order]:
        """Return the working orders of a contract, oldest first."""
        return [self.orders[order_id] for order_id in self.working.get(contract_id, ())]

    def pay(self, account_id: int, amount: Decimal) -> Account:
        """Move an account's balance and return the account as it is now."""
        account = self.accounts[account_id]
        account = msgspec.structs.replace(account, balance=account.balance + amount)
        self.accounts[account_id] = account
        return account

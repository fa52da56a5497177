"""What the broker's search calls find."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from riskd.simulator.exchange.books import Books
from riskd.simulator.exchange.model import Account, Order, OrderStatus, Position, Trade


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What an order query looks for; None is any."""

    account_id: int
    statuses: frozenset[int] | None = None
    contract_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class Queries:
    """Reads of the exchange's books."""

    def __init__(self, books: Books) -> None:
        """Read these books."""
        self._books = books

    def accounts(self, *, only_active: bool = False) -> list[Account]:
        """Return the accounts, those that may trade only if asked so."""
        accounts = self._books.accounts.values()
        return [account for account in accounts if account.can_trade or not only_active]

    def has_account(self, account_id: int) -> bool:
        """Return whether an account exists."""
        return account_id in self._books.accounts

    def order(self, account_id: int, order_id: int) -> Order | None:
        """Return one order of an account."""
        order = self._books.orders.get(order_id)
        return order if order is not None and order.account_id == account_id else None

    def orders(self, account_id: int, start: datetime, end: datetime | None = None) -> list[Order]:
        """Return an account's orders created within a time, oldest first."""
        return [
            order
            for order in self._orders(account_id)
            if order.created_at >= start and (end is None or order.created_at <= end)
            if order.status is not OrderStatus.SUSPENDED
        ]

    def open_orders(self, account_id: int) -> list[Order]:
        """Return an account's orders that are open, oldest first; suspended ones are not."""
        return [order for order in self._orders(account_id) if order.working]

    def find_orders(self, wanted: OrderFilter) -> list[Order]:
        """Return an account's orders that pass a filter, suspended ones too, oldest first."""
        checks: list[Callable[[Order], bool]] = []
        if wanted.statuses is not None:
            statuses = wanted.statuses
            checks.append(lambda order: order.status in statuses)
        if wanted.contract_id is not None:
            checks.append(lambda order: order.contract_id == wanted.contract_id)
        if wanted.created_after is not None:
            after = wanted.created_after
            checks.append(lambda order: order.created_at >= after)
        if wanted.created_before is not None:
            before = wanted.created_before
            checks.append(lambda order: order.created_at <= before)
        found = self._orders(wanted.account_id)
        return [order for order in found if all(check(order) for check in checks)]

    def positions(self, account_id: int, at: datetime) -> list[Position]:
        """Return an account's open positions, as late as positions are just now."""
        lag = self._books.options.positions_lag_ms
        if not lag:
            return list(self._books.positions(account_id))
        return self._books.positions_seen_at(account_id, at - timedelta(milliseconds=lag))

    def trades(self, account_id: int, start: datetime | None = None, end: datetime | None = None) -> list[Trade]:
        """Return an account's half-turns booked within a time, newest first."""
        ids = reversed(self._books.trades_of.get(account_id, []))
        trades = (self._books.trades[trade_id] for trade_id in ids)
        return [
            trade
            for trade in trades
            if (start is None or trade.created_at >= start) and (end is None or trade.created_at <= end)
        ]

    def _orders(self, account_id: int) -> Iterable[Order]:
        return (self._books.orders[order_id] for order_id in self._books.orders_of.get(account_id, ()))

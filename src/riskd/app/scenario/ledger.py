"""The broker's own books in a scenario: what it would answer if riskd asked, whether riskd has heard of it or not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.app.scenario.world import CannotHappen
from riskd.domain.events import Fill, PositionReported, SnapshotReported
from riskd.domain.orders import ENDED, OrderStatus, WorkingOrder

ZERO = Decimal(0)


@dataclass(slots=True)
class _Held:
    """A net position. Units: ``quantity`` signed contracts."""

    quantity: int = 0
    average: Decimal = ZERO


@dataclass(slots=True)
class AccountLedger:
    """One account at the broker."""

    account: str
    name: str
    balance: Decimal | None = None
    can_trade: bool = True
    orders: dict[str, WorkingOrder] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    held: dict[str, _Held] = field(default_factory=dict)
    # Ids that riskd could have heard of; a voided trade keeps its own, so that no later fill gets it.
    used: set[str] = field(default_factory=set)

    def book(self, fill: Fill) -> None:
        """Book a new fill.

        Errors: CannotHappen when its id is known.
        """
        if fill.trade_id in self.used:
            raise CannotHappen(
                expected=f"a new id for this fill (or 'fill {fill.trade_id} again')",
                actual=f"{fill.trade_id}, which an earlier fill has",
            )
        self.used.add(fill.trade_id)
        self.fills[fill.trade_id] = fill
        self._move(fill.contract, fill.signed, fill.price)

    def fill_named(self, trade: str) -> Fill:
        """Return an earlier fill.

        Errors: CannotHappen when there is none of this id.
        """
        found = self.fills.get(trade)
        if found is None:
            known = ", ".join(self.fills) or "no fill at all"
            raise CannotHappen(expected=f"an earlier fill with the id {trade}", actual=known)
        return found

    def void(self, trade: str) -> Fill:
        """Take a fill back and return it as voided."""
        found = self.fill_named(trade)
        del self.fills[trade]
        self._move(found.contract, -found.signed, found.price)
        return msgspec.structs.replace(found, voided=True)

    def new_trade_id(self) -> str:
        """Return an id that no fill has yet."""
        number = len(self.used) + 1
        while f"T{number}" in self.used:
            number += 1
        return f"T{number}"

    def quantity(self, contract: str) -> int:
        """Return the signed quantity held."""
        held = self.held.get(contract)
        return held.quantity if held else 0

    def order(self, order: str) -> WorkingOrder:
        """Return a working order.

        Errors: CannotHappen when there is none of this name.
        """
        found = self.orders.get(order)
        if found is None:
            working = ", ".join(self.orders) or "no order is"
            raise CannotHappen(expected=f"{order} to be working", actual=f"{working} working")
        return found

    def place(self, order: WorkingOrder) -> None:
        """Let an order work.

        Errors: CannotHappen when one of this name works already.
        """
        if order.order_id in self.orders:
            raise CannotHappen(expected=f"a new name for this order, found {order.order_id}", actual="it is working")
        self.orders[order.order_id] = order

    def end(self, order: str, status: OrderStatus) -> WorkingOrder:
        """End an order and return it as it is now."""
        ended = msgspec.structs.replace(self.order(order), status=status)
        del self.orders[order]
        return ended

    def fill_order(self, order: str, quantity: int | None) -> tuple[WorkingOrder, int]:
        """Fill an order in part or whole; return it as it is now, and how many contracts filled."""
        before = self.order(order)
        filled = before.remaining if quantity is None else quantity
        if filled > before.remaining:
            raise CannotHappen(expected=f"at most {before.remaining} left to fill of {order}", actual=str(filled))
        status = OrderStatus.FILLED if filled == before.remaining else before.status
        after = msgspec.structs.replace(before, filled=before.filled + filled, status=status)
        if status in ENDED:
            del self.orders[order]
        else:
            self.orders[order] = after
        return after, filled

    def snapshot(self, *, request_id: str, asked_seq: int, since: datetime) -> SnapshotReported:
        """Return the whole account as the broker would tell it."""
        return SnapshotReported(
            account=self.account,
            asked_seq=asked_seq,
            positions=self.positions(),
            orders=tuple(self.orders.values()),
            fills=tuple(fill for fill in self.fills.values() if fill.at >= since),
            request_id=request_id,
            balance=self.balance,
            can_trade=self.can_trade,
            name=self.name,
        )

    def positions(self) -> tuple[PositionReported, ...]:
        """Return what is held."""
        return tuple(
            PositionReported(account=self.account, contract=c, quantity=held.quantity, average_price=held.average)
            for c, held in self.held.items()
            if held.quantity
        )

    def _move(self, contract: str, signed: int, price: Decimal) -> None:
        held = self.held.setdefault(contract, _Held())
        after = held.quantity + signed
        if held.quantity * signed >= 0 and after:
            held.average = (held.average * held.quantity + price * signed) / after
        elif held.quantity * after < 0:
            held.average = price
        held.quantity = after


def ledgers(accounts: Sequence[str]) -> dict[str, AccountLedger]:
    """Open the books of these accounts."""
    return {account: AccountLedger(account, name=account) for account in accounts}

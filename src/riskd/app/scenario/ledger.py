"""The broker's own books in a scenario: what it would answer if riskd asked, whether riskd has heard of it or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.app.scenario.world import CannotHappen
from riskd.domain.events import Fill, PositionReported, SnapshotReported
from riskd.domain.instruments import table_instrument
from riskd.domain.orders import ENDED, OrderStatus, WorkingOrder

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Lot:
    """Contracts bought or sold at one price. Units: ``quantity`` signed."""

    quantity: int
    price: Decimal


@dataclass(slots=True)
class _Held:
    """A net position as its open lots, oldest first."""

    lots: list[_Lot] = field(default_factory=list)

    @property
    def quantity(self) -> int:
        """Return the signed quantity."""
        return sum(lot.quantity for lot in self.lots)

    @property
    def average(self) -> Decimal:
        """Return the average price, zero when flat."""
        quantity = self.quantity
        return sum((lot.price * lot.quantity for lot in self.lots), ZERO) / quantity if quantity else ZERO

    def trade(self, signed: int, price: Decimal) -> Decimal:
        """Trade against the oldest lots first; return what that realized, in points x contracts."""
        realized = ZERO
        while signed and self.lots and self.lots[0].quantity * signed < 0:
            first = self.lots.pop(0)
            closed = min(abs(first.quantity), abs(signed)) * (1 if first.quantity > 0 else -1)
            realized += (price - first.price) * closed
            signed += closed
            if first.quantity != closed:
                self.lots.insert(0, _Lot(first.quantity - closed, first.price))
        if signed:
            self.lots.append(_Lot(signed, price))
        return realized


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
        points = self._held(fill.contract).trade(fill.signed, fill.price)
        if self.balance is not None:
            self.balance += fill.pnl if fill.pnl is not None else points * _point_value(fill.contract)
            self.balance -= fill.fees

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
        """Take a fill back and return it as voided: the books are what its contract's other fills make of them."""
        voided = self.fill_named(trade)
        before = self._realized(voided.contract)
        del self.fills[trade]
        self.held[voided.contract] = _Held()
        after = self._realized(voided.contract)
        if self.balance is not None:
            self.balance += after - before + voided.fees
        return msgspec.structs.replace(voided, voided=True)

    def _realized(self, contract: str) -> Decimal:
        """Return what a contract's fills realized in USD, having traded them all anew."""
        held = self.held[contract] = _Held()
        total = ZERO
        for fill in self.fills.values():
            if fill.contract == contract:
                points = held.trade(fill.signed, fill.price)
                total += fill.pnl if fill.pnl is not None else points * _point_value(contract)
        return total

    def _held(self, contract: str) -> _Held:
        return self.held.setdefault(contract, _Held())

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
        return tuple(self.position(contract) for contract, held in self.held.items() if held.quantity)

    def position(self, contract: str) -> PositionReported:
        """Return the broker's word on one contract, flat included."""
        held = self._held(contract)
        return PositionReported(
            account=self.account, contract=contract, quantity=held.quantity, average_price=held.average
        )


def _point_value(contract: str) -> Decimal:
    instrument = table_instrument(contract)
    return instrument.point_value if instrument is not None else ZERO


def ledgers(accounts: Sequence[str], balances: Mapping[str, Decimal]) -> dict[str, AccountLedger]:
    """Open the books of these accounts."""
    return {account: AccountLedger(account, name=account, balance=balances.get(account)) for account in accounts}

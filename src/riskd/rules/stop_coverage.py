"""How much of a position working stops cover, and what they would lose."""

from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder, worst_case

ZERO: Final = Decimal(0)


class Protection(msgspec.Struct, frozen=True):
    """What counts as protected: which kinds of stop, and how much they may lose (USD, positive; None: no bound)."""

    accept: frozenset[OrderType]
    max_risk: Decimal | None

    def covers(self, state: AccountView, contract: str, quantity: int) -> bool:
        """Tell whether accepted working stops cover this signed position, at a risk that is allowed."""
        stops = self._stops(state, contract, quantity)
        if sum([stop.remaining for stop in stops]) < abs(quantity):
            return False
        if any(stop.linked for stop in stops) and worst_case(stops, _closing(quantity)) < abs(quantity):
            return False
        if self.max_risk is None:
            return True
        risk = stop_risk(state, contract, quantity, stops)
        return risk is not None and risk <= self.max_risk

    def _stops(self, state: AccountView, contract: str, quantity: int) -> list[WorkingOrder]:
        side, accept = _closing(quantity), self.accept
        return [
            order
            for order in state.account.orders.values()
            if order.contract == contract
            and order.side is side
            and order.type in accept
            and order.status is OrderStatus.WORKING
        ]


def _closing(quantity: int) -> Side:
    return Side.SELL if quantity > 0 else Side.BUY


def stop_risk(state: AccountView, contract: str, quantity: int, stops: list[WorkingOrder]) -> Decimal | None:
    """Return what a position loses (USD, negative for a gain) if its stops fill at their prices, nearest first.

    Shape: None where a stop that is needed has no known price, or the position's cost is unknown.
    """
    position, instrument = state.positions.get(contract), state.instruments.get(contract)
    if position is None or instrument is None:
        return None
    cost = sum((lot.price * lot.quantity for lot in position.lots), ZERO)
    sign, left, proceeds = (1 if quantity > 0 else -1), abs(position.quantity), ZERO
    priced = [(stop.stop_price, stop.remaining) for stop in stops if stop.stop_price is not None]
    for price, remaining in sorted(priced, key=lambda stop: -sign * stop[0]):
        count = min(remaining, left)
        proceeds += sign * price * count
        left -= count
    return None if left else (cost - proceeds) * instrument.point_value

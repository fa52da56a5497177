"""Counting contracts, held and possible, and choosing which of them go first.

Shared by the rules that limit size. Rules judge the larger exposure while fills and broker disagree; what exceeds the
known lots then counts as the newest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.orders import OrderSplit, OrderType, Side, WorkingOrder, asleep, split_orders, worst_case
from riskd.domain.violations import Reduction

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
Weight = Callable[[str], Decimal]
"""How much one contract of a contract id counts."""


def alike(_contract: str) -> Decimal:
    """Count every contract as one."""
    return ONE


class OpenContracts(msgspec.Struct, frozen=True):
    """Contracts opened together; ``count`` is positive, ``order_id`` the order that opened them where it is known."""

    contract: str
    count: int
    order_id: str | None = None


class Trimmed(msgspec.Struct, frozen=True):
    """What a trim closes, and the orders that opened it."""

    reductions: tuple[Reduction, ...]
    order_ids: tuple[str, ...]


def weighed(quantities: Mapping[str, int], weight: Weight) -> Decimal:
    """Return the absolute quantities of all contracts added up by weight."""
    if weight is alike:
        return Decimal(sum(map(abs, quantities.values())))
    return sum((abs(quantity) * weight(contract) for contract, quantity in quantities.items()), ZERO)


def weighed_orders(orders: Iterable[WorkingOrder], weight: Weight) -> Decimal:
    """Return what working orders could fill by weight, whatever their side."""
    if weight is alike:
        return Decimal(sum([order.remaining for order in orders]))
    return sum([order.remaining * weight(order.contract) for order in orders], ZERO)


def newest_first(state: AccountView) -> list[OpenContracts]:
    """Return all open contracts across instruments, the most recently opened first."""
    ranked = [
        ((lot.opened_at, lot.seq, index, contract), OpenContracts(contract, abs(lot.quantity), lot.order_id))
        for contract, position in state.positions.items()
        if position.quantity * state.quantities.get(contract, 0) > 0
        for index, lot in enumerate(position.lots)
    ]
    known = [open_contracts for _, open_contracts in sorted(ranked, key=lambda r: r[0], reverse=True)]
    return _unexplained(state) + known


def _unexplained(state: AccountView) -> list[OpenContracts]:
    """Return what the broker reports beyond the lots: nobody knows when it was opened, so it is the newest."""
    found = []
    for contract, quantity in sorted(state.quantities.items()):
        position = state.positions.get(contract)
        explained = abs(position.quantity) if position and position.quantity * quantity > 0 else 0
        if abs(quantity) > explained:
            found.append(OpenContracts(contract, abs(quantity) - explained))
    return found


def largest_first(state: AccountView) -> list[OpenContracts]:
    """Return all open contracts, those of the position with the greatest value first, newest first within it."""
    values = {contract: _value(state, contract) for contract in state.quantities}
    # sorted() keeps the order of equals, so the newest of one position stays first
    return sorted(newest_first(state), key=lambda held: (-values[held.contract], held.contract))


def _value(state: AccountView, contract: str) -> Decimal:
    quantity, instrument = state.quantities[contract], state.instruments.get(contract)
    if instrument is None:
        return ZERO
    price = state.mark(contract, quantity)
    if price is None:
        position = state.positions.get(contract)
        price = position.lots[-1].price if position and position.lots else ZERO
    return abs(quantity * price * instrument.point_value)


def trim(state: AccountView, held: Iterable[OpenContracts], excess: Decimal, weight: Weight) -> Trimmed:
    """Close the fewest contracts, in the order given, whose weight makes up for the excess."""
    cuts: dict[str, int] = {}
    order_ids: dict[str, None] = {}
    for lot in held:
        if excess <= 0:
            break
        each = weight(lot.contract)
        whole, rest = divmod(excess, each)
        count = min(lot.count, int(whole) + (1 if rest else 0))
        cuts[lot.contract] = cuts.get(lot.contract, 0) + count
        excess -= count * each
        if lot.order_id is not None:
            order_ids[lot.order_id] = None
    return Trimmed(
        tuple(reduced(contract, state.quantities[contract], cut) for contract, cut in cuts.items()), tuple(order_ids)
    )


def reduced(contract: str, held: int, cut: int) -> Reduction:
    """Return the reduction of a signed quantity by that many contracts."""
    return Reduction(contract, held=held, left=held - cut if held > 0 else held + cut)


def to_zero(contract: str, held: int) -> Reduction:
    """Return the reduction of a position to nothing."""
    return Reduction(contract, held=held, left=0)


def after(quantities: Mapping[str, int], reductions: Iterable[Reduction]) -> dict[str, int]:
    """Return the signed quantities as they will be once the reductions are done."""
    return {**quantities, **{cut.contract: cut.left for cut in reductions}}


def still_working(state: AccountView, order_ids: Iterable[str]) -> tuple[str, ...]:
    """Return those of the orders that may still fill."""
    return tuple(order_id for order_id in order_ids if order_id in state.account.orders)


class Resting(msgspec.Struct, frozen=True):
    """What would be held if resting orders filled in the worst order, and the entries to cancel so that it fits.

    Shape: ``total`` is by weight, before any cancel; ``surplus`` newest order first, an order that is an exit in part
    for the sake of the rest of it.
    """

    total: Decimal
    surplus: tuple[str, ...]


def may_exceed(orders: Iterable[WorkingOrder], held: Mapping[str, int], limit: Decimal, weight: Weight) -> bool:
    """Tell, quickly, whether `resting` could find anything: linked orders are counted as if both could fill."""
    buys: dict[str, int] = {}
    sells: dict[str, int] = {}
    for order in orders:
        if order.type is not OrderType.MARKET:
            side = buys if order.side is Side.BUY else sells
            side[order.contract] = side.get(order.contract, 0) + order.remaining
    furthest: dict[str, int] = {}
    for contract in (*held, *buys, *sells):
        quantity = held.get(contract, 0)
        furthest[contract] = max(abs(quantity), quantity + buys.get(contract, 0), sells.get(contract, 0) - quantity)
    return weighed(furthest, weight) > limit


def resting(orders: Iterable[WorkingOrder], held: Mapping[str, int], limit: Decimal, weight: Weight) -> Resting:
    """Find the resting entries that would exceed a limit if they filled.

    Shape: market orders are not resting, they fill; bracket children whose entry is unfilled enlarge nothing.
    """
    working: dict[str, list[WorkingOrder]] = {}
    for order in orders:
        if not (order.type is OrderType.MARKET or asleep(order)):
            working.setdefault(order.contract, []).append(order)
    contracts = dict.fromkeys([*held, *working])
    reach = {c: reachable(held.get(c, 0), working.get(c, ())) * weight(c) for c in contracts}
    total = sum(reach.values(), ZERO)
    if total <= limit:
        return Resting(total, ())
    surplus: list[str] = []
    for part in _entries_newest_first(working, held):
        if sum(reach.values(), ZERO) <= limit:
            break
        surplus.append(part.order.order_id)
        contract = part.order.contract
        working[contract] = [part.cut if order is part.order else order for order in working[contract]]
        reach[contract] = reachable(held.get(contract, 0), working[contract]) * weight(contract)
    return Resting(total, tuple(surplus))


def _entries_newest_first(working: Mapping[str, Sequence[WorkingOrder]], held: Mapping[str, int]) -> list[OrderSplit]:
    found = [part for contract, mine in working.items() for part in split_orders(mine, held.get(contract, 0))]
    entering = [part for part in found if part.entry]
    return sorted(entering, key=lambda part: (part.order.seq, part.order.order_id), reverse=True)


def reachable(quantity: int, orders: Sequence[WorkingOrder]) -> int:
    """Return the largest absolute position that these orders of one contract could lead to."""
    longest = quantity + worst_case(orders, Side.BUY)
    shortest = worst_case(orders, Side.SELL) - quantity
    return max(abs(quantity), longest, shortest)

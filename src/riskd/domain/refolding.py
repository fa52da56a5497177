"""Folding a contract anew: trades that come late or are taken back, and stand-ins for what nobody reported.

Fills are booked one after the other as they come. Where that was not the broker's order, or where a fill goes away
again, the day's fills of the contract are folded once more from what was carried in, by the broker's own times, so that
lots and P&L are those of the trades that count, whatever way they came.

A stand-in takes the place of trades that the broker's position contains and its reports do not. A contract has one at
most, it is always the whole difference, and it goes as soon as the trades themselves explain the position.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Execution, Lot, MatchingMethod, Position
from riskd.domain.events import Fill
from riskd.domain.executions import executed, since_flat_after, told_anew
from riskd.domain.instruments import Instrument, root_of_contract
from riskd.domain.lots import match
from riskd.domain.money import charge_for
from riskd.domain.orders import Side

ZERO: Final = Decimal(0)
_replace: Final = msgspec.structs.replace


class Place(msgspec.Struct, frozen=True):
    """Where, how and when a contract is folded: its instrument, the matching method, the envelope's seq and time."""

    instrument: Instrument
    method: MatchingMethod
    seq: int
    at: datetime


class _Folded(msgspec.Struct, frozen=True):
    """What fills add up to: lots, and in USD what they realized by riskd's lots and by the broker's figures.

    Shape: ``since_flat`` is what the position that is left has made net of fees since it opened; ``executions`` are
    what the fills did, in the order of the broker's times.
    """

    lots: tuple[Lot, ...]
    own: Decimal
    realized: Decimal
    flow: Decimal
    fees: Decimal
    since_flat: Decimal
    executions: tuple[Execution, ...]


def cost(fill: Fill, rates: Mapping[str, Decimal]) -> Decimal:
    """Return what a fill cost in fees and commission (USD), from the learned rate where it does not say."""
    if fill.commission is not None:
        return fill.fees + fill.commission
    return fill.fees + charge_for(fill.quantity, rates.get(root_of_contract(fill.contract), ZERO))


def lot_of(fill: Fill, place: Place) -> Lot:
    """Return the lot that a fill opens if nothing is open the other way."""
    return Lot(
        quantity=fill.signed,
        price=fill.price,
        opened_at=fill.at,
        seq=place.seq,
        trade_id=fill.trade_id,
        order_id=fill.order_id,
    )


def refolded(
    state: AccountState, contract: str, fills: Mapping[str, Fill], place: Place, *, carried: Position | None = None
) -> AccountState:
    """Return the account as if its fills of today had been these, in the order of the broker's times.

    Shape: only fills of ``contract`` may differ from those booked; ``carried`` replaces what was carried in. What each
    fill opened and closed is told anew.
    """
    before = _folded(state, contract, state.fills.values(), state.carried.get(contract), place)
    held = carried or state.carried.get(contract)
    after = _folded(state, contract, fills.values(), held, place)
    realized = after.realized - before.realized
    position = _position(state.positions.get(contract), contract, after, seq=place.seq)
    flow = state.flow.get(contract, ZERO) + after.flow - before.flow
    return _replace(
        state,
        fills=dict(fills),
        positions=_with_position(state.positions, contract, position),
        realized=state.realized + realized,
        realized_own=state.realized_own + after.own - before.own,
        fees=state.fees + after.fees - before.fees,
        flow={**state.flow, contract: flow},
        executions=_executions(state, contract, after, position),
    )


def _executions(
    state: AccountState, contract: str, folded: _Folded, position: Position | None
) -> tuple[Execution, ...]:
    """Return what all fills did, by time, told anew for one contract's of today."""
    others = [e for e in state.executions if e.contract != contract or e.trade_id not in state.fills]
    told = told_anew(state.executions, folded.executions, position)
    mine = [e for e in told if e.trade_id != stand_in_id(contract)]
    return tuple(sorted([*others, *mine], key=lambda e: e.at))


def _folded(
    state: AccountState, contract: str, fills: Iterable[Fill], carried: Position | None, place: Place
) -> _Folded:
    known = _by_trade(state.positions.get(contract))
    lots: tuple[Lot, ...] = carried.lots if carried else ()
    own = realized = flow = fees = ZERO
    since_flat = carried.realized if carried else ZERO
    booked = {execution.trade_id: execution for execution in state.executions}
    executions: list[Execution] = []
    for fill in _in_order(f for f in fills if f.contract == contract):
        lot = _lot_again(fill, known.get(fill.trade_id), state, place)
        matched = match(lots, lot, place.method)
        earned = matched.points * place.instrument.point_value
        pnl, charge = earned if fill.pnl is None else fill.pnl, cost(fill, state.commission_rates)
        done = executed(fill, lots, matched, since_flat, pnl=pnl, charge=charge)
        executions.append(_as_booked(done, booked.get(fill.trade_id), place))
        lots, since_flat = matched.lots, since_flat_after(done, charge)
        own += earned
        realized += pnl
        flow -= fill.signed * fill.price
        fees += charge
    return _Folded(lots, own, realized, flow, fees, since_flat, tuple(executions))


def _as_booked(done: Execution, known: Execution | None, place: Place) -> Execution:
    """Return what a fill did, at the place and time at which it was booked, or is now."""
    if known is None:
        return _replace(done, seq=place.seq, at=min(done.at, place.at))
    return _replace(done, seq=known.seq, at=known.at, own=known.own)


def _by_trade(position: Position | None) -> Mapping[str, Lot]:
    return {lot.trade_id: lot for lot in position.lots} if position else {}


def _lot_again(fill: Fill, known: Lot | None, state: AccountState, place: Place) -> Lot:
    """Return the lot of a fill, with its place of before if it is still open."""
    lot = lot_of(fill, place)
    return _replace(lot, seq=known.seq if known is not None else state.last_fill_seq)


def _in_order(fills: Iterable[Fill]) -> list[Fill]:
    """Sort fills by the broker's time; of one moment by the broker's numbers, or as they came where it has none.

    Shape: an order that turns a position round is two trades of one moment, of which the one with a P&L closes.
    """
    booked = list(fills)
    first_of: dict[tuple[datetime, str], int] = {}
    for index, fill in enumerate(booked):
        first_of.setdefault((fill.at, fill.order_id or fill.trade_id), index)
    in_order = sorted(
        booked,
        key=lambda f: (f.at, number_of(f) or first_of[f.at, f.order_id or f.trade_id], f.pnl is None),
    )
    for index, (one, other) in enumerate(pairwise(tuple(in_order))):
        halves = one.at == other.at and one.order_id is not None and one.order_id == other.order_id
        if halves and one.pnl is None and other.pnl is not None:
            in_order[index : index + 2] = [other, one]
    return in_order


def number_of(fill: Fill) -> int:
    """Return the broker's number of a trade, 0 where its id is none."""
    return int(fill.trade_id) if fill.trade_id.isascii() and fill.trade_id.isdigit() else 0


def _with_position(
    positions: Mapping[str, Position], contract: str, position: Position | None
) -> Mapping[str, Position]:
    others = {key: other for key, other in positions.items() if key != contract}
    if position is None:
        return others
    return {**positions, contract: position}


def _position(old: Position | None, contract: str, folded: _Folded, *, seq: int) -> Position | None:
    lots, realized = folded.lots, folded.since_flat
    quantity = sum(lot.quantity for lot in lots)
    if quantity == 0:
        return None
    if old is None or (old.quantity > 0) != (quantity > 0):
        return Position(
            contract=contract,
            quantity=quantity,
            lots=lots,
            opening_seq=seq,
            opened_at=lots[0].opened_at,
            realized=realized,
        )
    return _replace(old, quantity=quantity, lots=lots, realized=realized)


# --- stand-ins -------------------------------------------------------------------------------------------------


def stand_in_id(contract: str) -> str:
    """Return the trade id under which a contract's stand-in is booked."""
    return f"adopted-{contract}"


def adopt(
    state: AccountState, contract: str, quantity: int, price: Decimal, place: Place, *, at: datetime
) -> AccountState:
    """Bring a position to what the broker's snapshots show, with a stand-in for what the fills do not explain.

    Shape: free of cost, at ``price``; none where the fills alone explain the position. ``at`` is since when the
    difference is known.
    """
    known = state.fills.get(stand_in_id(contract))
    explained = state.quantity(contract) - (known.signed if known else 0)
    return with_stand_in(state, contract, quantity - explained, place, price=price, at=at)


def with_stand_in(
    state: AccountState, contract: str, missing: int, place: Place, *, price: Decimal, at: datetime
) -> AccountState:
    """Return the account with a stand-in of so many signed contracts, or none."""
    name = stand_in_id(contract)
    fills = {key: fill for key, fill in state.fills.items() if key != name}
    if missing:
        fills[name] = Fill(
            account=state.account,
            trade_id=name,
            contract=contract,
            side=Side.BUY if missing > 0 else Side.SELL,
            quantity=abs(missing),
            price=price,
            at=at,
            commission=ZERO,
        )
    return refolded(state, contract, fills, place)


def stands_for(stand_in: Fill, fill: Fill) -> bool:
    """Tell whether a trade that has come to be known is one of those that a stand-in stands for."""
    return fill.at <= stand_in.at

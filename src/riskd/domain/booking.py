"""Folding fills into an account: lots, realized P&L, fees and the day's cash flows.

Every fill is booked once by its trade id. What a fill realizes is the broker's figure where it gives one; riskd's own
lots are reckoned beside it, by the configured matching method, so that the two can be held against each other.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from riskd.domain.account import AccountState, Execution, MatchingMethod, Position
from riskd.domain.calendar import day_end, day_start, trading_day
from riskd.domain.drawdowns import with_close
from riskd.domain.events import Fill
from riskd.domain.executions import executed, opening_charge
from riskd.domain.instruments import Instrument, root_of_contract
from riskd.domain.lots import Matched, match
from riskd.domain.refolding import (
    Place,
    cost,
    lot_of,
    number_of,
    refolded,
    stand_in_id,
    stands_for,
    with_stand_in,
)

ZERO: Final = Decimal(0)
KEPT: Final = timedelta(hours=24)
"""How long what a fill did is remembered, for rules that count within a window."""
AHEAD: Final = timedelta(seconds=2)
"""How far a broker's stamp may be ahead of riskd's clock, which follows stamps that are cut to whole seconds."""
_replace: Final = msgspec.structs.replace
_V = TypeVar("_V")


def with_item(mapping: Mapping[str, _V], key: str, value: _V | None) -> Mapping[str, _V]:
    """Return a copy of a mapping with one item set, or removed where the value is None."""
    copy = dict(mapping)
    if value is None:
        copy.pop(key, None)
    else:
        copy[key] = value
    return copy


def book_fill(
    state: AccountState, fill: Fill, instrument: Instrument, *, seq: int, at: datetime, method: MatchingMethod = "fifo"
) -> AccountState:
    """Book one fill; a trade id that is known already changes nothing but what it adds or takes back.

    Shape: ``at`` is riskd's time, which bounds the broker's stamp wherever time is counted from it. The order of fills
    and of lots is that of the stamps themselves.
    """
    place = Place(instrument, method, seq, at)
    known = state.fills.get(fill.trade_id)
    if known is not None:
        return _void(state, known, place) if fill.voided else _amend(state, known, fill, place)
    if fill.trade_id in state.earlier or fill.quantity <= 0:
        return state
    if fill.voided:
        # Taken back before it was ever seen: a late report of it must not be booked.
        return _replace(state, earlier=state.earlier | {fill.trade_id})
    fill = _replace(fill, at=stamp(fill, at))
    state = _learn_commission(state, fill)
    if fill.at < day_start(state.trading_day):
        return _book_late(state, fill, place)
    stand_in = state.fills.get(stand_in_id(fill.contract))
    if stand_in is not None and stands_for(stand_in, fill):
        state = _book_between(state, fill, place)
        left = stand_in.signed - fill.signed
        return with_stand_in(state, fill.contract, left, place, price=stand_in.price, at=stand_in.at)
    return _book_between(state, fill, place) if _comes_late(state, fill) else _book_next(state, fill, place)


def stamp(fill: Fill, at: datetime) -> datetime:
    """Return the broker's time of a fill, as far as it can be true."""
    return min(fill.at, at + AHEAD)


def _remembered_from(state: AccountState) -> datetime:
    """Return since when trade ids are remembered: the start of the TradingDay before this one."""
    return day_start(trading_day(day_start(state.trading_day) - timedelta(seconds=1)))


def _book_next(state: AccountState, fill: Fill, place: Place) -> AccountState:
    """Book a fill that is newer than all others of its contract."""
    old = state.positions.get(fill.contract)
    matched = match(old.lots if old else (), lot_of(fill, place), place.method)
    own = matched.points * place.instrument.point_value
    pnl = own if fill.pnl is None else fill.pnl
    charge = cost(fill, state.commission_rates)
    execution = _execution(fill, old, matched, place, pnl=pnl, charge=charge)
    position = _position(old, fill.contract, matched, execution, opening=opening_charge(execution, charge))
    return _replace(
        _noted(state, fill, place),
        executions=(*state.executions, execution),
        positions=with_item(state.positions, fill.contract, position),
        fills={**state.fills, fill.trade_id: fill},
        realized=state.realized + pnl,
        realized_own=state.realized_own + own,
        fees=state.fees + charge,
        flow=_flow(state.flow, fill.contract, fill.signed * fill.price),
    )


def _noted(state: AccountState, fill: Fill, place: Place) -> AccountState:
    latest = fill.at if state.last_fill_at is None else max(state.last_fill_at, fill.at)
    return _replace(state, last_fill_seq=place.seq, last_fill_at=latest)


def _comes_late(state: AccountState, fill: Fill) -> bool:
    """Tell whether a newer fill of the same contract is booked already, or the other half of a turn."""
    if state.last_fill_at is None or fill.at > state.last_fill_at:
        return False
    return any(f.contract == fill.contract and _comes_before(fill, f) for f in state.fills.values())


def _comes_before(fill: Fill, other: Fill) -> bool:
    """Tell whether a fill belongs before another, or may: the halves of a turn come in either order."""
    if fill.at != other.at:
        return fill.at < other.at
    return number_of(fill) < number_of(other) or _of_one_turn(fill, other)


def _of_one_turn(one: Fill, other: Fill) -> bool:
    """Tell whether two fills are the halves in which the broker reports an order that turns a position round."""
    return one.at == other.at and one.order_id is not None and one.order_id == other.order_id


def _book_between(state: AccountState, fill: Fill, place: Place) -> AccountState:
    """Book a fill at its place among newer ones."""
    return _noted(refolded(state, fill.contract, {**state.fills, fill.trade_id: fill}, place), fill, place)


def _flow(flow: Mapping[str, Decimal], contract: str, paid: Decimal) -> Mapping[str, Decimal]:
    return {**flow, contract: flow.get(contract, ZERO) - paid}


def _execution(
    fill: Fill, old: Position | None, matched: Matched, place: Place, *, pnl: Decimal, charge: Decimal
) -> Execution:
    lots, since_flat = (old.lots, old.realized) if old else ((), ZERO)
    return _replace(
        executed(fill, lots, matched, since_flat, pnl=pnl, charge=charge),
        at=min(fill.at, place.at),
        seq=place.seq,
        position_seq=old.opening_seq if old else place.seq,
    )


def _position(
    old: Position | None, contract: str, matched: Matched, execution: Execution, *, opening: Decimal
) -> Position | None:
    quantity = sum(lot.quantity for lot in matched.lots)
    if quantity == 0:
        return None
    if old is None or (old.quantity > 0) != (quantity > 0):
        return Position(
            contract=contract,
            quantity=quantity,
            lots=matched.lots,
            opening_seq=execution.seq,
            opened_at=execution.at,
            realized=-opening,
        )
    return _replace(old, quantity=quantity, lots=matched.lots, realized=execution.realized)


def _book_late(state: AccountState, fill: Fill, place: Place) -> AccountState:
    """Book a fill of the day before: it changes what was carried in, at its 17:00 mark, and no P&L of today.

    Shape: an older one is not booked. Its id is forgotten, so that it cannot be told from one that was; what it did to
    the position is found by snapshots.
    """
    if fill.at < _remembered_from(state):
        return state
    old, held = state.positions.get(fill.contract), state.carried.get(fill.contract)
    lot = lot_of(fill, place)
    matched = match(held.lots if held else (), lot, place.method)
    now = match(old.lots if old else (), lot, place.method)
    execution = _execution(fill, old, now, place, pnl=ZERO, charge=ZERO)
    carried = Position(
        contract=fill.contract,
        quantity=sum(open_lot.quantity for open_lot in matched.lots),
        lots=matched.lots,
        opening_seq=held.opening_seq if held else place.seq,
        opened_at=held.opened_at if held else fill.at,
    )
    state = _noted(refolded(state, fill.contract, state.fills, place, carried=carried), fill, place)
    paid = fill.signed * state.carried_marks.get(fill.contract, fill.price)
    return _replace(
        state,
        earlier=state.earlier | {fill.trade_id},
        executions=(*state.executions, execution),
        carried=with_item(state.carried, fill.contract, carried if carried.quantity else None),
        flow=_flow(state.flow, fill.contract, paid),
    )


def _learn_commission(state: AccountState, fill: Fill) -> AccountState:
    if fill.commission is None:
        return state
    root, rate = root_of_contract(fill.contract), fill.commission / fill.quantity
    if state.commission_rates.get(root) == rate:
        return state
    rates = {**state.commission_rates, root: rate}
    missing = [f for f in state.fills.values() if f.commission is None and root_of_contract(f.contract) == root]
    correction = sum((cost(f, rates) - cost(f, state.commission_rates) for f in missing), ZERO)
    return _replace(state, commission_rates=rates, fees=state.fees + correction)


def _amend(state: AccountState, known: Fill, again: Fill, place: Place) -> AccountState:
    """Take over a commission or a P&L figure that the first report of this trade did not carry."""
    amended = known
    if known.commission is None and again.commission is not None:
        state = _learn_commission(state, again)
        amended = _replace(amended, commission=again.commission, fees=again.fees)
    if known.pnl is None and again.pnl is not None:
        amended = _replace(amended, pnl=again.pnl)
    if amended is known:
        return state
    return refolded(state, known.contract, {**state.fills, known.trade_id: amended}, place)


def _void(state: AccountState, voided: Fill, place: Place) -> AccountState:
    """Take a trade back."""
    fills = {key: fill for key, fill in state.fills.items() if key != voided.trade_id}
    return _replace(
        refolded(state, voided.contract, fills, place),
        earlier=state.earlier | {voided.trade_id},
        last_fill_seq=place.seq,
        voided_at=place.at,
    )


def roll_day(state: AccountState, marks: Mapping[str, Decimal | None], at: datetime) -> AccountState:
    """Begin a new TradingDay: nothing realized, no fees; what is held is carried in at its mark.

    Source: rules.md section 0, "P&L" and "TradingDay".
    """
    day = trading_day(at)
    if day <= state.trading_day:
        return state
    closed = state.base + state.realized - state.fees if state.base is not None else None
    carried_marks = {contract: mark for contract in state.positions if (mark := marks.get(contract)) is not None}
    flow: dict[str, Decimal] = {}
    for contract, position in state.positions.items():
        cost_basis = sum((lot.price * lot.quantity for lot in position.lots), ZERO)
        flow[contract] = -(carried_marks[contract] * position.quantity) if contract in carried_marks else -cost_basis
    return _replace(
        state,
        trading_day=day,
        day_ends_at=day_end(day),
        fills={},
        earlier=frozenset(state.fills),
        realized=ZERO,
        realized_own=ZERO,
        realized_doubt=ZERO,
        realized_gap=ZERO,
        fees=ZERO,
        flow=flow,
        carried=state.positions,
        carried_marks=carried_marks,
        reentries=0,
        warned=frozenset(),
        executions=tuple(e for e in state.executions if e.at > at - KEPT),
        base=closed,
        base_drift=None,
        highest_close=_higher(state.highest_close, closed),
        # With something held the closed balance is no equity: it leaves the open loss out.
        highest_equity=state.highest_equity if state.positions else _higher(state.highest_equity, closed),
        restarts=with_close(state.restarts, closed, flat=not state.positions),
    )


def _higher(old: Decimal | None, new: Decimal | None) -> Decimal | None:
    if old is None or new is None:
        return old if new is None else new
    return max(old, new)


def new_account(account: str, at: datetime, *, name: str = "") -> AccountState:
    """Return an account of which nothing is known yet."""
    day = trading_day(at)
    return AccountState(account=account, name=name, trading_day=day, day_ends_at=day_end(day))

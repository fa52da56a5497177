"""Folding fills into an account: lots, realized P&L, fees and the day's cash flows.

Every fill is booked once by its trade id. What a fill realizes is the broker's figure where it gives one; riskd's own
lots are reckoned beside it, by the configured matching method, so that the two can be held against each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from riskd.domain.account import AccountState, Execution, Lot, MatchingMethod, Position
from riskd.domain.calendar import day_end, trading_day
from riskd.domain.events import Fill
from riskd.domain.instruments import Instrument, root_of_contract
from riskd.domain.orders import Side

ZERO: Final = Decimal(0)
KEPT: Final = timedelta(hours=24)
"""How long what a fill did is remembered, for rules that count within a window."""
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


class Matched(msgspec.Struct, frozen=True):
    """What one fill did to the lots of a position; ``points`` is the realized price difference x contracts."""

    lots: tuple[Lot, ...]
    points: Decimal
    closed: int


def match(lots: Sequence[Lot], lot: Lot, method: MatchingMethod) -> Matched:
    """Match a new lot against the open ones, oldest lot first in and out of this function.

    Shape: what is left of a lot that goes through zero opens the other way.
    Source: rules.md section 2, the table of matching methods.
    """
    if not lots or (lots[0].quantity > 0) == (lot.quantity > 0):
        return Matched((*lots, lot), ZERO, 0)
    open_lots = _averaged(lots) if method == "average" else list(lots)
    remaining, points, closed = lot.quantity, ZERO, 0
    while remaining and open_lots:
        index = -1 if method == "lifo" else 0
        against = open_lots[index]
        size = min(abs(remaining), abs(against.quantity))
        sign = 1 if against.quantity > 0 else -1
        points += (lot.price - against.price) * size * sign
        closed += size
        remaining += size * sign
        left = against.quantity - size * sign
        if left:
            open_lots[index] = _replace(against, quantity=left)
        else:
            del open_lots[index]
    if remaining:
        open_lots.append(_replace(lot, quantity=remaining))
    return Matched(tuple(open_lots), points, closed)


def _averaged(lots: Sequence[Lot]) -> list[Lot]:
    average = sum((lot.price * lot.quantity for lot in lots), ZERO) / sum(lot.quantity for lot in lots)
    return [_replace(lot, price=average) for lot in lots]


def cost(fill: Fill, rates: Mapping[str, Decimal]) -> Decimal:
    """Return what a fill cost in fees and commission (USD), from the learned rate where it does not say."""
    if fill.commission is not None:
        return fill.fees + fill.commission
    return fill.fees + rates.get(root_of_contract(fill.contract), ZERO) * fill.quantity


def book_fill(
    state: AccountState, fill: Fill, instrument: Instrument, *, seq: int, at: datetime, method: MatchingMethod = "fifo"
) -> AccountState:
    """Book one fill; a trade id that is known already changes nothing but what it adds or takes back.

    Shape: ``at`` is riskd's time, which bounds the broker's stamp.
    """
    known = state.fills.get(fill.trade_id)
    if known is not None:
        return _void(state, known, instrument, method, seq) if fill.voided else _amend(state, known, fill)
    if fill.voided or fill.trade_id in state.earlier or fill.quantity <= 0:
        return state
    when = min(fill.at, at)
    lot = Lot(quantity=fill.signed, price=fill.price, opened_at=when, seq=seq, trade_id=fill.trade_id)
    lot = _replace(lot, order_id=fill.order_id)
    old = state.positions.get(fill.contract)
    matched = match(old.lots if old else (), lot, method)
    own = matched.points * instrument.point_value
    pnl = (fill.pnl if fill.pnl is not None else own) if matched.closed or fill.pnl is not None else ZERO
    state = _learn_commission(state, fill)
    charge = cost(fill, state.commission_rates)
    execution = _execution(fill, old, matched, seq=seq, at=when, pnl=pnl, charge=charge)
    position = _position(old, fill.contract, matched, execution, opening_charge=_opening(charge, execution))
    state = _replace(
        state,
        positions=with_item(state.positions, fill.contract, position),
        executions=(*state.executions, execution),
        last_fill_seq=seq,
        last_fill_at=when,
    )
    if trading_day(when) < state.trading_day:
        return _book_late(state, fill)
    return _replace(
        state,
        fills={**state.fills, fill.trade_id: fill},
        realized=state.realized + pnl,
        realized_own=state.realized_own + own,
        fees=state.fees + charge,
        flow=_flow(state.flow, fill.contract, fill.signed * fill.price),
    )


def _flow(flow: Mapping[str, Decimal], contract: str, paid: Decimal) -> Mapping[str, Decimal]:
    return {**flow, contract: flow.get(contract, ZERO) - paid}


def _execution(
    fill: Fill, old: Position | None, matched: Matched, *, seq: int, at: datetime, pnl: Decimal, charge: Decimal
) -> Execution:
    opened = fill.quantity - matched.closed
    ended = old is not None and (not matched.lots or (matched.closed > 0 and opened > 0))
    carried = old.realized if old else ZERO
    # A fill that flips pays its fees for both positions: each bears its share by contracts.
    share = charge * matched.closed / fill.quantity if ended and opened else charge
    return Execution(
        trade_id=fill.trade_id,
        contract=fill.contract,
        side=fill.side,
        at=at,
        seq=seq,
        opened=opened,
        closed=matched.closed,
        position_seq=old.opening_seq if old else seq,
        realized=carried + pnl - share,
        order_id=fill.order_id,
        flat=ended,
    )


def _opening(charge: Decimal, execution: Execution) -> Decimal:
    """Return the fees that a position newly opened by this fill starts with."""
    return charge * execution.opened / (execution.opened + execution.closed)


def _position(
    old: Position | None, contract: str, matched: Matched, execution: Execution, *, opening_charge: Decimal
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
            realized=-opening_charge,
        )
    return _replace(old, quantity=quantity, lots=matched.lots, realized=execution.realized)


def _book_late(state: AccountState, fill: Fill) -> AccountState:
    """Book a fill of the day before: it changes what was carried in, at its 17:00 mark, and no P&L of today."""
    paid = fill.signed * state.carried_marks.get(fill.contract, fill.price)
    return _replace(state, earlier=state.earlier | {fill.trade_id}, flow=_flow(state.flow, fill.contract, paid))


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


def _amend(state: AccountState, known: Fill, again: Fill) -> AccountState:
    """Take over a commission or a P&L figure that the first report of this trade did not carry."""
    amended = known
    if known.commission is None and again.commission is not None:
        state = _learn_commission(state, again)
        state = _replace(state, fees=state.fees + again.commission + again.fees - cost(known, state.commission_rates))
        amended = _replace(amended, commission=again.commission, fees=again.fees)
    if known.pnl is None and again.pnl is not None:
        amended = _replace(amended, pnl=again.pnl)
    return state if amended is known else _replace(state, fills={**state.fills, known.trade_id: amended})


def _void(state: AccountState, voided: Fill, instrument: Instrument, method: MatchingMethod, seq: int) -> AccountState:
    """Take a trade back: fold the contract's other fills of today again, from what was carried in."""
    fills = {key: fill for key, fill in state.fills.items() if key != voided.trade_id}
    before = _refold(state, state.fills.values(), voided.contract, instrument, method)
    after = _refold(state, fills.values(), voided.contract, instrument, method)
    gone = voided.pnl if voided.pnl is not None else before.own - after.own
    net = gone - cost(voided, state.commission_rates)
    position = _after_void(state, voided, after.lots, net=net, seq=seq)
    return _replace(
        state,
        fills=fills,
        earlier=state.earlier | {voided.trade_id},
        executions=tuple(e for e in state.executions if e.trade_id != voided.trade_id),
        positions=with_item(state.positions, voided.contract, position),
        realized=state.realized - gone,
        realized_own=state.realized_own - (before.own - after.own),
        fees=state.fees - cost(voided, state.commission_rates),
        flow=_flow(state.flow, voided.contract, -voided.signed * voided.price),
        last_fill_seq=seq,
    )


def _after_void(state: AccountState, voided: Fill, lots: tuple[Lot, ...], *, net: Decimal, seq: int) -> Position | None:
    quantity = sum(lot.quantity for lot in lots)
    old = state.positions.get(voided.contract)
    if quantity == 0:
        return None
    if old is None or (old.quantity > 0) != (quantity > 0):
        return Position(
            contract=voided.contract, quantity=quantity, lots=lots, opening_seq=seq, opened_at=lots[0].opened_at
        )
    return _replace(old, quantity=quantity, lots=lots, realized=old.realized - net)


class _Refolded(msgspec.Struct, frozen=True):
    lots: tuple[Lot, ...]
    own: Decimal


def _refold(
    state: AccountState, fills: Iterable[Fill], contract: str, instrument: Instrument, method: MatchingMethod
) -> _Refolded:
    position = state.positions.get(contract)
    seqs = {lot.trade_id: lot.seq for lot in position.lots} if position else {}
    carried = state.carried.get(contract)
    lots: tuple[Lot, ...] = carried.lots if carried else ()
    points = ZERO
    for fill in fills:
        if fill.contract == contract:
            seq = seqs.get(fill.trade_id, state.last_fill_seq)
            lot = Lot(quantity=fill.signed, price=fill.price, opened_at=fill.at, seq=seq, trade_id=fill.trade_id)
            matched = match(lots, _replace(lot, order_id=fill.order_id), method)
            lots, points = matched.lots, points + matched.points
    return _Refolded(lots, points * instrument.point_value)


def adopt(
    state: AccountState, contract: str, quantity: int, price: Decimal, instrument: Instrument, *, seq: int, at: datetime
) -> AccountState:
    """Bring a position to what the broker's snapshots show, where no fill explains the difference.

    Shape: booked as one fill of riskd's own making, without cost, at ``price``.
    """
    missing = quantity - state.quantity(contract)
    if missing == 0:
        return state
    old = state.positions.get(contract)
    stand_in = Fill(
        account=state.account,
        trade_id=f"adopted-{seq}-{contract}",
        contract=contract,
        side=Side.BUY if missing > 0 else Side.SELL,
        quantity=abs(missing),
        price=price,
        at=at,
    )
    lot = Lot(quantity=missing, price=price, opened_at=at, seq=seq, trade_id=stand_in.trade_id)
    matched = match(old.lots if old else (), lot, "fifo")
    own = matched.points * instrument.point_value
    execution = _execution(stand_in, old, matched, seq=seq, at=at, pnl=own, charge=ZERO)
    position = _position(old, contract, matched, execution, opening_charge=ZERO)
    return _replace(
        state,
        positions=with_item(state.positions, contract, position),
        realized=state.realized + own,
        realized_own=state.realized_own + own,
        flow=_flow(state.flow, contract, missing * price),
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
        highest_equity=_higher(state.highest_equity, closed),
    )


def _higher(old: Decimal | None, new: Decimal | None) -> Decimal | None:
    if old is None or new is None:
        return old if new is None else new
    return max(old, new)


def new_account(account: str, at: datetime, *, name: str = "") -> AccountState:
    """Return an account of which nothing is known yet."""
    day = trading_day(at)
    return AccountState(account=account, name=name, trading_day=day, day_ends_at=day_end(day))

"""How each fact changes an account: pure functions from state and event to state."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account import AccountState, NoNewRisk, PnlSettings, Reported
from riskd.domain.booking import book_fill, with_item
from riskd.domain.calendar import day_start
from riskd.domain.events import (
    AccountReported,
    Fill,
    OrderReported,
    PositionReported,
    SnapshotReported,
)
from riskd.domain.instruments import Instrument
from riskd.domain.market import Market
from riskd.domain.money import exact
from riskd.domain.orders import ENDED, WorkingOrder
from riskd.domain.refolding import Place, adopt

LOOKS_APART: Final = timedelta(milliseconds=500)
POSITIONS_TRAIL: Final = timedelta(seconds=5)
"""How long the broker's positions may trail its fills, by REST as by hub; observers call them eventually consistent."""
ENDED_KEPT: Final = 200
"""How many of the orders that ended last are remembered, so that a report that comes late does not bring one back."""
DOUBTFUL: Final = "doubtful journal"
"""The cause of taking no new risk after a start from files whose end cannot be trusted, until reconciled."""
LOST: Final = "lost state"
"""The cause of taking no new risk where what riskd last wrote of an account is not there any more."""
_replace: Final = msgspec.structs.replace


class Context(msgspec.Struct, frozen=True):
    """What a fold may look at beside the account: the envelope's place and time, instruments, prices, settings."""

    seq: int
    at: datetime
    instruments: Mapping[str, Instrument]
    market: Market
    settings: PnlSettings


def fold_fill(state: AccountState, fill: Fill, context: Context) -> AccountState:
    """Book a fill and see whether fills and the broker's position agree now.

    Errors: KeyError for a contract without an instrument; the state manager makes sure of one first.
    """
    instrument = context.instruments[fill.contract]
    said = state.reported.get(fill.contract)
    state = book_fill(state, fill, instrument, seq=context.seq, at=context.at, method=context.settings.matching)
    if said is not None and said.disagrees_since is None:
        # The broker's last word on the position is older than this fill: it does not contradict it.
        said = _replace(said, quantity=state.quantity(fill.contract))
        state = _replace(state, reported=with_item(state.reported, fill.contract, said))
    return _compared(state, fill.contract, context.at)


def fold_order(state: AccountState, event: OrderReported, seq: int) -> AccountState:
    """Keep a working order, forget an ended one; what has ended stays so, whatever report comes late."""
    order = event.order
    if order.status in ENDED:
        orders = with_item(state.orders, order.order_id, None) if order.order_id in state.orders else state.orders
        return _replace(state, orders=orders, ended=_with_ended(state.ended, order.order_id, seq))
    if order.order_id in state.ended:
        return state
    known = state.orders.get(order.order_id)
    return _replace(state, orders=with_item(state.orders, order.order_id, _merged(known, order, seq)))


def _with_ended(ended: Mapping[str, int], order_id: str, seq: int) -> Mapping[str, int]:
    kept = {**ended, order_id: seq}
    if len(kept) > ENDED_KEPT:
        del kept[next(iter(kept))]
    return kept


def _merged(known: WorkingOrder | None, order: WorkingOrder, seq: int) -> WorkingOrder:
    if known is None:
        return _replace(order, seq=seq, reported_seq=seq)
    # The hub leaves out what is null, so a link or parent once seen is kept.
    return _replace(
        order, seq=known.seq, reported_seq=seq, parent=order.parent or known.parent, linked=order.linked or known.linked
    )


def fold_position(state: AccountState, event: PositionReported, at: datetime) -> AccountState:
    """Take the broker's word on a position and compare it with the fills."""
    old = state.reported.get(event.contract)
    reported = Reported(
        quantity=event.quantity,
        average_price=event.average_price,
        disagrees_since=old.disagrees_since if old and old.quantity == event.quantity else None,
    )
    state = _replace(state, reported=with_item(state.reported, event.contract, reported))
    return _compared(state, event.contract, at)


def _compared(state: AccountState, contract: str, at: datetime) -> AccountState:
    reported = state.reported.get(contract)
    if reported is None:
        return state
    agrees = reported.quantity == state.quantity(contract)
    if agrees and reported.quantity == 0:
        return _replace(state, reported=with_item(state.reported, contract, None))
    since = None if agrees else (reported.disagrees_since or at)
    if since == reported.disagrees_since and not (agrees and reported.drift is not None):
        return state
    drift = None if agrees else reported.drift
    changed = _replace(reported, disagrees_since=since, drift=drift)
    return _replace(state, reported=with_item(state.reported, contract, changed))


def fold_account(state: AccountState, event: AccountReported) -> AccountState:
    """Take over balance, name and permission to trade."""
    return _replace(state, name=event.name, balance=event.balance, can_trade=event.can_trade)


class Snapshot(msgspec.Struct, frozen=True):
    """What came of a snapshot: the new state, whether it was void, and which contracts had to be adopted."""

    state: AccountState
    void: bool
    adopted: tuple[str, ...] = ()


def fold_snapshot(state: AccountState, event: SnapshotReported, context: Context) -> Snapshot:
    """Reconcile with the broker's whole view: its fills first, then its orders, then what positions still differ.

    Shape: void, but for the fills in it, when a fill was booked since the reading began. A position that the fills do
    not explain is adopted when two snapshots show the same difference, at once while nothing was reconciled yet.
    """
    void = state.last_fill_seq > event.asked_seq
    state = _answered(state, event)
    for fill in sorted(event.fills, key=lambda f: (f.at, len(f.trade_id), f.trade_id)):
        state = fold_fill(state, fill, context)
    if void:
        return Snapshot(state, void=True)
    state = _replace(
        state,
        orders=_working(state, event, context.seq),
        balance=event.balance if event.balance is not None else state.balance,
        can_trade=event.can_trade if event.can_trade is not None else state.can_trade,
        name=event.name or state.name,
    )
    state, adopted = _positions(state, event.positions, context)
    recheck = 0 if event.asked_seq >= state.recheck_seq else state.recheck_seq
    state = _cross_checked(_with_base(state, event.balance))
    state = _replace(
        state,
        reconciled=True,
        recheck_seq=recheck,
        snapshot_seq=event.asked_seq,
        no_new_risk=_known_better(state),
    )
    return Snapshot(state, void=False, adopted=adopted)


def _known_better(state: AccountState) -> tuple[NoNewRisk, ...]:
    """Return the causes of taking no new risk now that the broker has shown what is held.

    Shape: doubt about the journal is over. An account of which nothing was known may keep what it held at first sight.
    """
    causes = tuple(cause for cause in state.no_new_risk if cause.cause != DOUBTFUL)
    if state.snapshot_seq or state.reconciled:
        return causes
    held = {contract: position.quantity for contract, position in state.positions.items()}
    return tuple(_replace(cause, allowance=held) if cause.cause == LOST else cause for cause in causes)


def _answered(state: AccountState, event: SnapshotReported) -> AccountState:
    """Take note of a snapshot that was asked for; one of which the reading began later will do as well."""
    asked = state.asked
    if asked is None:
        return state
    if event.request_id == asked.request_id:
        return _replace(state, asked=None, fills_until=asked.at)
    return _replace(state, asked=None) if event.asked_seq >= asked.seq else state


def _cross_checked(state: AccountState) -> AccountState:
    """Hold the broker's realized P&L against riskd's own lots, which must agree when nothing is held."""
    if state.positions:
        return state
    gap = max(exact(state.realized - state.realized_own), Decimal(0))
    doubt = gap if gap == state.realized_gap else Decimal(0)
    return _replace(state, realized_gap=gap, realized_doubt=doubt)


def _with_base(state: AccountState, balance: Decimal | None) -> AccountState:
    """Reckon the balance without today's trading; a new one (payout, reset, correction) must be shown twice."""
    if balance is None:
        return state
    base = balance - state.realized + state.fees
    if state.base is None or base == state.base_drift:
        return _replace(state, base=base, base_drift=None)
    return _replace(state, base_drift=None if base == state.base else base)


def _working(state: AccountState, event: SnapshotReported, seq: int) -> Mapping[str, WorkingOrder]:
    """Return the orders that the snapshot shows, corrected by what was reported while it was being read."""
    shown = {
        order.order_id: _merged(state.orders.get(order.order_id), order, seq)
        for order in event.orders
        if order.status not in ENDED and state.ended.get(order.order_id, 0) <= event.asked_seq
    }
    newer = {key: order for key, order in state.orders.items() if order.reported_seq > event.asked_seq}
    return {**shown, **newer}


def _positions(
    state: AccountState, positions: Iterable[PositionReported], context: Context
) -> tuple[AccountState, tuple[str, ...]]:
    shown = {p.contract: p for p in positions}
    adopted: list[str] = []
    for contract in sorted({*shown, *state.positions, *state.reported}):
        flat = PositionReported(account=state.account, contract=contract, quantity=0, average_price=Decimal(0))
        state, took = _settle(state, shown.get(contract, flat), context)
        if took:
            adopted.append(contract)
    return state, tuple(adopted)


def _settle(state: AccountState, shown: PositionReported, context: Context) -> tuple[AccountState, bool]:
    old, contract = state.reported.get(shown.contract), shown.contract
    reported = Reported(quantity=shown.quantity, average_price=shown.average_price)
    kept = reported if shown.quantity else None
    drift = shown.quantity - state.quantity(contract)
    if drift == 0:
        return _replace(state, reported=with_item(state.reported, contract, kept)), False
    confirmed = old is not None and old.drift == drift and context.at >= adoptable_at(state, contract, old)
    drift_at = (old.drift_at if old is not None and old.drift == drift else None) or context.at
    if confirmed or not state.reconciled:
        place = Place(context.instruments[contract], context.settings.matching, context.seq, context.at)
        if state.snapshot_seq == 0 and not state.reconciled:
            price, drift_at = _carried_price(state, shown, context), day_start(state.trading_day)
        else:
            price = _adoption_price(state, shown, context)
        state = adopt(state, contract, shown.quantity, price, place, at=drift_at)
        return _replace(state, reported=with_item(state.reported, contract, kept)), True
    since = old.disagrees_since if old and old.disagrees_since else context.at
    reported = _replace(reported, disagrees_since=since, drift=drift, drift_at=drift_at)
    return _replace(state, reported=with_item(state.reported, contract, reported)), False


def adoptable_at(state: AccountState, contract: str, reported: Reported) -> datetime:
    """Return from when on a second look at the same disagreement is believed: half a second after the first one.

    Shape: not before the broker's positions have had time to catch up with its fills.
    """
    looked = (reported.drift_at or datetime.min.replace(tzinfo=UTC)) + LOOKS_APART
    filled_at = next((e.at for e in reversed(state.executions) if e.contract == contract), None)
    moves = [at + POSITIONS_TRAIL for at in (filled_at, state.voided_at) if at is not None]
    return max([looked, *moves])


def _carried_price(state: AccountState, shown: PositionReported, context: Context) -> Decimal:
    """Return the likeliest entry of what was carried in before riskd knew the account.

    Shape: the broker's average while the position is held; else what the P&L of the fill that closed it says.
    """
    if shown.quantity:
        return shown.average_price
    worth = context.instruments[shown.contract].point_value
    fills = [f for f in state.fills.values() if f.contract == shown.contract]
    closing = next((f for f in fills if f.pnl is not None), None)
    if closing is None or closing.pnl is None or not worth:
        return fills[0].price if fills else shown.average_price
    return closing.price + closing.side.sign * closing.pnl / (closing.quantity * worth)


def _adoption_price(state: AccountState, shown: PositionReported, context: Context) -> Decimal:
    """Return the likeliest price of fills that nobody reported: the broker's average to open, the mark to close."""
    held = state.positions.get(shown.contract)
    if held is None or abs(shown.quantity) > abs(held.quantity):
        return shown.average_price
    quote = context.market.get(shown.contract)
    return quote.mark if quote and quote.mark is not None else held.lots[-1].price

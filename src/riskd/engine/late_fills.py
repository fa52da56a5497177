"""Closes that may still be heard of: what riskd's own order opens the other way is closed again.

Neither an answer nor a fill names the order that the broker made of a close, so which order is riskd's is a guess.
Where the trader sells by market at the same moment his order may be counted as riskd's, and riskd's then fills as if
it were his and leaves the account flipped. So each close is watched beyond its end, and contracts are counted: it sent
so many, and so many more on its side, by orders that look like it, are its own. A trader who turns round later, or by
an order that is tagged, of another kind or larger, is left alone.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Close, Watch
from riskd.domain.booking import with_item
from riskd.domain.events import Fill
from riskd.domain.orders import OrderType, WorkingOrder

WATCHED: Final = timedelta(seconds=60)
"""How long what fills late is still taken for riskd's."""
SEEN_WITHIN: Final = timedelta(seconds=5)
"""How long after its acceptance the order of a close that seems to be done may first be heard of."""
_replace: Final = msgspec.structs.replace


def watching(state: AccountState, at: datetime) -> AccountState:
    """Return the account with each outstanding close watched, and no close watched beyond its time."""
    kept = {key: w for key, w in state.watches.items() if w.until is None or w.until > at}
    new = {c.command_id: _watch(c) for c in state.closes.values() if c.command_id not in kept}
    return _replace(state, watches={**kept, **new}) if new or len(kept) != len(state.watches) else state


def _watch(close: Close) -> Watch:
    return Watch(contract=close.contract, held=close.held, quantity=close.quantity, whole=close.whole, seq=close.seq)


def unwatched(state: AccountState, close: Close) -> AccountState:
    """Forget a close that the broker has refused: nothing can come of it."""
    return _replace(state, watches=with_item(state.watches, close.command_id, None))


def watched_on(state: AccountState, close: Close, at: datetime, *, done: bool) -> AccountState:
    """Watch a close beyond its end; one that seems ``done`` only for an order made at the time of its acceptance."""
    watch = state.watches.get(close.command_id)
    if watch is None:
        return state
    brief = done and close.accepted_at is not None
    first_seen_by = (close.accepted_at or at) + SEEN_WITHIN if brief else at + WATCHED
    watch = _replace(watch, until=at + WATCHED, first_seen_by=first_seen_by)
    return _replace(state, watches=with_item(state.watches, close.command_id, watch))


def with_look_alikes(before: AccountState, state: AccountState, order: WorkingOrder, at: datetime) -> AccountState:
    """Note a market order that may be the one that the broker made of a watched close."""
    if order.type is not OrderType.MARKET or order.tag is not None or order.order_id in before.ended:
        return state
    known = before.orders.get(order.order_id)
    changed = {
        key: _replace(watch, orders=(*watch.orders, order.order_id))
        for key, watch in state.watches.items()
        if _looks_like(order, watch)
        and order.order_id not in watch.orders
        and (known is None or known.seq > watch.seq)
        and _may_appear(watch, at)
    }
    return _replace(state, watches={**state.watches, **changed}) if changed else state


def _looks_like(order: WorkingOrder, watch: Watch) -> bool:
    fits = order.size <= watch.quantity if watch.whole else order.size == watch.quantity
    return order.contract == watch.contract and order.side.sign * watch.held < 0 and fits


def _may_appear(watch: Watch, at: datetime) -> bool:
    return watch.first_seen_by is None or at <= watch.first_seen_by


def claimed(before: AccountState, state: AccountState, fill: Fill, at: datetime) -> AccountState:
    """Count a fill that no outstanding close accounts for towards a watched one, and take back what it opened."""
    unseen = fill.order_id is None or not (fill.order_id in before.orders or fill.order_id in before.ended)
    for key, watch in _on_this_side(state.watches, fill):
        ours = fill.order_id in watch.orders or (unseen and _may_appear(watch, at))
        if ours and watch.claimed + fill.quantity <= watch.quantity:
            counted = _replace(watch, claimed=watch.claimed + fill.quantity)
            state = _replace(state, watches=with_item(state.watches, key, counted))
            return noted_overshoot(state, watch.held, fill)
    return state


def _on_this_side(watches: Mapping[str, Watch], fill: Fill) -> Iterable[tuple[str, Watch]]:
    return [(k, w) for k, w in watches.items() if w.contract == fill.contract and fill.signed * w.held < 0]


def noted_overshoot(state: AccountState, held: int, fill: Fill) -> AccountState:
    """Remember a position that this very fill opened the other way: riskd must take back what it opened."""
    position = state.positions.get(fill.contract)
    if position is None or position.quantity * held > 0 or position.lots[0].trade_id != fill.trade_id:
        return state
    state = marked_own(state, fill)
    return _replace(state, overshot=with_item(state.overshot, fill.contract, position.opening_seq))


def marked_own(state: AccountState, fill: Fill) -> AccountState:
    """Return the account with what this fill did marked as riskd's doing."""
    executions = tuple(_replace(e, own=True) if e.trade_id == fill.trade_id else e for e in state.executions)
    return _replace(state, executions=executions)

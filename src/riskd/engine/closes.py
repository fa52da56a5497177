"""The life of an outstanding close or cancel: from sending to a proven end.

A close is never sent again before its fate is known. Its answer, the order that the broker makes of it, its fills and
the broker's snapshots are the evidence: an order that has ended, with all that it filled booked, proves it done; a
refusal proves it not done; after silence, two snapshots half a second apart that show the same position and nothing on
its way prove that nothing more will come of it. So too where what looked like its order ended without a fill: that may
have been the trader's. That the position has ended proves nothing, nor does a fill without the broker's word: the
trader may have closed by hand, and the request may still come through and hit the next position.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Cancel, Close, CloseStatus, Enforcement, Retry, Trim
from riskd.domain.booking import with_item
from riskd.domain.calendar import market_open, next_open
from riskd.domain.events import (
    AnyEvent,
    CommandEnded,
    Envelope,
    Fill,
    OrderReported,
    Outcome,
    SnapshotReported,
)
from riskd.domain.exchange_days import schedule_of
from riskd.domain.instruments import root_of_contract
from riskd.domain.orders import ENDED, OrderStatus, OrderType, WorkingOrder
from riskd.engine.invariants import InvariantBroken
from riskd.engine.late_fills import (
    claimed,
    marked_own,
    noted_overshoot,
    unwatched,
    watched_on,
    watching,
    with_look_alikes,
)

ANSWER_WITHIN: Final = timedelta(seconds=10)
"""How long a request may go unanswered before its outcome counts as unknown; the adapter's own limit is shorter."""
FILL_WITHIN: Final = timedelta(seconds=2)
"""How long an accepted close may go without its fills before its outcome counts as unknown."""
CHECKS_APART: Final = timedelta(milliseconds=500)
TOLD_AFTER: Final = timedelta(seconds=10)
"""How long a close may go without an end before people are told."""
LOOK_EVERY: Final = timedelta(seconds=2)
"""How often to look at a close whose order is still at work."""
CLOSED_MARKET_RETRY: Final = timedelta(seconds=15)
LONGEST_RETRY_MS: Final = 15_000
FORGOTTEN_AFTER: Final = timedelta(seconds=60)
"""How long after the time for the next attempt refusals count no more: nothing was to be closed since."""
_replace: Final = msgspec.structs.replace

_NOT_FAILURES: Final = frozenset({"market_closed", "position_not_found", "order_not_found", "partial_not_supported"})

# The lifecycle of a close: what an answer makes of it; None ends it. A pair that is not listed is a bug.
TRANSITIONS: Final[dict[tuple[CloseStatus, Outcome], CloseStatus | None]] = {
    (CloseStatus.SENT, Outcome.ACCEPTED): CloseStatus.ACCEPTED,
    (CloseStatus.SENT, Outcome.REJECTED): None,
    (CloseStatus.SENT, Outcome.UNAVAILABLE): None,
    (CloseStatus.SENT, Outcome.UNKNOWN): CloseStatus.UNKNOWN,
    (CloseStatus.UNKNOWN, Outcome.ACCEPTED): CloseStatus.ACCEPTED,
    (CloseStatus.UNKNOWN, Outcome.REJECTED): None,
    (CloseStatus.UNKNOWN, Outcome.UNAVAILABLE): None,
    (CloseStatus.UNKNOWN, Outcome.UNKNOWN): CloseStatus.UNKNOWN,
}


def progressed(before: AccountState, state: AccountState, envelope: Envelope) -> AccountState:
    """Return the account with its outstanding requests brought forward by one booked event."""
    event = envelope.event
    if state.closes or state.watches:
        state = watching(state, envelope.at)
        if isinstance(event, OrderReported):
            state = _bind_order(before, state, event.order)
            state = with_look_alikes(before, state, event.order, envelope.at)
        for fill in _new_fills(before, event):
            state = _attribute(before, state, fill, envelope.at)
    if isinstance(event, CommandEnded):
        state = _answered(state, event, envelope)
    if isinstance(event, SnapshotReported) and state.last_fill_seq <= event.asked_seq:
        state = _checked(state, event, envelope.at)
    if not (state.closes or state.cancels):
        return state
    return _settled(_overdue(state, envelope), envelope)


def _new_fills(before: AccountState, event: AnyEvent) -> Iterable[Fill]:
    match event:
        case Fill():
            fills: tuple[Fill, ...] = (event,)
        case SnapshotReported():
            fills = event.fills
        case _:
            return ()
    return [f for f in fills if not f.voided and f.trade_id not in before.fills and f.trade_id not in before.earlier]


def _with_close(state: AccountState, close: Close) -> AccountState:
    return _replace(state, closes=with_item(state.closes, close.contract, close))


def _without(state: AccountState, close: Close) -> AccountState:
    return _replace(state, closes=with_item(state.closes, close.contract, None))


def _bind_order(before: AccountState, state: AccountState, order: WorkingOrder) -> AccountState:
    """Recognise the market order that the broker made of a close, which its answer does not name."""
    close = state.closes.get(order.contract)
    if close is None or not _is_of(order, close, before):
        return state
    # An order that is reported filled without saying how far has filled whole.
    filled = order.filled or (order.size if order.status is OrderStatus.FILLED else 0)
    done = filled if order.status in ENDED else None
    return _with_close(state, _replace(close, order_id=order.order_id, order_size=order.size, order_done=done))


def _is_of(order: WorkingOrder, close: Close, before: AccountState) -> bool:
    if order.order_id == close.order_id:
        return True
    if _bound(close) or order.order_id in before.ended:
        return False
    known = before.orders.get(order.order_id)
    return _could_be(order, close) and (known is None or known.seq > close.seq)


def _bound(close: Close) -> bool:
    """Tell whether the order of a close is known; one that ended without a fill may as well have been the trader's."""
    return close.order_id is not None and close.order_done != 0


def _could_be(order: WorkingOrder, close: Close) -> bool:
    closing = order.side.sign * close.held < 0
    return order.type is OrderType.MARKET and closing and (close.whole or order.size == close.quantity)


def _attribute(before: AccountState, state: AccountState, fill: Fill, at: datetime) -> AccountState:
    """Count a fill towards the outstanding close unless it belongs to an order of somebody else's."""
    close = state.closes.get(fill.contract)
    if close is None or not _fills(before, close, fill):
        return claimed(before, state, fill, at)
    state = _with_close(state, _replace(close, filled=close.filled + fill.quantity))
    state = _replace(state, trims={**state.trims, close.contract: Trim(seq=close.seq, rule=close.rule)})
    state = noted_overshoot(marked_own(state, fill), close.held, fill)
    return _credit(state, close, min(fill.quantity, max(close.quantity - close.filled, 0)))


def _fills(before: AccountState, close: Close, fill: Fill) -> bool:
    if fill.signed * close.held >= 0:
        return False
    known = fill.order_id is not None and (fill.order_id in before.orders or fill.order_id in before.ended)
    foreign = known and fill.order_id != close.order_id
    bound_elsewhere = _bound(close) and fill.order_id not in (None, close.order_id)
    return not (foreign or bound_elsewhere)


def _credit(state: AccountState, close: Close, quantity: int) -> AccountState:
    return _replace(state, enforcements=tuple(_credited(e, close, quantity) for e in state.enforcements))


def _credited(enforcement: Enforcement, close: Close, quantity: int) -> Enforcement:
    if enforcement.enforcement_id != close.enforcement or enforcement.rule != close.rule:
        return enforcement
    done = enforcement.closed.get(close.contract, 0) + quantity
    return _replace(enforcement, closed={**enforcement.closed, close.contract: done})


def _answered(state: AccountState, event: CommandEnded, envelope: Envelope) -> AccountState:
    close = next((c for c in state.closes.values() if c.command_id == event.command_id), None)
    if close is not None:
        return _close_answered(state, close, event, envelope)
    cancel = next((c for c in state.cancels.values() if c.command_id == event.command_id), None)
    if cancel is not None:
        return _cancel_answered(state, cancel, event, envelope)
    return state


def _close_answered(state: AccountState, close: Close, event: CommandEnded, envelope: Envelope) -> AccountState:
    if (close.status, event.outcome) not in TRANSITIONS:
        raise InvariantBroken(f"close {close.command_id} is {close.status} and cannot be answered {event.outcome}")
    status = TRANSITIONS[close.status, event.outcome]
    if status is CloseStatus.ACCEPTED:
        return _with_close(state, _replace(close, status=status, accepted_at=envelope.at))
    if status is CloseStatus.UNKNOWN:
        return _with_close(state, _in_doubt(close, envelope.seq))
    state = unwatched(_without(state, close), close)
    if event.code == "partial_not_supported":
        return _replace(state, partial_close=False)
    return _refused(state, close.contract, event.code, envelope)


def _in_doubt(close: Close, seq: int) -> Close:
    return _replace(close, status=CloseStatus.UNKNOWN, unknown_seq=seq, checks=0, checked_at=None)


def _cancel_answered(state: AccountState, cancel: Cancel, event: CommandEnded, envelope: Envelope) -> AccountState:
    if event.outcome is Outcome.ACCEPTED:
        accepted = _replace(cancel, status=CloseStatus.ACCEPTED)
        return _replace(state, cancels=with_item(state.cancels, cancel.order_id, accepted))
    state = _replace(state, cancels=with_item(state.cancels, cancel.order_id, None))
    # A cancel may race a fill: what became of the order is read before it is asked again.
    return _refused(state, cancel.order_id, event.code or "order_not_found", envelope, look=True)


def _refused(state: AccountState, key: str, code: str, envelope: Envelope, *, look: bool = False) -> AccountState:
    old = _refused_lately(state, key, envelope.at)
    # A position that the broker has shown since it last said that there is none is not closed: people must hear of it.
    contradicted = old is not None and old.code == code == "position_not_found"
    failures = (old.failures if old else 0) + (0 if code in _NOT_FAILURES and not contradicted else 1)
    refusals = (old.refusals if old else 0) + 1
    if code == "market_closed":
        at, schedule = envelope.at, schedule_of(root_of_contract(key))
        not_before = at + CLOSED_MARKET_RETRY if market_open(at, schedule) else next_open(at, schedule)
    else:
        not_before = envelope.at + retry_delay(refusals + 1 if look else refusals)
    look = look or code == "position_not_found"
    retry = Retry(
        failures=failures,
        not_before=not_before,
        code=code,
        needs_snapshot=envelope.seq if look else 0,
        refusals=refusals,
    )
    return _replace(state, retries=with_item(state.retries, key, retry))


def _refused_lately(state: AccountState, key: str, at: datetime) -> Retry | None:
    """Return the refusals that count towards the next pause: not those of something that was over long ago."""
    old = state.retries.get(key)
    return old if old is not None and at - old.not_before < FORGOTTEN_AFTER else None


def retry_delay(failures: int) -> timedelta:
    """Return how long to wait after so many refusals: at once, then 0.25, 0.5, 1, 2 … s, at most 15 s."""
    if failures <= 1:
        return timedelta(0)
    return timedelta(milliseconds=min(250 << min(failures - 2, 16), LONGEST_RETRY_MS))


def _checked(state: AccountState, event: SnapshotReported, at: datetime) -> AccountState:
    retries = {
        key: _replace(retry, needs_snapshot=0) if 0 < retry.needs_snapshot <= event.asked_seq else retry
        for key, retry in state.retries.items()
    }
    if retries != state.retries:
        state = _replace(state, retries=retries)
    cancels = {
        k: c for k, c in state.cancels.items() if not (c.status is not CloseStatus.SENT and c.seq < event.asked_seq)
    }
    if len(cancels) != len(state.cancels):
        state = _replace(state, cancels=cancels)
    for close in tuple(state.closes.values()):
        if close.unknown_seq is not None and event.asked_seq >= close.unknown_seq:
            state = _weigh(state, close, event, at)
    return state


def _weigh(state: AccountState, close: Close, event: SnapshotReported, at: datetime) -> AccountState:
    """Weigh one snapshot as evidence of what became of a close whose outcome is unknown."""
    quantity = state.quantity(close.contract)
    reported = state.reported.get(close.contract)
    on_its_way = any(o.contract == close.contract and _could_be(o, close) for o in event.orders)
    settled = reported is None or reported.disagrees_since is None
    if on_its_way or not settled:
        return _with_close(state, _replace(close, checks=0, checked_at=at))
    agrees = close.checks > 0 and close.checked_quantity == quantity
    if not agrees:
        return _with_close(state, _replace(close, checks=1, checked_at=at, checked_quantity=quantity))
    if close.checked_at is not None and at - close.checked_at >= CHECKS_APART:
        done = close.filled > 0 and _complete(state, close)
        state = watched_on(_without(state, close), close, at, done=done)
        if done:
            return _replace(state, retries=with_item(state.retries, close.contract, None))
        old = _refused_lately(state, close.contract, at)
        failures = (old.failures if old else 0) + 1
        refusals = (old.refusals if old else 0) + 1
        not_before = at + retry_delay(refusals)
        retry = Retry(failures=failures, not_before=not_before, code="no_effect", refusals=refusals)
        return _replace(state, retries=with_item(state.retries, close.contract, retry))
    return state


def _overdue(state: AccountState, envelope: Envelope) -> AccountState:
    for close in tuple(state.closes.values()):
        due = overdue_at(close)
        if due is not None and envelope.at >= due:
            state = _with_close(state, _in_doubt(close, envelope.seq))
    for cancel in tuple(state.cancels.values()):
        if cancel.status is CloseStatus.SENT and envelope.at >= cancel.sent_at + ANSWER_WITHIN:
            late = _replace(cancel, status=CloseStatus.UNKNOWN)
            state = _replace(state, cancels=with_item(state.cancels, cancel.order_id, late), recheck_seq=envelope.seq)
        elif (
            cancel.status is CloseStatus.ACCEPTED
            and envelope.at >= cancel.sent_at + FILL_WITHIN
            and not state.recheck_seq
        ):
            state = _replace(state, recheck_seq=envelope.seq)
    return state


def next_look(close: Close) -> datetime | None:
    """Return when a close in doubt is to be looked at again, None for at once."""
    if close.checked_at is None:
        return None
    return close.checked_at + (CHECKS_APART if close.checks else LOOK_EVERY)


def overdue_at(close: Close) -> datetime | None:
    """Return when a close without an answer, or without its fills, comes into doubt."""
    if close.status is CloseStatus.SENT:
        return close.sent_at + ANSWER_WITHIN
    if close.status is CloseStatus.ACCEPTED and close.accepted_at is not None:
        return close.accepted_at + FILL_WITHIN
    return None


def told_at(close: Close) -> datetime:
    """Return when people are to be told of a close that has not come to its end."""
    return close.sent_at + TOLD_AFTER


def _settled(state: AccountState, envelope: Envelope) -> AccountState:
    """Drop the closes that have come to their end, and cancels whose order is gone."""
    for close in [c for c in state.closes.values() if c.status is CloseStatus.ACCEPTED]:
        if close.order_done == 0:
            state = _with_close(state, _unbound(close, envelope.seq))
        elif _complete(state, close):
            state = watched_on(_without(state, close), close, envelope.at, done=True)
            state = _replace(state, retries=with_item(state.retries, close.contract, None))
    gone = [order_id for order_id in state.cancels if order_id not in state.orders]
    for order_id in gone:
        state = _replace(
            state,
            cancels=with_item(state.cancels, order_id, None),
            retries=with_item(state.retries, order_id, None),
        )
    return state


def _unbound(close: Close, seq: int) -> Close:
    """Doubt a close whose order seems to have ended without a fill: that order may have been the trader's."""
    return _replace(_in_doubt(close, seq), order_id=None, order_size=None, order_done=None)


def _complete(state: AccountState, close: Close) -> bool:
    """Tell whether all that the broker made of a close has come back as fills."""
    if close.order_done is not None:
        return close.filled >= close.order_done
    if close.order_size is not None:
        return close.filled >= close.order_size
    if not close.whole:
        return close.filled >= close.quantity
    position = state.positions.get(close.contract)
    if close.filled > close.quantity:
        # Nobody saw the order, and more was held than riskd knew: it may have more to fill.
        return position is None
    return close.filled == close.quantity and (position is None or position.opening_seq != close.opening_seq)

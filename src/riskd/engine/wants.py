"""What must become true of an account now: positions to reduce and orders to cancel, from all causes together.

Everything here is derived anew at each step, so a target that is no longer wanted vanishes by itself and one that still
is wanted is asked for until it is reached.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Position
from riskd.domain.account_view import AccountView
from riskd.domain.orders import PROTECTIVE, OrderSplit, OrderStatus, OrderType, Side, WorkingOrder, split_orders
from riskd.engine.draft import Draft
from riskd.engine.exposure import smaller
from riskd.engine.risk_engine import Finding

_replace: Final = msgspec.structs.replace


class Want(msgspec.Struct, frozen=True):
    """Bring one contract to ``left`` signed contracts, for the sake of one rule."""

    contract: str
    left: int
    rule: str
    reason: str
    headline: str


class WantedCancel(msgspec.Struct, frozen=True):
    """Cancel an order, or cut it to ``size`` contracts in total where that is given."""

    order: WorkingOrder
    rule: str
    reason: str
    headline: str = ""
    size: int | None = None


class Wants(msgspec.Struct, frozen=True):
    """All that is wanted of one account."""

    reductions: Mapping[str, Want]
    cancels: Mapping[str, WantedCancel]


def all_wants(draft: Draft) -> Wants:
    """Return all that is wanted of an account now: under a flatten only that, else what rules and allowances want."""
    state = draft.state
    if state.flatten is not None:
        return flatten_wants(state)
    asked = close_requests(state) if state.close_requests or state.overshot else ()
    parts = [rule_wants(state, draft.findings, draft.projected, asked)]
    if state.no_new_risk:
        parts.append(no_new_risk_wants(draft.view.of(state)))
    if state.trims:
        parts.append(Wants({}, leftover_exits(state)))
    return parts[0] if len(parts) == 1 else merged(*parts)


def close_requests(state: AccountState) -> Iterable[Want]:
    """Return what somebody asked to be closed, and what riskd's own closes opened on the other side."""
    asked = _still_open(state, state.close_requests)
    overshot = _still_open(state, state.overshot)
    return [
        *(Want(contract, 0, "request", "asked for", "") for contract in sorted(asked)),
        *(Want(c, 0, "overshot", "riskd's own close went through zero", "") for c in sorted(overshot)),
    ]


def _still_open(state: AccountState, wanted: Mapping[str, int]) -> Mapping[str, int]:
    """Return the positions that are wanted closed, by opening seq, as far as they still are open."""
    return {
        contract: opening
        for contract, opening in wanted.items()
        if contract in state.positions and state.positions[contract].opening_seq == opening
    }


def without_settled(state: AccountState) -> AccountState:
    """Return the account without trims, requests and retries that nothing is left to do for."""
    if any(contract not in state.closes for contract in state.trims):
        left_over = {cancel.order.contract for cancel in leftover_exits(state).values()}
        trims = {c: trim for c, trim in state.trims.items() if c in state.closes or c in left_over}
        state = _replace(state, trims=trims)
    if not (state.close_requests or state.overshot or state.retries):
        return state
    requests, overshot = _still_open(state, state.close_requests), _still_open(state, state.overshot)
    retries = {key: retry for key, retry in state.retries.items() if key in state.orders or state.quantity(key)}
    if (requests, overshot, retries) != (state.close_requests, state.overshot, state.retries):
        state = _replace(state, close_requests=requests, overshot=overshot, retries=retries)
    return state


def cancellable(order: WorkingOrder, orders: Mapping[str, WorkingOrder]) -> bool:
    """Tell whether cancelling this order makes sense: it rests, and no parent's cancel takes it along."""
    if order.type is OrderType.MARKET:
        return False
    return not (order.status is OrderStatus.SUSPENDED and order.parent in orders)


def flatten_wants(state: AccountState) -> Wants:
    """Return what a flatten wants: nothing held, nothing working."""
    target = state.flatten
    if target is None:
        return Wants({}, {})
    held = sorted({*state.positions, *state.reported})
    reductions = {
        contract: Want(contract, 0, target.rule, target.reason, "")
        for contract in held
        if smaller(state, contract) != 0
    }
    cancels = {
        order.order_id: WantedCancel(order, target.rule, target.reason)
        for order in sorted(state.orders.values(), key=lambda o: (o.seq, o.order_id))
        if cancellable(order, state.orders) and not _still_protects(state, order)
    }
    return Wants(reductions, cancels)


def _still_protects(state: AccountState, order: WorkingOrder) -> bool:
    """Tell whether a protective stop must be left alone: its position is held and no close of it is accepted yet."""
    position = state.positions.get(order.contract)
    if order.type not in PROTECTIVE or position is None or order.side.sign * position.quantity > 0:
        return False
    close = state.closes.get(order.contract)
    return close is None or close.accepted_at is None


def rule_wants(
    state: AccountState, findings: Iterable[Finding], projected: Iterable[Finding], requests: Iterable[Want]
) -> Wants:
    """Return what the rules' findings want, the strongest target per contract winning.

    Shape: cancels come from the account as it is, reductions from the account with the closes under way counted as
    done. An order that is an exit of what is held is cut to that exit, not cancelled.
    """
    reductions: dict[str, Want] = {}
    cancels: dict[str, WantedCancel] = {}
    for want in requests:
        _merge(reductions, want)
    for finding in projected:
        rule, reason, headline = _label(finding)
        for reduction in finding.action.reductions:
            _merge(reductions, Want(reduction.contract, reduction.left, rule, reason, headline))
    if not state.orders:
        return Wants(reductions, cancels)
    for finding in findings:
        rule, reason, headline = _label(finding)
        for part in _surplus(state, finding.action.cancels):
            _merge_cancel(cancels, WantedCancel(part.order, rule, reason, headline, size=_kept(part)))
    for cancel in (c for want in reductions.values() if want.left == 0 for c in _orders_of_closed(state, want)):
        _merge_cancel(cancels, cancel)
    return Wants(reductions, cancels)


def _surplus(state: AccountState, order_ids: Iterable[str]) -> Iterable[OrderSplit]:
    """Return those of these orders that can be cancelled and are not wholly exits of what is held in their contract."""
    for order_id in order_ids:
        order = state.orders.get(order_id)
        if order is not None and cancellable(order, state.orders):
            mine = [o for o in state.orders.values() if o.contract == order.contract]
            parts = {part.order.order_id: part for part in split_orders(mine, _larger(state, order.contract))}
            part = parts.get(order_id, OrderSplit(order, 0, order.remaining))
            if part.entry or not part.exit:
                yield part


def _larger(state: AccountState, contract: str) -> int:
    """Return the larger reading of a position that is in doubt: an exit of what may be held is left alone."""
    folded, reported = state.quantity(contract), state.reported.get(contract)
    if reported is None or reported.disagrees_since is None:
        return folded
    return max(folded, reported.quantity, key=abs)


def _kept(part: OrderSplit) -> int | None:
    """Return the size that keeps the exit of an order, None where there is none to keep."""
    return part.cut.size if part.exit else None


def _label(finding: Finding) -> tuple[str, str, str]:
    return finding.entry.rule_id, finding.violation.message, finding.violation.headline


def _merge(reductions: dict[str, Want], want: Want) -> None:
    known = reductions.get(want.contract)
    if known is None or abs(want.left) < abs(known.left):
        reductions[want.contract] = want


def _merge_cancel(cancels: dict[str, WantedCancel], cancel: WantedCancel) -> None:
    """Let the first cause of a cancel stand unless a later one leaves less of the order."""
    known = cancels.get(cancel.order.order_id)
    if known is None or (cancel.size or 0) < (known.size or 0):
        cancels[cancel.order.order_id] = cancel


def _orders_of_closed(state: AccountState, want: Want) -> Iterable[WantedCancel]:
    """Return the orders that go with a position that is closed whole: targets at once, stops when the close stands."""
    return [
        WantedCancel(order, want.rule, want.reason)
        for order in sorted(state.orders.values(), key=lambda o: (o.seq, o.order_id))
        if order.contract == want.contract and cancellable(order, state.orders) and not _still_protects(state, order)
    ]


def no_new_risk_wants(view: AccountView) -> Wants:
    """Return what exceeds the allowances of an account that may take no new risk: positions and resting entries."""
    state = view.account
    reductions: dict[str, Want] = {}
    cancels: dict[str, WantedCancel] = {}
    for cause in state.no_new_risk:
        contracts = {*state.positions, *(o.contract for o in state.orders.values())}
        for contract in sorted(contracts if cause.contract is None else contracts & {cause.contract}):
            allowed, held = cause.allowance.get(contract, 0), state.quantity(contract)
            left = min(allowed, held, key=abs) if allowed * held > 0 else 0
            if abs(left) < abs(smaller(state, contract)):
                _merge(reductions, Want(contract, left, cause.cause, cause.reason, ""))
            mine = [order for order in state.orders.values() if order.contract == contract]
            for part in split_orders(mine, view.quantities.get(contract, 0)):
                if part.entry and cancellable(part.order, state.orders):
                    _merge_cancel(cancels, WantedCancel(part.order, cause.cause, cause.reason, size=_kept(part)))
    return Wants(reductions, cancels)


def leftover_exits(state: AccountState) -> Mapping[str, WantedCancel]:
    """Return the exits that could exceed what riskd left of a position, with the size each may keep.

    Shape: only orders placed before riskd's close; stops keep their size before targets do, then the oldest.
    """
    found: dict[str, WantedCancel] = {}
    for contract, trim in sorted(state.trims.items()):
        if contract in state.closes:
            continue
        position = state.positions.get(contract)
        old = [o for o in state.orders.values() if o.contract == contract and o.seq <= trim.seq]
        for order, size in _cut(old, position):
            if cancellable(order, state.orders):
                found[order.order_id] = WantedCancel(order, trim.rule, "exceeds the position", size=size)
    return found


def _cut(orders: Iterable[WorkingOrder], position: Position | None) -> Iterable[tuple[WorkingOrder, int | None]]:
    if position is None:
        yield from ((order, None) for order in sorted(orders, key=lambda o: (o.seq, o.order_id)))
        return
    side = Side.SELL if position.quantity > 0 else Side.BUY
    for part in split_orders((order for order in orders if order.side is side), position.quantity):
        if part.entry:
            yield part.order, _kept(part)


def merged(*parts: Wants) -> Wants:
    """Return several wants as one, the first cause of each winning unless a later one leaves less."""
    reductions: dict[str, Want] = {}
    cancels: dict[str, WantedCancel] = {}
    for part in parts:
        for want in part.reductions.values():
            _merge(reductions, want)
        for cancel in part.cancels.values():
            _merge_cancel(cancels, cancel)
    return Wants(reductions, cancels)

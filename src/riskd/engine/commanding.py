"""From wants to commands: only the difference between what is wanted, what is, and what is already on its way."""

from typing import Final

import msgspec

from riskd.domain.account import Cancel, Close, CloseStatus
from riskd.domain.booking import with_item
from riskd.domain.commands import CancelOrder, ClosePosition, ResizeOrder
from riskd.domain.violations import ActionType, EnforcementAction
from riskd.engine.draft import Draft
from riskd.engine.enforcements import begin, closing_action, join, under_way
from riskd.engine.exposure import smaller
from riskd.engine.wants import Want, WantedCancel, Wants

_replace: Final = msgspec.structs.replace


def command(draft: Draft, wants: Wants) -> None:
    """Command what is wanted and neither reached nor under way: closes first, then cancels."""
    for want in wants.reductions.values():
        _close(draft, want)
    for cancel in wants.cancels.values():
        _cancel(draft, cancel)


def _waits(draft: Draft, key: str) -> bool:
    retry = draft.state.retries.get(key)
    return retry is not None and (retry.not_before > draft.at or retry.needs_snapshot > 0)


def _close(draft: Draft, want: Want) -> None:
    state, contract = draft.state, want.contract
    held = smaller(state, contract)
    if contract in state.closes or _waits(draft, contract) or held == 0:
        return
    left = want.left if want.left * held > 0 and state.partial_close else 0
    quantity = abs(held) - abs(left)
    if quantity <= 0:
        return
    position = state.positions.get(contract)
    enforcement = _enforcement_for(draft, want)
    close = Close(
        command_id=draft.next_id(),
        contract=contract,
        quantity=quantity,
        whole=left == 0,
        held=held,
        opening_seq=position.opening_seq if position else 0,
        sent_at=draft.at,
        seq=draft.seq,
        rule=want.rule,
        enforcement=enforcement,
    )
    draft.state = _replace(draft.state, closes=with_item(draft.state.closes, contract, close))
    draft.command(
        ClosePosition(
            account=state.account,
            command_id=close.command_id,
            contract=contract,
            quantity=None if close.whole else quantity,
            held=held,
            left=left,
            rule=want.rule,
            reason=want.reason,
            enforcement=enforcement,
        )
    )


def _enforcement_for(draft: Draft, want: Want) -> int:
    """Return the enforcement that a close belongs to, begun now unless one of its rule is under way."""
    found = under_way(draft, want.rule)
    if found is not None:
        return join(draft, found, want.contract)
    draft.begun.append(_action_for(draft, want))
    headline = want.headline or want.reason
    return begin(draft, want.rule, closing_action(draft), headline, contracts=(want.contract,))


def _action_for(draft: Draft, want: Want) -> EnforcementAction:
    for finding in draft.findings:
        if finding.entry.rule_id == want.rule:
            return finding.action
    return EnforcementAction(
        action_type=ActionType.CLOSE_POSITION,
        account=draft.state.account,
        rule_id=want.rule,
        reason=want.reason,
        quantity=abs(smaller(draft.state, want.contract)) - abs(want.left),
    )


def _cancel(draft: Draft, wanted: WantedCancel) -> None:
    order, state = wanted.order, draft.state
    known = state.cancels.get(order.order_id)
    # An order that was cut may have to go altogether; anything else that is under way is waited for.
    cut = known is not None and known.size is not None and known.status is not CloseStatus.SENT
    if (known is not None and not (cut and wanted.size is None)) or _waits(draft, order.order_id):
        return
    found = under_way(draft, wanted.rule)
    if found is None:
        enforcement = begin(draft, wanted.rule, ActionType.CANCEL_ORDER, wanted.headline or wanted.reason)
    else:
        enforcement = found.enforcement_id
    cancel = Cancel(
        command_id=draft.next_id(), order_id=order.order_id, sent_at=draft.at, seq=draft.seq, size=wanted.size
    )
    draft.state = _replace(draft.state, cancels=with_item(draft.state.cancels, order.order_id, cancel))
    draft.command(_cancel_command(state.account, cancel.command_id, enforcement, wanted))


def _cancel_command(account: str, command_id: str, enforcement: int, wanted: WantedCancel) -> CancelOrder | ResizeOrder:
    cancel = CancelOrder(
        account=account,
        command_id=command_id,
        order_id=wanted.order.order_id,
        contract=wanted.order.contract,
        rule=wanted.rule,
        reason=wanted.reason,
        enforcement=enforcement,
    )
    if wanted.size is None:
        return cancel
    return ResizeOrder(**msgspec.structs.asdict(cancel), size=wanted.size)

"""What riskd is doing for the sake of a rule, from its first command to the line that says how it ended."""

from typing import Final

import msgspec

from riskd.domain.account import Enforcement
from riskd.domain.violations import ActionType
from riskd.engine.containment import answers
from riskd.engine.draft import Draft
from riskd.engine.reports import enforcement_ended
from riskd.engine.wants import close_requests

_replace: Final = msgspec.structs.replace


def under_way(draft: Draft, rule: str) -> Enforcement | None:
    """Return the enforcement of a rule that has not ended yet."""
    for enforcement in draft.state.enforcements:
        if enforcement.rule == rule:
            return enforcement
    return None


def begin(draft: Draft, rule: str, action: str, headline: str, *, contracts: tuple[str, ...] = ()) -> int:
    """Begin an enforcement and return its id, which is the place of the event that led to it."""
    enforcement = Enforcement(
        enforcement_id=draft.seq,
        rule=rule,
        action=action,
        headline=headline,
        started_at=draft.at,
        contracts=contracts,
    )
    draft.state = _replace(draft.state, enforcements=(*draft.state.enforcements, enforcement))
    return draft.seq


def join(draft: Draft, enforcement: Enforcement, contract: str) -> int:
    """Count the close of one more contract to an enforcement under way, and return its id."""
    contracts = enforcement.contracts
    contracts = contracts if contract in contracts else (*contracts, contract)
    action = enforcement.action
    if action in (ActionType.SET_LOCKOUT, ActionType.CANCEL_ORDER):
        action = closing_action(draft)
    changed = _replace(enforcement, contracts=contracts, action=action)
    others = draft.state.enforcements
    draft.state = _replace(draft.state, enforcements=tuple(changed if e is enforcement else e for e in others))
    return enforcement.enforcement_id


def closing_action(draft: Draft) -> str:
    """Return what closing a position is now: an act of its own, or part of a flatten."""
    return ActionType.CLOSE_POSITION if draft.state.flatten is None else ActionType.FLATTEN_ACCOUNT


def end(draft: Draft, rule: str) -> None:
    """End the enforcements of a rule, and tell how."""
    ended = [e for e in draft.state.enforcements if e.rule == rule]
    draft.state = _replace(draft.state, enforcements=tuple(e for e in draft.state.enforcements if e.rule != rule))
    view = draft.view.of(draft.state)
    entry = next((f.entry for f in draft.findings if f.entry.rule_id == rule), None)
    rooms = [] if entry is None else answers([entry], lambda it: [it.rule.headroom(view)], [])
    for enforcement in ended:
        draft.tell(enforcement_ended(enforcement, view, rooms[0] if rooms else None))


def end_what_has_ended(draft: Draft) -> None:
    """End the enforcements of rules that want nothing any more and have nothing under way."""
    closing = {close.rule for close in draft.state.closes.values()}
    for enforcement in draft.state.enforcements:
        if enforcement.rule not in closing and enforcement.rule not in _wanting(draft):
            end(draft, enforcement.rule)


def _wanting(draft: Draft) -> set[str]:
    """Return the rules that still want something, whether or not it is under way."""
    state = draft.state
    wanting = {f.entry.rule_id for f in draft.projected if f.action.reductions}
    wanting |= {f.entry.rule_id for f in draft.findings if f.action.cancels}
    wanting |= {cause.cause for cause in state.no_new_risk}
    wanting |= {want.rule for want in close_requests(state)}
    return wanting if state.flatten is None else wanting | {state.flatten.rule}

"""The flatten of a locked account: opened by the lockout, opened again by whatever appears, closed by proof."""

from typing import Final

import msgspec

from riskd.domain.account import AccountState, FlattenTarget, Lockout
from riskd.domain.commands import Severity
from riskd.domain.violations import ActionType
from riskd.engine.draft import Draft
from riskd.engine.enforcements import begin, end

REENTRIES_TO_TELL: Final = 3
"""From which re-entry under one lockout on a person is told with urgency."""
_replace: Final = msgspec.structs.replace


def open_flatten(draft: Draft, lockout: Lockout, headline: str) -> None:
    """Want the account flat from now on, for the sake of one lockout."""
    state = draft.state
    if state.positions:
        action = ActionType.FLATTEN_ACCOUNT
    else:
        action = ActionType.CANCEL_ORDER if state.orders else ActionType.SET_LOCKOUT
    target = FlattenTarget(rule=lockout.cause, reason=lockout.reason, seq=draft.seq, since=draft.at)
    draft.state = _replace(state, flatten=target)
    begin(draft, lockout.cause, action, headline)


def flatten_what_appears(draft: Draft) -> None:
    """Flatten a locked account anew when it has anything again after it was flat."""
    state = draft.state
    under_way = state.flatten is not None and state.flatten.flat_seq is None
    if not state.lockouts or under_way or clean(state):
        return
    lockout = max(state.lockouts, key=lambda x: (x.until is None, x.until or x.since, x.cause))
    draft.state = _replace(state, reentries=state.reentries + 1)
    open_flatten(draft, lockout, f"{lockout.cause}: new exposure under the lockout")
    again = draft.state.reentries
    severity = Severity.CRITICAL if again >= REENTRIES_TO_TELL else Severity.WARNING
    text = f"new exposure appeared under the lockout for the {_ordinal(again)} time and is being closed"
    told = _replace(
        draft.alert("reentry", severity, text),
        rule=lockout.cause,
        reason=lockout.reason,
        action=str(ActionType.FLATTEN_ACCOUNT),
    )
    draft.tell(told)


def clean(state: AccountState) -> bool:
    """Tell whether nothing is held, working, on its way or in doubt."""
    differs = any(r.disagrees_since is not None for r in state.reported.values())
    return not (state.positions or state.closes or state.orders or differs)


def follow_flatten(draft: Draft) -> None:
    """Take note that the account looks flat; a snapshot begun later must still prove it."""
    target = draft.state.flatten
    if target is None:
        return
    if target.flat_seq is None and clean(draft.state):
        draft.state = _replace(draft.state, flatten=_replace(target, flat_seq=draft.seq))
        end(draft, target.rule)


def confirm_flat(draft: Draft, asked_seq: int) -> None:
    """Take a snapshot begun after ``asked_seq`` as proof, if the account looked flat before it and still does."""
    target = draft.state.flatten
    if target is not None and target.flat_seq is not None and asked_seq >= target.flat_seq and clean(draft.state):
        draft.state = _replace(draft.state, flatten=None)


def _ordinal(count: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(count, f"{count}th")

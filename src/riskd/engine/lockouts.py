"""Lockouts and the causes of taking no new risk: how each begins, what it allows, and how it ends."""

from datetime import datetime
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Lockout, NoNewRisk
from riskd.domain.commands import LockAccount, Severity, StartCooldown, UnlockAccount
from riskd.domain.violations import ActionType
from riskd.engine.draft import Draft
from riskd.engine.flatten import open_flatten
from riskd.engine.risk_engine import Finding

CONTRADICTION: Final = "invariant"
"""The cause of taking no new risk because riskd has contradicted itself; an admin can release it."""
_replace: Final = msgspec.structs.replace


def relapses(state: AccountState) -> bool:
    """Tell whether something has come to light that was done under a lockout which has ended."""
    return any(_left_over(state, lockout) for lockout in state.lapsed)


def lock_again(draft: Draft) -> None:
    """Bring back the lockouts under which something was done that is heard of only now, until it is undone."""
    state = draft.state
    standing = {lockout.cause for lockout in state.lockouts}
    back = tuple(x for x in state.lapsed if x.cause not in standing and _left_over(state, x))
    if not back:
        return
    lapsed = tuple(x for x in state.lapsed if x not in back)
    draft.state = _replace(state, lockouts=(*state.lockouts, *back), lapsed=lapsed)
    for lockout in back:
        draft.command(_lock_command(state.account, lockout))


def _left_over(state: AccountState, lockout: Lockout) -> bool:
    """Tell whether anything is held or working that was begun under a lockout, by the broker's times."""
    begun = [lot.opened_at for position in state.positions.values() for lot in position.lots]
    begun += [order.created_at for order in state.orders.values() if order.created_at is not None]
    return any(lockout.since <= at and (lockout.until is None or at < lockout.until) for at in begun)


def _lock_command(account: str, lockout: Lockout) -> LockAccount:
    return LockAccount(account=account, cause=lockout.cause, until=lockout.until, reason=lockout.reason)


def end_what_has_ended(draft: Draft) -> None:
    """Let causes end whose time has come; a lockout not before the account is proven flat of what it forbade."""
    state = draft.state
    lasting = tuple(c for c in state.no_new_risk if c.until is None or c.until > draft.at)
    if lasting != state.no_new_risk:
        draft.state = state = _replace(state, no_new_risk=lasting)
    if not state.lockouts or state.flatten is not None:
        return
    over = (x for x in state.lockouts if x.until is not None and x.until <= draft.at)
    ended = tuple(x for x in over if not _left_over(state, x))
    if not ended:
        return
    standing = tuple(x for x in state.lockouts if x not in ended)
    draft.state = _replace(state, lockouts=standing, lapsed=ended)
    if not standing:
        draft.state = _replace(draft.state, reentries=0)
        draft.command(UnlockAccount(account=state.account))
        draft.tell(draft.alert("unlock", Severity.INFO, "the account is free again"))


def lock_and_cool_down(draft: Draft) -> None:
    """Begin the lockouts that the findings call for, then the cooldowns."""
    for finding in draft.findings:
        if finding.action.lock:
            _lock_for(draft, finding)
    for finding in draft.findings:
        if finding.action.action_type is ActionType.SET_COOLDOWN:
            _cool_down_for(draft, finding)


def _lock_for(draft: Draft, finding: Finding) -> None:
    action, state = finding.action, draft.state
    if any(lockout.cause == action.rule_id for lockout in state.lockouts):
        return
    lockout = Lockout(
        cause=action.rule_id,
        until=action.lockout_until,
        since=draft.at,
        seq=draft.seq,
        reason=action.reason,
        rule=finding.violation.rule_name,
    )
    draft.state = _replace(state, lockouts=(*state.lockouts, lockout))
    draft.command(_lock_command(state.account, lockout))
    if draft.state.flatten is None:
        open_flatten(draft, lockout, finding.violation.headline or finding.violation.message)
    draft.begun.append(action)


def _cool_down_for(draft: Draft, finding: Finding) -> None:
    action = finding.action
    until = action.lockout_until
    cause = finding.episode_key.rstrip("|")
    known = next((c for c in draft.state.no_new_risk if c.cause == cause), None)
    if known is not None and (known.until is None or (until is not None and until <= known.until)):
        return
    draft.state = with_no_new_risk(draft.state, cause, draft.at, until, action.reason)
    draft.command(StartCooldown(account=draft.state.account, cause=cause, until=until, reason=action.reason))
    draft.begun.append(action)


def with_no_new_risk(
    state: AccountState, cause: str, at: datetime, until: datetime | None, reason: str
) -> AccountState:
    """Return the account with what it holds now as the most that it may hold under this cause."""
    allowance = {contract: position.quantity for contract, position in state.positions.items()}
    entry = NoNewRisk(cause=cause, until=until, since=at, reason=reason, allowance=allowance)
    return _replace(state, no_new_risk=(*(c for c in state.no_new_risk if c.cause != cause), entry))


def fail_closed(draft: Draft, cause: str, reason: str) -> None:
    """Take no new risk on this account until somebody has looked, and tell people; once per cause."""
    if any(c.cause == cause for c in draft.state.no_new_risk):
        return
    draft.state = with_no_new_risk(draft.state, cause, draft.at, None, reason)
    text = f"{reason}; the account takes no new risk until this is cleared"
    draft.tell(draft.alert("fault", Severity.CRITICAL, text))


def shrink_allowances(draft: Draft) -> None:
    """Let every allowance follow its position towards zero; none ever grows again."""
    causes = tuple(_shrunk(draft.state, cause) for cause in draft.state.no_new_risk)
    if causes != draft.state.no_new_risk:
        draft.state = _replace(draft.state, no_new_risk=causes)


def _shrunk(state: AccountState, cause: NoNewRisk) -> NoNewRisk:
    allowance = {
        contract: min(allowed, held, key=abs)
        for contract, allowed in cause.allowance.items()
        if allowed * (held := state.quantity(contract)) > 0
    }
    return cause if allowance == cause.allowance else _replace(cause, allowance=allowance)

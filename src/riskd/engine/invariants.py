"""What must hold of every account after every step; a breach stops new risk and tells people, never 'log and go on'."""

from collections.abc import Iterable
from datetime import datetime

from riskd.domain.account import AccountState


class InvariantBroken(Exception):
    """The impossible happened: riskd itself is wrong about an account."""


def broken(before: AccountState, after: AccountState) -> Iterable[str]:
    """Yield one sentence for each invariant that the step from ``before`` to ``after`` broke."""
    for contract, position in after.positions.items() if after.positions is not before.positions else ():
        if position is before.positions.get(contract):
            continue
        if position.quantity == 0 or position.quantity != sum(lot.quantity for lot in position.lots):
            yield f"position {contract} holds {position.quantity} but its lots do not add up to it"
    for contract, close in after.closes.items():
        if close.quantity <= 0 or close.quantity > abs(close.held):
            yield f"close {close.command_id} of {contract} is for {close.quantity} of {close.held}"
    if not before.lockouts:
        return
    after_causes = {lockout.cause: lockout for lockout in after.lockouts}
    for lockout in before.lockouts:
        kept = after_causes.get(lockout.cause)
        if kept is not None and _shortened(lockout.until, kept.until):
            yield f"lockout {lockout.cause} was shortened from {lockout.until} to {kept.until}"
    if not after.lockouts and after.flatten is not None:
        yield "a lockout ended before the account was flat"


def _shortened(before: datetime | None, after: datetime | None) -> bool:
    if before is None:
        return after is not None
    return after is not None and after < before

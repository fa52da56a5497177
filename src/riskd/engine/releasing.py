"""What an admin can end: what nothing else ends, of an account that is flat, and a lockout on a later day than its own.

A released drawdown is counted anew from the balance of that moment, or it would be broken again at once. Nothing else
is released: a lockout that has its own end keeps it, and while one stands the others stay as well.

Source: rules.md section 1; ADR 0016.
"""

from typing import Final

import msgspec

from riskd.domain.account import AccountState, Lockout
from riskd.domain.account_view import AccountView
from riskd.domain.calendar import day_end, trading_day
from riskd.domain.drawdowns import restarted
from riskd.domain.instruments import symbol_of_contract
from riskd.domain.money import show
from riskd.engine.lockouts import CONTRADICTION
from riskd.engine.reports import until_text

_replace: Final = msgspec.structs.replace


class Release(msgspec.Struct, frozen=True):
    """What came of an admin's wish: the account as it is now, and what to tell, whether it was ``done`` or refused."""

    state: AccountState
    text: str
    done: bool


def released(view: AccountView, by: str) -> Release:
    """Let the lockouts of an account end that wait for an admin, or say why they do not."""
    state = view.account
    refusal = _refusal(view)
    if refusal:
        return Release(state, f"release asked for by {by} and refused: {refusal}", done=False)
    restarts = state.restarts
    if view.equity is not None:
        for lockout in state.lockouts:
            restarts = restarted(restarts, lockout.cause, view.equity)
    free = _replace(
        state,
        lockouts=tuple(_replace(lockout, until=view.at) for lockout in state.lockouts),
        no_new_risk=tuple(cause for cause in state.no_new_risk if cause.cause != CONTRADICTION),
        restarts=restarts,
    )
    causes = [lockout.cause for lockout in state.lockouts] or ["the stop for a contradiction of riskd's own"]
    counted = f": counted anew from {show(view.equity)} USD" if state.lockouts and view.equity is not None else ""
    return Release(free, f"{', '.join(causes)} released by {by}{counted}", done=True)


def _refusal(view: AccountView) -> str:
    state = view.account
    if not state.lockouts:
        stopped = any(cause.cause == CONTRADICTION for cause in state.no_new_risk)
        return _not_flat(view) if stopped else "the account is not locked"
    others = [lockout for lockout in state.lockouts if lockout.until is not None]
    if others:
        return f"{'; '.join(map(_said, others))}; this ends by itself, and nothing ends it sooner"
    since = max(trading_day(lockout.since) for lockout in state.lockouts)
    if since >= state.trading_day:
        return f"it was locked on this trading day; it can be released from {until_text(day_end(since))} on"
    return _not_flat(view)


def _said(lockout: Lockout) -> str:
    return f"locked until {until_text(lockout.until)} by {lockout.cause}: {lockout.reason}"


def _not_flat(view: AccountView) -> str:
    state = view.account
    if not state.reconciled:
        return "the broker has not been heard since riskd started, so nobody knows whether the account is flat"
    held = [
        f"{quantity:+d} {symbol_of_contract(contract)}" for contract, quantity in view.quantities.items() if quantity
    ]
    if held:
        return f"the account is not flat: it holds {', '.join(held)}"
    if state.flatten is not None:
        return "the broker has not confirmed yet that the account is flat with nothing working; try again in a minute"
    if state.base_drift is not None:
        return "the broker has shown two different balances; try again when it shows one of them again"
    return ""

"""One account in a line: what it holds, how far it is from its limits, and whether it is locked."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from riskd.domain.account import AccountState
from riskd.domain.instruments import symbol_of_contract
from riskd.domain.money import to_cents
from riskd.engine.core import Core


def status(core: Core, account: str, at: datetime) -> Mapping[str, object]:
    """Return the account's figures for a log line or a screen.

    Shape: ``flattening`` lasts until the broker has confirmed the account flat.
    ``pending`` is None while no change of the rules waits.
    Units: USD rounded to cents; ``headroom`` is the nearest limit's, None without one.
    """
    state = core.state_manager.accounts.get(account)
    if state is None:
        return {"account": account, "state": "unknown"}
    view = core.state_manager.view(account, at)
    rooms: Mapping[str, Decimal] = core.headroom(account, at)
    return {
        "account": account,
        "at_account": at,
        "state": _word(core, account),
        "positions": {symbol_of_contract(c): p.quantity for c, p in sorted(state.positions.items())},
        "realized": to_cents(view.realized_pnl_today),
        "unrealized": to_cents(view.total_unrealized_pnl),
        "net": to_cents(view.net_pnl),
        "headroom": to_cents(min(rooms.values())) if rooms else None,
        "headrooms": {rule: to_cents(room) for rule, room in rooms.items()},
        "locked": [{"cause": x.cause, "until": x.until, "reason": x.reason} for x in state.lockouts],
        "pending": _pending(state),
        "working": len(state.orders),
        "flattening": state.flatten is not None,
    }


def _pending(state: AccountState) -> Mapping[str, object] | None:
    """Return what of a changed configuration waits, and until when."""
    if state.pending is None:
        return None
    return {"until": state.pending.effective_at, "rules": state.pending.rules, "changes": state.pending.changes}


def _word(core: Core, account: str) -> str:
    state = core.state_manager.accounts[account]
    if not state.reconciled:
        return "not reconciled"
    if not state.armed:
        return "not armed"
    if state.shadow:
        return "shadow"
    if state.locked:
        return "locked"
    return "error" if state.error_state else "armed"

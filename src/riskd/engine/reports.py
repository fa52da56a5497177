"""What the core tells people, in words: alerts, and the line that says how an enforcement ended."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from riskd.domain.account import AccountState, Enforcement
from riskd.domain.account_view import AccountView
from riskd.domain.calendar import CHICAGO
from riskd.domain.commands import Alert, ClosedTarget, EnforcementEnded, Severity
from riskd.domain.events import Envelope
from riskd.domain.instruments import Instrument
from riskd.domain.money import show
from riskd.domain.violations import ActionType, EnforcementAction
from riskd.engine.risk_engine import Finding


def alert(account: str, envelope: Envelope, kind: str, severity: Severity, text: str) -> Alert:
    """Return an alert about one account that this envelope led to."""
    return Alert(account=account, seq=envelope.seq, at=envelope.at, kind=kind, severity=severity, text=text)


def booking_alerts(
    before: AccountState, view: AccountView, adopted: Iterable[str], envelope: Envelope
) -> Iterable[Alert]:
    """Tell of facts about an account that people must know of, whatever the rules say.

    Shape: ``view`` is the account with the event booked; ``adopted`` the contracts of which the broker's position was
    taken over although no fill explains it.
    """
    state = view.account
    if state.realized_doubt != before.realized_doubt and state.realized_doubt:
        text = (
            f"the broker's realized P&L of the day ({show(state.realized)} USD) is better than what the fills "
            f"add up to ({show(state.realized_own)} USD): the worse one counts"
        )
        yield alert(state.account, envelope, "realized", Severity.WARNING, text)
    for contract in adopted if before.reconciled else ():
        text = (
            f"the broker's snapshots show {state.quantity(contract)} {view.root(contract)} where the fills say "
            f"{before.quantity(contract)}: taken over; a fill is missing from the broker's reports"
        )
        gone = before.quantity(contract) and not state.quantity(contract)
        yield alert(state.account, envelope, "reconciliation", Severity.CRITICAL if gone else Severity.WARNING, text)
    if state.can_trade != before.can_trade:
        text = (
            "the broker allows trading again: riskd enforces"
            if state.can_trade
            else "the broker has taken away the right to trade (canTrade is false): riskd watches but sends nothing"
        )
        yield alert(state.account, envelope, "can_trade", Severity.CRITICAL, text)


def gap_alert(seen: int, view: AccountView, since: datetime, envelope: Envelope) -> Alert:
    """Tell how many trades were made while riskd or its connection was away, now that the account is reconciled."""
    state = view.account
    text = (
        f"blind from {clock_text(since)} to {clock_text(envelope.at)}: {seen} trade{'' if seen == 1 else 's'} "
        f"seen afterwards, net P&L of the day {show(view.net_pnl)} USD"
    )
    return alert(state.account, envelope, "gap", Severity.WARNING if seen or state.locked else Severity.INFO, text)


def lost_alert(state: AccountState, was_in: str, until: datetime | None, envelope: Envelope) -> Alert:
    """Tell that what riskd last wrote about an account is not there, and what follows from it."""
    text = (
        f"what riskd last wrote about this account was in {was_in} and is not there any more: its lockouts, waiting "
        f"changes and high-water marks may be forgotten, so it takes no new risk until {until_text(until)}"
    )
    return alert(state.account, envelope, "lost", Severity.CRITICAL, text)


def instrument_alerts(instrument: Instrument, accounts: Iterable[str], envelope: Envelope) -> Iterable[Alert]:
    """Tell every account of a contract whose record contradicts the built-in table."""
    if not instrument.quarantined:
        return
    text = (
        f"the broker says {instrument.symbol} moves in ticks of {instrument.tick_size} worth "
        f"{instrument.tick_value} USD, which the built-in table contradicts: no new risk in it"
    )
    for account in accounts:
        yield alert(account, envelope, "quarantine", Severity.CRITICAL, text)


def silence_alerts(contract: str, holders: Iterable[AccountView], envelope: Envelope) -> Iterable[Alert]:
    """Tell those who hold a contract that its prices stay away."""
    for view in holders:
        text = f"no price of {view.root(contract)} for a while although it is held: P&L is judged by the last one known"
        yield alert(view.account.account, envelope, "stale", Severity.WARNING, text)


def violation_alert(finding: Finding, view: AccountView, seq: int, *, shadow: bool) -> Alert:
    """Tell of a new violation and of what is, or in shadow mode would have been, done about it."""
    violation, action = finding.violation, finding.action
    done = action_text(action, view)
    return Alert(
        account=view.account.account,
        seq=seq,
        at=view.at,
        kind="shadow" if shadow else "violation",
        severity=Severity.INFO if shadow else _severity(action),
        text=f"{violation.message} [shadow mode: would have done {done}]" if shadow else violation.message,
        rule=finding.entry.rule_id,
        reason=violation.message,
        action=done,
    )


def _severity(action: EnforcementAction) -> Severity:
    return Severity.CRITICAL if action.lock else Severity.WARNING


def action_text(action: EnforcementAction, view: AccountView) -> str:
    """Say an action in one line, such as ``close_position 1 ES`` or ``flatten_account, locked until 17:00 CT``."""
    text = str(action.action_type)
    parts = [f"{r.closed} {view.root(r.contract)}" for r in action.reductions]
    if parts:
        text += " " + ", ".join(parts)
    elif action.quantity is not None:
        text += f" {action.quantity}"
    if action.cancels:
        text += f", cancel {len(action.cancels)} order{'s' if len(action.cancels) > 1 else ''}"
    if action.lock:
        text += f", locked until {until_text(action.lockout_until)}"
    return text


def until_text(until: datetime | None) -> str:
    """Say the end of a lockout in Chicago time."""
    return "released by an admin" if until is None else f"{until.astimezone(CHICAGO):%Y-%m-%d %H:%M} CT"


def clock_text(at: datetime) -> str:
    """Say a time of day in Chicago time."""
    return f"{at.astimezone(CHICAGO):%H:%M:%S} CT"


def enforcement_ended(enforcement: Enforcement, view: AccountView, headroom: Decimal | None) -> EnforcementEnded:
    """Tell that an enforcement has reached its targets, and how far beyond its limit the account ended.

    Units: ``headroom`` in USD is the rule's own, below zero when the limit is passed; None where it has none.
    """
    state, at = view.account, view.at
    targets = tuple(
        ClosedTarget(
            symbol=view.root(contract), closed=enforcement.closed.get(contract, 0), left=state.quantity(contract)
        )
        for contract in enforcement.contracts
    )
    overshoot = None if headroom is None else max(-headroom, Decimal(0))
    passed = f", {show(overshoot)} USD past the limit" if overshoot else ""
    return EnforcementEnded(
        account=state.account,
        enforcement_id=enforcement.enforcement_id,
        at=at,
        breached_at=enforcement.started_at,
        rule=enforcement.rule,
        action=enforcement.action,
        targets=targets,
        text=f"{enforcement.headline}, {closed_text(enforcement.action, targets)}{passed}",
        overshoot=overshoot,
    )


def closed_text(action: str, targets: Iterable[ClosedTarget]) -> str:
    """Say what was closed, such as ``closed 1 ES`` or ``flattened 2 MNQ, 2 ES``."""
    parts = ", ".join(f"{target.closed} {target.symbol}" for target in targets)
    if action == ActionType.FLATTEN_ACCOUNT:
        return f"flattened {parts}" if parts else "flat"
    if action == ActionType.CANCEL_ORDER:
        return "cancelled what was working"
    return f"closed {parts}" if parts else "locked"

"""What riskd says of its own life: that it protects, that it stops, how long it was gone."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from riskd.domain.account import AccountState
from riskd.domain.calendar import CHICAGO
from riskd.domain.instruments import symbol_of_contract
from riskd.engine.lockouts import CONTRADICTION
from riskd.notifications.dead_man import Sign
from riskd.notifications.messages import time_text


def sign_of_life(
    watched: Iterable[str],
    states: Mapping[str, AccountState],
    *,
    missing: Iterable[str],
    unread: Mapping[str, str],
    head: str,
    seq: int,
    at: datetime,
) -> Sign:
    """Return the sign for a dead-man's switch.

    Shape: ``missing`` are the accounts that the broker's login does not show, ``unread`` says why others could not be
    read the last time. With the hash of the journal's last line, which a rewritten journal would contradict.
    """
    accounts = tuple(watched)
    unseen = {account: f"cannot be read: {why}" for account, why in unread.items()}
    unseen |= dict.fromkeys(missing, "is not among the accounts that the broker's login shows")
    lost = [why for each in accounts if (why := _unprotected(each, states.get(each), unseen.get(each, "")))]
    if lost or not accounts:
        return Sign("; ".join(lost) or "riskd has no account to protect", protects=False)
    shadow = {account for account in accounts if states[account].shadow}
    named = ", ".join(f"{account} (shadow mode)" if account in shadow else account for account in accounts)
    return Sign(f"riskd protects {named}\nTime: {time_text(at)}\nEvent: {seq}\nJournal: {head}")


def _unprotected(account: str, state: AccountState | None, unseen: str) -> str:
    if unseen:
        return f"{account} {unseen}"
    if state is None or not state.reconciled:
        return f"{account} has not been read from the broker"
    if not state.armed:
        return f"{account} is not armed"
    if any(cause.cause == CONTRADICTION for cause in state.no_new_risk):
        return f"riskd contradicts itself about {account}"
    if state.down:
        return f"{account} cannot be seen: {', '.join(sorted(state.down))} lost"
    return ""


def stopping(watched: Iterable[str], states: Mapping[str, AccountState]) -> str:
    """Say that riskd stops and what it leaves unprotected, "" where it protected nothing."""
    accounts = [states[account] for account in watched if account in states and states[account].armed]
    if not accounts:
        return ""
    named = ", ".join(map(_left, accounts))
    return (
        f"riskd is being stopped and protects nothing until it is started again: {named}. "
        "You will hear when it is back; if you do not, ask"
    )


def _left(state: AccountState) -> str:
    held = ", ".join(f"{p.quantity:+d} {symbol_of_contract(c)}" for c, p in sorted(state.positions.items()))
    facts = [*(["locked"] if state.locked else []), *([f"holds {held}"] if held else [])]
    return f"account {state.account} ({', '.join(facts)})" if facts else f"account {state.account}"


def away(since: datetime, at: datetime, *, killed: bool) -> str:
    """Say how long riskd was gone."""
    begin, end = (f"{moment.astimezone(CHICAGO):%Y-%m-%d %H:%M:%S} CT" for moment in (since, at))
    how = "; it was not stopped but killed, or the machine went down" if killed else ""
    return f"riskd is back: it was down from {begin} to {end}{how}. What was traded meanwhile is told for each account"


def first_armed(account: str, *, shadow: bool) -> str:
    """Say that an account is armed of which nothing was on disk."""
    does = "only watches it (shadow mode)" if shadow else "enforces its rules from now on"
    return (
        f"account {account} is armed for the first time here: riskd {does}. If it has been protected before, "
        "its record was deleted or moved, and its lockouts and waiting changes with it"
    )

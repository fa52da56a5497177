"""Bring the accounts back as they were: the last file of each, and the journal's tail after it.

An account is locked when either of them says so: a file that somebody has edited frees nobody.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from riskd.domain.account import AccountState, Lockout
from riskd.domain.commands import LockAccount, UnlockAccount
from riskd.domain.events import AccountEvent
from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.contract import Compile

Lockouts = dict[str, dict[str, Lockout]]


def restored(
    saved: Mapping[str, tuple[AccountState, int]],
    tail: Iterable[JournalEntry],
    compile_rules: Compile,
    *,
    locking: Iterable[JournalEntry] = (),
) -> Mapping[str, AccountState]:
    """Return every account with the journal's later entries folded in, and with the prices known at the end of them.

    Shape: each account is brought forward by itself, from the seq that its file stands at; what was commanded then is
    not commanded again, and an account that only the journal knows is rebuilt from it. ``locking`` are the earlier
    entries that locked an account or freed one.
    """
    entries = tuple(tail)
    named = {entry.envelope.event.account for entry in entries if isinstance(entry.envelope.event, AccountEvent)}
    locked = standing((*locking, *entries))
    return {
        account: _locked(_forwarded(account, saved.get(account), entries, compile_rules), locked.get(account, {}))
        for account in sorted({*saved, *named})
    }


def standing(entries: Iterable[JournalEntry]) -> Lockouts:
    """Return by account and cause the lockouts that were set and not followed by the account coming free.

    Shape: entries may come twice. One that has ended meanwhile is still there: the account's first judgement ends it.
    """
    found: Lockouts = {}
    for _, entry in sorted({entry.envelope.seq: entry for entry in entries if entry.commands}.items()):
        for command in entry.commands:
            match command:
                case LockAccount(account=account, cause=cause):
                    found.setdefault(account, {})[cause] = _lockout(command, entry)
                case UnlockAccount(account=account):
                    found.pop(account, None)
                case _:
                    pass
    return found


def _lockout(command: LockAccount, entry: JournalEntry) -> Lockout:
    envelope = entry.envelope
    return Lockout(cause=command.cause, until=command.until, since=envelope.at, seq=envelope.seq, reason=command.reason)


def _locked(state: AccountState, journaled: Mapping[str, Lockout]) -> AccountState:
    """Return the account with every lockout of either side, of one cause the one that lasts longer."""
    lockouts = dict(journaled)
    for lockout in state.lockouts:
        other = lockouts.get(lockout.cause)
        if other is None or _ends(lockout) >= _ends(other):
            lockouts[lockout.cause] = lockout
    return msgspec.structs.replace(state, lockouts=tuple(sorted(lockouts.values(), key=lambda each: each.seq)))


def _ends(lockout: Lockout) -> datetime:
    return lockout.until or datetime.max.replace(tzinfo=UTC)


def _forwarded(
    account: str,
    saved: tuple[AccountState, int] | None,
    entries: Iterable[JournalEntry],
    compile_rules: Compile,
) -> AccountState:
    core = Core(compile_rules)
    seq = 0
    if saved is not None:
        core.restore({account: saved[0]})
        seq = saved[1]
    for entry in entries:
        if entry.envelope.seq <= seq:
            # The file has newer prices than this line.
            continue
        event = entry.envelope.event
        foreign = isinstance(event, AccountEvent) and event.account != account
        core.state_manager.market.update({row.contract: row for row in entry.market})
        if not foreign:
            core.step(entry.envelope)
    return core.state_manager.to_write(account)

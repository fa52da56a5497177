"""Bring the accounts back as they were: the last file of each, and the journal's tail after it."""

from collections.abc import Iterable, Mapping

from riskd.domain.account import AccountState
from riskd.domain.events import AccountEvent
from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.contract import Compile


def restored(
    saved: Mapping[str, tuple[AccountState, int]], tail: Iterable[JournalEntry], compile_rules: Compile
) -> Mapping[str, AccountState]:
    """Return every account with the journal's later entries folded in, and with the prices known at the end of them.

    Shape: each account is brought forward by itself, from the seq that its file stands at; what was commanded then is
    not commanded again, and an account that only the journal knows is rebuilt from it.
    """
    entries = tuple(tail)
    named = {entry.envelope.event.account for entry in entries if isinstance(entry.envelope.event, AccountEvent)}
    return {
        account: _forwarded(account, saved.get(account), entries, compile_rules) for account in sorted({*saved, *named})
    }


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
        event = entry.envelope.event
        foreign = isinstance(event, AccountEvent) and event.account != account
        core.state_manager.market.update({row.contract: row for row in entry.market})
        if entry.envelope.seq > seq and not foreign:
            core.step(entry.envelope)
    return core.state_manager.to_write(account)

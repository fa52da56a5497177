"""When the core must be woken although nothing happens: timers as a question."""

from collections.abc import Iterable
from datetime import datetime

from riskd.domain.account import AccountState, CloseStatus
from riskd.domain.account_view import DISAGREEMENT, AccountView
from riskd.domain.market import Market
from riskd.engine.closes import ANSWER_WITHIN, FILL_WITHIN, overdue_at, told_at
from riskd.engine.containment import answers
from riskd.engine.snapshots import SNAPSHOT_WITHIN, snapshot_due
from riskd.rules.contract import Rulebook


def next_deadline(view: AccountView, rulebook: Rulebook | None) -> datetime | None:
    """Return the next time at which this account must be looked at again, None when time alone changes nothing."""
    candidates = [*_of_account(view.account), *_of_market(view.account, view.market)]
    if rulebook is not None:
        asked = answers(rulebook.entries, lambda entry: [entry.rule.next_deadline(view)], [])
        candidates += [due for due in asked if due is not None]
    return min((due for due in candidates if due > view.at), default=None)


def _of_account(state: AccountState) -> Iterable[datetime]:
    yield state.day_ends_at
    if state.pending is not None:
        yield state.pending.effective_at
    yield from (lockout.until for lockout in state.lockouts if lockout.until is not None)
    yield from (cause.until for cause in state.no_new_risk if cause.until is not None)
    yield from (retry.not_before for retry in state.retries.values())
    yield from (due for close in state.closes.values() if (due := overdue_at(close)) is not None)
    yield from (told_at(close) for close in state.closes.values())
    for cancel in state.cancels.values():
        yield cancel.sent_at + (ANSWER_WITHIN if cancel.status is CloseStatus.SENT else FILL_WITHIN)
    for reported in state.reported.values():
        if reported.disagrees_since is not None:
            yield reported.disagrees_since + DISAGREEMENT
    yield from (e.waits_until for e in state.episodes.values() if e.waits_until is not None)
    due = snapshot_due(state)
    if due is not None:
        yield due
    if state.asked is not None:
        yield state.asked.at + SNAPSHOT_WITHIN


def _of_market(state: AccountState, market: Market) -> Iterable[datetime]:
    for contract in state.positions:
        row = market.get(contract)
        if row is not None and (due := row.settles_at) is not None:
            yield due

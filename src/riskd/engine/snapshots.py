"""When the broker's whole view of an account is wanted, and from when on its fills must be read."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Asked
from riskd.domain.account_view import DISAGREEMENT
from riskd.domain.calendar import day_start
from riskd.domain.commands import RequestSnapshot
from riskd.engine.account_fold import adoptable_at
from riskd.engine.closes import next_look
from riskd.engine.draft import Draft

SNAPSHOT_WITHIN: Final = timedelta(seconds=10)
"""How long a snapshot that was asked for is waited for before another one is."""
OVERLAP: Final = timedelta(minutes=1)
"""How far a snapshot reads back over the one before, so that a fill booked late by the broker is not missed."""
_replace: Final = msgspec.structs.replace


def ask_for_snapshot(draft: Draft) -> None:
    """Ask for a snapshot if one is due and none is on its way."""
    state = draft.state
    due = snapshot_due(state)
    if due is None or due > draft.at:
        return
    if state.asked is not None and draft.at < state.asked.at + SNAPSHOT_WITHIN:
        return
    request_id = f"{state.account}-{draft.seq}-s"
    draft.state = _replace(state, asked=Asked(request_id=request_id, seq=draft.seq, at=draft.at))
    draft.command(RequestSnapshot(account=state.account, request_id=request_id, since=read_since(state)))


def read_since(state: AccountState) -> datetime:
    """Return from when on a snapshot must read fills: a little before the last such reading began, or the day's start.

    Shape: never from the last fill known: an older one may have been lost on the way. The whole day where the fills do
    not explain the broker's position: one of them may have been taken back.
    """
    start = day_start(state.trading_day)
    unexplained = any(reported.drift is not None for reported in state.reported.values())
    return start if state.fills_until is None or unexplained else state.fills_until - OVERLAP


def snapshot_due(state: AccountState) -> datetime | None:
    """Return when a snapshot is wanted, in the past for at once; None while nothing is in doubt."""
    times: list[datetime] = []
    long_ago = day_start(state.trading_day)
    if state.recheck_seq or (state.flatten is not None and state.flatten.flat_seq is not None):
        times.append(long_ago)
    if any(e.waits_until is not None and state.snapshot_seq < e.seq for e in state.episodes.values()):
        times.append(long_ago)
    if state.retries and any(retry.needs_snapshot for retry in state.retries.values()):
        times.append(long_ago)
    for contract, reported in state.reported.items():
        if reported.disagrees_since is not None:
            looked = reported.drift is not None
            times.append(adoptable_at(state, contract, reported) if looked else reported.disagrees_since + DISAGREEMENT)
    times += [next_look(close) or long_ago for close in state.closes.values() if close.unknown_seq is not None]
    return min(times, default=None)

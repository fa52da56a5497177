"""When accounts are written to disk."""

from datetime import date

import msgspec
import pytest

from riskd.domain.account import NoNewRisk
from riskd.storage.snapshot_timing import SnapshotTiming
from tests.unit.test_storage.entries import MORNING, account

BEFORE = account()
WAIT = NoNewRisk(cause="Cooldown", until=None, since=MORNING, reason="three losses")


@pytest.mark.parametrize(
    "change",
    [{"lockouts": ()}, {"trading_day": date(2026, 3, 11)}, {"last_fill_seq": 8}, {"no_new_risk": (WAIT,)}],
    ids=["lockout", "reset", "fill", "cooldown"],
)
def test_what_must_not_be_forgotten_is_saved_at_once(change: dict[str, object]) -> None:
    """A lockout, a reset, a fill and a cooldown are written next, and nothing is left to wait."""
    timing = SnapshotTiming()
    assert timing.changed(BEFORE, msgspec.structs.replace(BEFORE, **change), now=10.0)
    assert timing.next_at is None


def test_a_new_account_is_saved_at_once() -> None:
    """An account that has no file yet gets one."""
    assert SnapshotTiming().changed(None, BEFORE, now=10.0)


def test_anything_else_waits_a_second_at_most() -> None:
    """The second counts from the first change, not from the last, or a busy account would never be written."""
    timing = SnapshotTiming()
    later = msgspec.structs.replace(BEFORE, seq=8)
    assert not timing.changed(BEFORE, later, now=10.0)
    assert not timing.changed(later, msgspec.structs.replace(later, seq=9), now=10.9)
    assert timing.next_at == 11.0
    assert timing.due(10.99) == ()
    assert timing.due(11.0) == ("101",)
    assert timing.due(20.0) == ()
    assert timing.next_at is None


def test_an_urgent_save_covers_what_waited() -> None:
    """One snapshot holds all changes up to it."""
    timing = SnapshotTiming()
    later = msgspec.structs.replace(BEFORE, seq=8)
    timing.changed(BEFORE, later, now=10.0)
    assert timing.changed(later, msgspec.structs.replace(later, last_fill_seq=9), now=10.5)
    assert timing.due(12.0) == ()


def test_nothing_changed_means_nothing_to_save() -> None:
    """An event that leaves the account as it was costs no disk."""
    timing = SnapshotTiming()
    assert not timing.changed(BEFORE, BEFORE, now=10.0)
    assert timing.next_at is None


def test_accounts_wait_each_for_itself() -> None:
    """The one that changed first is due first."""
    timing = SnapshotTiming()
    for at, account_id in ((10.0, "101"), (10.4, "202")):
        before = account(account_id)
        timing.changed(before, msgspec.structs.replace(before, seq=8), now=at)
    assert timing.next_at == 11.0
    assert timing.due(11.0) == ("101",)
    assert timing.next_at == 11.4
    assert timing.due(12.0) == ("202",)

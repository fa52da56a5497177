"""What a start makes of a state file and a journal that do not say the same."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from riskd.daemon.restoring import restored, standing
from riskd.domain.account import AccountState, Lockout
from riskd.ports import JournalEntry
from riskd.rules.registry import compile_rulebook
from riskd.storage.journal import FileJournal, read_lockouts
from tests.support.desk import Desk

LOSS500 = {"DailyRealizedLoss": {"limit": "-500.00"}}


def locked_desk() -> Desk:
    """Return a desk that has just lost more than it may."""
    desk = Desk(LOSS500)
    desk.fill("buy", 1, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20700")
    desk.snapshot()
    assert desk.state.locked
    return desk


def journal(desk: Desk) -> list[JournalEntry]:
    """Return what was written of the steps so far."""
    return [JournalEntry(envelope=e, market=step.market, commands=step.commands) for e, step in desk.steps]


def restarted(desk: Desk, lockouts: tuple[Lockout, ...]) -> AccountState:
    """Return the account as a start finds it after its file was edited to hold these lockouts."""
    edited = replace(desk.state, lockouts=lockouts, realized=Decimal(0), flow={})
    saved = {"A1": (edited, desk.event_bus.last_seq)}
    return restored(saved, (), compile_rulebook, locking=journal(desk))["A1"]


def test_a_file_edited_to_be_free_stays_locked() -> None:
    """A lockout that the journal tells of comes back with its cause, end and reason."""
    desk = locked_desk()
    (before,) = desk.state.lockouts
    (after,) = restarted(desk, ()).lockouts
    assert (after.cause, after.until, after.reason) == (before.cause, before.until, before.reason)
    assert (after.since, after.seq) == (before.since, before.seq)


def test_a_file_edited_to_end_sooner_ends_when_it_was_to() -> None:
    """Of one cause the lockout counts that lasts longer."""
    desk = locked_desk()
    (before,) = desk.state.lockouts
    (after,) = restarted(desk, (replace(before, until=before.since + timedelta(minutes=1)),)).lockouts
    assert after.until == before.until


def test_a_lockout_that_only_the_file_knows_stands() -> None:
    """What the journal does not tell of is kept."""
    desk = locked_desk()
    other = replace(desk.state.lockouts[0], cause="AccountDrawdown", until=None)
    assert {lockout.cause for lockout in restarted(desk, (other,)).lockouts} == {"AccountDrawdown", "DailyRealizedLoss"}


def test_an_account_that_came_free_is_not_locked_again() -> None:
    """After the reset the journal's lockout is over."""
    desk = locked_desk()
    desk.wait("2026-03-10 17:00")
    assert desk.unlocks == 1
    assert standing(journal(desk)) == {}
    assert not restarted(desk, ()).locked


def test_a_journal_of_a_full_day_is_searched_for_lockouts(tmp_path: Path) -> None:
    """Only the lines that lock or free an account are decoded, of whichever day they are."""
    desk = locked_desk()
    desk.wait("2026-03-11 09:00")
    desk.fill("buy", 1, "MNQ", "21000")
    with_journal = FileJournal(tmp_path)
    for entry in journal(desk):
        with_journal.append(entry)
    with_journal.close()

    found = list(read_lockouts(tmp_path))

    assert [command.__struct_config__.tag for entry in found for command in entry.commands][:1] == ["lock"]
    assert len(found) == 2
    assert standing(found) == {}

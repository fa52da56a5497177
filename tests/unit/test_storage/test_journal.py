"""The journal as it is written and reopened."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from riskd.ports import JournalEntry
from riskd.storage.durability import Syncer
from riskd.storage.journal import FileJournal, JournalUnwritable, read_journal, verify
from riskd.storage.journal_lines import GENESIS, LineEncoder, read_entry
from tests.unit.test_storage.any_values import journal_entries
from tests.unit.test_storage.entries import MORNING, entry, write

RESET = datetime(2026, 3, 10, 22, tzinfo=UTC)
"""17:00 Chicago, summer time."""


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    """Entries come back in their order, equal in every type."""
    entries = [entry(1), entry(2), entry(5)]
    write(tmp_path, *entries)
    assert list(read_journal(tmp_path)) == entries


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(journal_entries())
def test_every_entry_survives_its_line(written: JournalEntry) -> None:
    """Whatever riskd may have to write comes back exactly: decimals, times, and which event it was."""
    line = LineEncoder().encode(written, GENESIS)
    assert line.count(b"\n") == 1
    assert read_entry(bytes(line)) == written


def test_money_is_text_in_the_file(tmp_path: Path) -> None:
    """A decimal is a string in the file, so that no reader makes a float of it."""
    write(tmp_path, entry(1))
    assert b'"price":"18000.25"' in (tmp_path / "2026-03-10.jsonl").read_bytes()


def test_each_line_carries_the_hash_of_the_line_before(tmp_path: Path) -> None:
    """Anybody can check the chain with sha256 over the line, newline included."""
    head = write(tmp_path, entry(1), entry(2))
    first, second = (tmp_path / "2026-03-10.jsonl").read_bytes().splitlines(keepends=True)
    assert first.startswith(b'{"v":1,"prev":"' + b"0" * 64)
    assert f'"prev":"{sha256(first).hexdigest()}"'.encode() in second
    assert head == sha256(second).hexdigest()


def test_a_line_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    """The line is the commit record, so nothing may wait in a buffer of the process."""
    journal = FileJournal(tmp_path)
    journal.append(entry(1))
    assert list(read_journal(tmp_path)) == [entry(1)]
    journal.close()


def test_a_trading_day_has_its_own_file_and_the_chain_runs_on(tmp_path: Path) -> None:
    """What comes at 17:00 Chicago opens the next day's file, whose first line carries the hash of the last."""
    head = write(
        tmp_path,
        entry(1, at=RESET - timedelta(microseconds=1)),
        entry(2, at=RESET),
        entry(3, at=RESET + timedelta(days=1)),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2026-03-10.jsonl",
        "2026-03-11.jsonl",
        "2026-03-12.jsonl",
    ]
    found = verify(tmp_path)
    assert (found.files, found.lines, found.last_seq, found.head, found.breaks) == (3, 3, 3, head, ())


def test_reopening_goes_on_where_it_ended(tmp_path: Path) -> None:
    """A restart finds the last entry's number, time and hash, and the chain holds across it."""
    head = write(tmp_path, entry(1), entry(2))
    journal = FileJournal(tmp_path)
    assert (journal.head, journal.last_seq, journal.last_at) == (head, 2, entry(2).envelope.at)
    assert journal.doubtful_tail is None
    journal.append(entry(3))
    journal.close()
    assert verify(tmp_path).breaks == ()
    assert [e.envelope.seq for e in read_journal(tmp_path)] == [1, 2, 3]


def test_a_new_journal_has_no_past(tmp_path: Path) -> None:
    """Before the first entry there is nothing, and nothing is wrong with that."""
    journal = FileJournal(tmp_path / "journal")
    assert (journal.head, journal.last_seq, journal.last_at, journal.doubtful_tail) == (GENESIS, 0, None, None)
    journal.close()
    assert list(read_journal(tmp_path / "journal")) == []


def test_a_clock_set_back_by_a_restart_goes_on_in_the_newest_file(tmp_path: Path) -> None:
    """Files only ever follow one another, or the order of the lines would depend on the clock."""
    write(tmp_path, entry(1, at=RESET))
    write(tmp_path, entry(2, at=RESET - timedelta(days=3)))
    assert [path.name for path in tmp_path.iterdir()] == ["2026-03-11.jsonl"]
    assert verify(tmp_path).breaks == ()


def test_entries_must_be_in_order(tmp_path: Path) -> None:
    """A number that was used already is refused before anything is written."""
    journal = FileJournal(tmp_path)
    journal.append(entry(5))
    with pytest.raises(ValueError, match="holds entry 5, so 5 cannot follow"):
        journal.append(entry(5))
    journal.close()
    assert verify(tmp_path).lines == 1


@pytest.mark.parametrize(
    "torn",
    [
        b'{"v":1,"prev":"',
        b"\0" * 4096,
        b"\0" * 100 + b"\n",
        b'{"v":1}\n{"v":1,"prev":"00","envelope":{"seq":9,"at":"2026-03-',
        b"\xff\xfe\n",
    ],
    ids=["half a line", "zeros", "zeros with a newline", "two lines", "no text"],
)
def test_a_torn_tail_is_set_aside_and_said(tmp_path: Path, torn: bytes) -> None:
    """What a power cut tore is kept to the byte beside the journal, which goes on after its last whole line."""
    write(tmp_path, entry(1), entry(2))
    path = tmp_path / "2026-03-10.jsonl"
    path.write_bytes(path.read_bytes() + torn)

    journal = FileJournal(tmp_path, now=lambda: MORNING)

    kept = tmp_path / "2026-03-10.jsonl.torn-20260310T143100Z"
    assert journal.doubtful_tail == (
        f"the journal 2026-03-10.jsonl ended in {len(torn)} bytes that are no complete line, as after a power cut; "
        f"they are kept in {kept.name}"
    )
    assert kept.read_bytes() == torn
    journal.append(entry(3))
    journal.close()
    assert [e.envelope.seq for e in read_journal(tmp_path)] == [1, 2, 3]


def test_a_whole_line_without_its_newline_was_never_committed(tmp_path: Path) -> None:
    """The newline ends the commit: append had not returned, so nothing followed from the line."""
    write(tmp_path, entry(1), entry(2))
    path = tmp_path / "2026-03-10.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert [e.envelope.seq for e in read_journal(tmp_path)] == [1]
    journal = FileJournal(tmp_path)
    assert journal.last_seq == 1
    assert journal.doubtful_tail is not None
    journal.close()


def test_a_newest_file_that_is_torn_altogether_leaves_the_day_before(tmp_path: Path) -> None:
    """The chain goes on from the last whole line, in whichever file it is."""
    head = write(tmp_path, entry(1))
    (tmp_path / "2026-03-11.jsonl").write_bytes(b"\0" * 512)
    journal = FileJournal(tmp_path)
    assert journal.head == head
    journal.append(entry(2))
    journal.close()
    assert verify(tmp_path).breaks == ()
    assert (tmp_path / "2026-03-11.jsonl").read_bytes().count(b"\n") == 1


def test_two_torn_tails_in_one_second_are_both_kept(tmp_path: Path) -> None:
    """Nothing that was set aside is ever overwritten."""
    path = tmp_path / "2026-03-10.jsonl"
    for torn in (b"first", b"second"):
        write(tmp_path)
        path.write_bytes(torn)
        write(tmp_path)
    kept = sorted(tmp_path.glob("*.torn-*"))
    assert [each.read_bytes() for each in kept] == [b"first", b"second"]


def test_an_unusable_directory_is_one_plain_sentence(tmp_path: Path) -> None:
    """The message says what cannot be written, why, and what to do."""
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(JournalUnwritable) as caught:
        FileJournal(tmp_path / "journal")
    assert str(caught.value) == (
        f"riskd cannot write its journal {tmp_path / 'journal'}: File exists. "
        f"Make room on that disk, or give riskd the right to write there."
    )


def test_a_day_that_cannot_be_started_is_told_and_tried_again(tmp_path: Path) -> None:
    """A directory that went away fails the append; with it back, the same entry goes in."""
    journal = FileJournal(tmp_path / "journal")
    shutil.rmtree(tmp_path / "journal")
    with pytest.raises(JournalUnwritable, match="No such file"):
        journal.append(entry(1))
    (tmp_path / "journal").mkdir()
    journal.append(entry(1))
    journal.close()
    assert list(read_journal(tmp_path / "journal")) == [entry(1)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """A disk that fills up in the middle of a line leaves no half of it; with room again the journal goes on."""
    journal = FileJournal(tmp_path)
    journal.append(entry(1))
    path = tmp_path / "2026-03-10.jsonl"
    whole = path.read_bytes()
    with files_limited_to(len(whole) + 100):
        for _ in range(2):
            with pytest.raises(JournalUnwritable, match="the disk took only 100 bytes of a line"):
                journal.append(entry(2))
            assert path.read_bytes() == whole
    journal.append(entry(2))
    journal.close()
    assert verify(tmp_path).breaks == ()
    assert list(read_journal(tmp_path)) == [entry(1), entry(2)]


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let the operating system refuse to make any file longer than this."""
    import resource  # noqa: PLC0415 - Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    """A stop that is asked for twice stops once."""
    for durable in (True, False):
        journal = FileJournal(tmp_path, durable=durable)
        journal.append(entry(journal.last_seq + 1))
        journal.close()
        journal.close()
    assert verify(tmp_path).lines == 2


def test_a_disk_that_does_not_confirm_is_reported() -> None:
    """A failed sync is told, for the thread has nobody to raise it to; once, though it fails again and again."""
    heard: list[str] = []
    told = threading.Event()

    def trouble(text: str) -> None:
        heard.append(text)
        told.set()

    reading, writing = os.pipe()  # a pipe has no disk behind it
    syncer = Syncer(trouble)
    syncer.touch(writing)
    assert told.wait(5)
    syncer.retire(writing)
    syncer.close()
    os.close(reading)
    assert heard == ["the disk did not confirm the journal's last lines: Invalid argument"]

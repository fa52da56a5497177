"""The journal as it is read: what was changed is found and named."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from riskd.storage.journal import ChainBreak, JournalBroken, read_journal, verify
from tests.unit.test_storage.entries import MORNING, entry, write

Damage = Callable[[list[bytes]], list[bytes]]
FILE = "2026-03-10.jsonl"


def changed(lines: list[bytes]) -> list[bytes]:
    """Write another quantity into the second line."""
    return [lines[0], lines[1].replace(b'"quantity":1', b'"quantity":2'), *lines[2:]]


def removed(lines: list[bytes]) -> list[bytes]:
    """Take the second line away."""
    return [lines[0], *lines[2:]]


def swapped(lines: list[bytes]) -> list[bytes]:
    """Exchange the first two lines."""
    return [lines[1], lines[0], *lines[2:]]


def unreadable(lines: list[bytes]) -> list[bytes]:
    """Overwrite the second line with zeros."""
    return [lines[0], b"\0" * 80 + b"\n", *lines[2:]]


def beheaded(lines: list[bytes]) -> list[bytes]:
    """Take the first line away."""
    return lines[1:]


def damage(directory: Path, how: Damage) -> None:
    """Change the lines of the journal's first file."""
    path = directory / FILE
    path.write_bytes(b"".join(how(path.read_bytes().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("how", "line", "why"),
    [
        (changed, 3, "does not carry the hash of the line before it"),
        (removed, 2, "does not carry the hash of the line before it"),
        (swapped, 1, "the journal does not start here"),
        (unreadable, 2, "this line cannot be read"),
        (beheaded, 1, "the journal does not start here"),
    ],
)
def test_a_rewritten_journal_is_found_out(tmp_path: Path, how: Damage, line: int, why: str) -> None:
    """A line changed, removed, moved, destroyed or cut off at the start breaks the chain at a place that is named."""
    write(tmp_path, *(entry(n) for n in range(1, 5)))
    damage(tmp_path, how)
    first = verify(tmp_path).breaks[0]
    assert (first.file, first.line) == (tmp_path / FILE, line)
    assert why in first.why
    assert str(first).startswith(f"{tmp_path / FILE}:{line}: ")
    with pytest.raises(JournalBroken) as caught:
        list(read_journal(tmp_path))
    assert caught.value.place == first


@pytest.mark.parametrize(("how", "read"), [(changed, [1, 2, 3, 4]), (removed, [1, 3, 4]), (unreadable, [1, 3, 4])])
def test_a_start_reads_on_behind_the_damage(tmp_path: Path, how: Damage, read: list[int]) -> None:
    """One break is reported once, and what follows it is not lost: a lockout may be in it."""
    write(tmp_path, *(entry(n) for n in range(1, 5)))
    damage(tmp_path, how)
    breaks: list[ChainBreak] = []
    assert [e.envelope.seq for e in read_journal(tmp_path, breaks=breaks)] == read
    assert len(breaks) == 1


def test_an_entry_of_another_version_is_a_break_not_a_crash(tmp_path: Path) -> None:
    """A line whose entry this riskd does not know is named, and its place in the chain still holds."""
    write(tmp_path, entry(1), entry(2))
    damage(tmp_path, lambda lines: [lines[0], lines[1].replace(b'"type":"fill"', b'"type":"flood"')])
    breaks: list[ChainBreak] = []
    assert [e.envelope.seq for e in read_journal(tmp_path, breaks=breaks)] == [1]
    assert breaks[0].line == 2
    assert "not an entry of this version of riskd" in breaks[0].why


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    """After going back to an older riskd, the reason is said."""
    write(tmp_path, entry(1))
    damage(tmp_path, lambda lines: [lines[0].replace(b'{"v":1', b'{"v":2')])
    assert "newer riskd" in verify(tmp_path).breaks[0].why


def test_numbers_must_grow(tmp_path: Path) -> None:
    """A chain whose hashes fit but whose entries are out of order was not written by riskd."""
    write(tmp_path / "a", entry(1))
    write(tmp_path / "b", entry(1))
    write(tmp_path / "b", entry(2))
    forged = (tmp_path / "b" / FILE).read_bytes().splitlines(keepends=True)[1].replace(b'"seq":2', b'"seq":1')
    with (tmp_path / "a" / FILE).open("ab") as file:
        file.write(forged)
    assert [each.why for each in verify(tmp_path / "a").breaks] == ["entry 1 comes after entry 1"]


def test_reading_starts_after_a_snapshot(tmp_path: Path) -> None:
    """Only the entries after the one that is asked for are given, from whichever file they begin in."""
    write(tmp_path, *(entry(n, at=MORNING + timedelta(days=n // 2)) for n in range(1, 8)))
    for after in range(9):
        assert [e.envelope.seq for e in read_journal(tmp_path, after)] == list(range(after + 1, 8))


def test_reading_from_the_middle_checks_the_seam(tmp_path: Path) -> None:
    """The first line that is read must fit the file before it, though that file is not read through."""
    write(tmp_path, *(entry(n, at=MORNING + timedelta(days=n // 2)) for n in range(1, 5)))
    older = tmp_path / "2026-03-11.jsonl"
    older.write_bytes(older.read_bytes().replace(b"18000.25", b"18000.75"))
    breaks: list[ChainBreak] = []
    assert [e.envelope.seq for e in read_journal(tmp_path, 3, breaks=breaks)] == [4]
    assert [(b.file.name, b.line) for b in breaks] == [("2026-03-12.jsonl", 1)]


def test_other_files_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    """Only the journal's own names are read."""
    write(tmp_path, entry(1))
    (tmp_path / "notes.jsonl").write_text("mine")
    (tmp_path / f"{FILE}.torn-20260310T000000Z").write_text("torn")
    assert verify(tmp_path).breaks == ()


def test_a_directory_without_a_journal_is_empty(tmp_path: Path) -> None:
    """Nothing was written, so nothing is wrong."""
    found = verify(tmp_path / "none")
    assert (found.files, found.lines, found.last_seq, found.breaks) == (0, 0, 0, ())

"""What is on disk after a process was killed in the middle of writing, or the disk was full."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from riskd.storage.journal import FileJournal, read_journal, verify
from riskd.storage.state_store import JsonStateStore
from tests.unit.test_storage.entries import account, entry

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from itertools import count
from pathlib import Path
from riskd.storage.journal import FileJournal
from riskd.storage.state_store import JsonStateStore
from tests.unit.test_storage.entries import account, entry

journal = FileJournal(Path(sys.argv[1]) / "journal")
first = JsonStateStore(Path(sys.argv[1]))
first.save(account(seq=journal.last_seq), journal.last_seq)
first.close()
store = JsonStateStore(Path(sys.argv[1]))
for seq in count(journal.last_seq + 1):
    journal.append(entry(seq))
    store.save(account(seq=seq), seq)
    print(seq, flush=True)
"""

LIMITED = """
import resource, sys
from itertools import count
from pathlib import Path
from riskd.storage.journal import FileJournal, JournalUnwritable
from tests.unit.test_storage.entries import entry

resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
journal = FileJournal(Path(sys.argv[1]))
try:
    for seq in count(1):
        journal.append(entry(seq))
except JournalUnwritable as error:
    print(journal.last_seq, error)
"""


def start(program: str, directory: Path) -> "subprocess.Popen[str]":
    """Start a program that writes below a directory."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(directory)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def kill_after(lines: int, process: "subprocess.Popen[str]") -> int:
    """Kill a writer when it has told so many numbers, and return the last one that it told."""
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    return max(int(line) for line in told if line.endswith("\n"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("lines", [1, 50, 400])
def test_a_kill_loses_nothing(tmp_path: Path, lines: int) -> None:
    """Killed at any moment, twice: every entry whose append had returned is there, the chain holds, the state reads."""
    for _ in range(2):
        told = kill_after(lines, start(WRITER, tmp_path))

        journal = FileJournal(tmp_path / "journal")
        journal.close()
        assert journal.last_seq >= told
        assert verify(tmp_path / "journal").breaks == ()
        assert next(read_journal(tmp_path / "journal", told - 1)) == entry(told)

        store = JsonStateStore(tmp_path)
        state, seq = store.load()["101"]
        store.close()
        assert state == account(seq=seq)
        assert seq <= journal.last_seq
        assert [text for text in store.problems if "cannot be used" in text] == []


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_full_disk_is_told_and_leaves_whole_lines(tmp_path: Path) -> None:
    """The line that no longer fits is refused in plain words, and not even half of it stays in the journal."""
    process = start(LIMITED, tmp_path)
    said, _ = process.communicate(timeout=30)
    last, _, message = said.strip().partition(" ")
    assert message.startswith(f"riskd cannot write its journal {tmp_path / '2026-03-10.jsonl'}: ")
    assert message.endswith("Make room on that disk, or give riskd the right to write there.")

    journal = FileJournal(tmp_path)
    assert journal.doubtful_tail is None
    assert journal.last_seq == int(last)
    journal.append(entry(journal.last_seq + 1))
    journal.close()
    assert verify(tmp_path).breaks == ()

"""Small files and lines of the journal that are not what riskd wrote: each is passed over, none stops a start."""

from collections.abc import Callable
from pathlib import Path

import pytest

from riskd.daemon.belonging import FILE as BELONGING
from riskd.daemon.belonging import claim_for
from riskd.daemon.instance import HOLDER_FILE, AlreadyRunning, SingleInstance
from riskd.daemon.witnesses import FILE as WITNESSES
from riskd.daemon.witnesses import Witnesses, remembered
from riskd.storage.journal import FileJournal, read_journal, read_lockouts
from riskd.storage.journal_lines import GENESIS
from riskd.storage.journal_reading import ChainBreak, last_broker
from riskd.storage.state_store import JsonStateStore
from tests.unit.test_storage.entries import MORNING, entry, write

DEEP = b"[" * 200_000 + b"]" * 200_000
NO_TEXT = b'"\xff"'
SURROGATE = b'"\xed\xa0\x80"'
DAMAGES = pytest.mark.parametrize(
    "damage", [NO_TEXT, SURROGATE, DEEP, b"", b"\0"], ids=["bytes", "surrogate", "deep", "empty", "zero"]
)


def claimed(directory: Path) -> None:
    """Claim a directory whose claim cannot be read, and whose journal names no broker."""
    claim_for(directory, "broker.example")
    assert b"broker.example" in (directory / BELONGING).read_bytes()


def witnessed(directory: Path) -> None:
    """Nobody is remembered where that cannot be read."""
    assert remembered(directory) == Witnesses()


def held(directory: Path) -> None:
    """Who holds the directory is only told where it can be read."""
    with SingleInstance(directory, now=MORNING):
        (directory / HOLDER_FILE).write_bytes((directory / BELONGING).read_bytes())
        with pytest.raises(AlreadyRunning, match="another process"):
            SingleInstance(directory, now=MORNING)


@DAMAGES
@pytest.mark.parametrize("read", [claimed, witnessed, held])
def test_a_small_file_that_cannot_be_read_is_none(tmp_path: Path, read: Callable[[Path], None], damage: bytes) -> None:
    """Whatever stands in it, riskd starts as if it were not there."""
    (tmp_path / BELONGING).write_bytes(b'{"broker":%b}' % damage)
    (tmp_path / WITNESSES).write_bytes(b'{"channels":{"phone":%b}}' % damage)

    read(tmp_path)


@DAMAGES
def test_a_state_file_that_cannot_be_read_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """It is told, and the journal has the account."""
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "101.json").write_bytes(b'{"version":1,"account":"101","x":%b}' % damage)
    store = JsonStateStore(tmp_path)

    assert store.load() == {}

    store.close()
    assert "cannot be used" in store.problems[0]


@DAMAGES
def test_a_last_line_that_cannot_be_read_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """The journal goes on behind the line before it."""
    head = write(tmp_path, entry(1))
    with (tmp_path / "2026-03-10.jsonl").open("ab") as file:
        file.write(b'{"v":1,"prev":"%b","envelope":%b}\n' % (GENESIS.encode(), damage))

    journal = FileJournal(tmp_path)

    journal.close()
    assert journal.head == head
    assert "no complete line" in str(journal.doubtful_tail)


@DAMAGES
def test_an_entry_that_cannot_be_read_is_a_break(tmp_path: Path, damage: bytes) -> None:
    """It is told with its line, and neither lockouts nor the broker are taken from it."""
    line = b'{"v":1,"prev":"%b","envelope":{"seq":1,"at":"2026-03-10T14:30:00Z","event":'
    end = b'{"type":"started","broker":%b}},"market":[],"commands":[{"type":"lock","account":%b}]}\n'
    (tmp_path / "2026-03-10.jsonl").write_bytes((line + end) % (GENESIS.encode(), damage, damage))
    breaks: list[ChainBreak] = []

    assert list(read_journal(tmp_path, breaks=breaks)) == []
    assert len(breaks) == 1
    assert list(read_lockouts(tmp_path)) == []
    assert last_broker(tmp_path) == ""

"""The state files on disk."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from riskd.domain.account import AccountState
from riskd.storage.state_files import decode
from riskd.storage.state_store import JsonStateStore, StateUnwritable
from tests.unit.test_storage.entries import MORNING, account


def save(directory: Path, *states: AccountState) -> None:
    """Save each state by itself, so that each reaches the disk."""
    for state in states:
        store = JsonStateStore(directory, now=lambda: MORNING, journal_head=lambda: "cd" * 32)
        store.save(state, state.seq)
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JsonStateStore]:
    """Return a store on the test's directory."""
    store = JsonStateStore(tmp_path, now=lambda: MORNING)
    yield store
    store.close()


def test_accounts_come_back_with_the_entry_they_stand_at(tmp_path: Path, store: JsonStateStore) -> None:
    """Every account that was saved is there, equal, with its place in the journal."""
    save(tmp_path, account("101", seq=7), account("202", seq=9))
    assert store.load() == {"101": (account("101", seq=7), 7), "202": (account("202", seq=9), 9)}
    assert store.problems == []


def test_an_empty_directory_has_no_accounts(store: JsonStateStore) -> None:
    """The first start finds nothing, and nothing is wrong with that."""
    assert store.load() == {}
    assert store.problems == []


def test_the_file_says_where_the_journal_stood(tmp_path: Path) -> None:
    """The journal's head goes into the file, so that a journal that was rewritten since does not fit."""
    save(tmp_path, account())
    saved = decode((tmp_path / "accounts" / "101.json").read_bytes())
    assert (saved.journal_head, saved.saved_at) == ("cd" * 32, MORNING)


def test_only_the_newest_state_that_waits_matters(tmp_path: Path) -> None:
    """However quickly an account changes, the last state is the one on disk when the store closes."""
    store = JsonStateStore(tmp_path)
    for seq in range(1, 200):
        store.save(account(seq=seq), seq)
    store.close()
    again = JsonStateStore(tmp_path)
    assert again.load()["101"][1] == 199
    again.close()


def test_the_copy_before_it_stays(tmp_path: Path) -> None:
    """Beside the state lies the state before it, and no half file."""
    save(tmp_path, account(seq=7), account(seq=8))
    folder = tmp_path / "accounts"
    assert sorted(path.name for path in folder.iterdir()) == ["101.json", "101.previous.json"]
    assert decode((folder / "101.previous.json").read_bytes()).seq == 7


def test_a_damaged_file_is_set_aside_and_the_copy_used(tmp_path: Path, store: JsonStateStore) -> None:
    """The account goes on from its previous good copy; the damaged file is kept with its date, to the byte."""
    save(tmp_path, account(seq=7), account(seq=8))
    folder = tmp_path / "accounts"
    (folder / "101.json").write_bytes(b'{"version": 1, "acc')
    assert store.load()["101"] == (account(seq=7), 7)
    assert (folder / "101.json.unreadable-20260310T143100Z").read_bytes() == b'{"version": 1, "acc'
    assert "cannot be used, it is not a state file of riskd" in store.problems[0]
    assert "stands at entry 7" in store.problems[1]


def test_the_next_save_keeps_the_good_copy(tmp_path: Path) -> None:
    """A damaged file never takes the place of the good copy."""
    save(tmp_path, account(seq=7), account(seq=8))
    (tmp_path / "accounts" / "101.json").write_bytes(b"damaged")
    store = JsonStateStore(tmp_path)
    store.load()
    store.save(account(seq=9), 9)
    store.close()
    assert decode((tmp_path / "accounts" / "101.previous.json").read_bytes()).seq == 7


def test_a_file_that_is_missing_is_said(tmp_path: Path, store: JsonStateStore) -> None:
    """Deleting a state file brings back the copy before it, not a fresh account."""
    save(tmp_path, account(seq=7), account(seq=8))
    (tmp_path / "accounts" / "101.json").unlink()
    assert store.load()["101"][1] == 7
    assert "101.json is missing" in store.problems[0]


def test_an_account_without_a_good_copy_is_said(tmp_path: Path, store: JsonStateStore) -> None:
    """Where nothing can be read the account is not invented; both files are kept."""
    save(tmp_path, account(seq=7), account(seq=8))
    folder = tmp_path / "accounts"
    for name in ("101.json", "101.previous.json"):
        (folder / name).write_bytes(b"damaged")
    assert store.load() == {}
    assert len(list(folder.glob("*.unreadable-*"))) == 2
    assert "no copy of" in store.problems[-1]


def test_a_file_copied_from_another_account_is_refused(tmp_path: Path, store: JsonStateStore) -> None:
    """A free account's file does not free a locked one by being copied over it."""
    save(tmp_path, account("101"), msgspec.structs.replace(account("202"), lockouts=()))
    shutil.copy(tmp_path / "accounts" / "202.json", tmp_path / "accounts" / "101.json")
    assert set(store.load()) == {"202"}
    assert "it is the state of account 202" in store.problems[0]


def test_a_disk_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    """A save that could not be written is reported, and is written when the disk is back."""
    heard: list[str] = []
    told = threading.Event()

    def trouble(text: str) -> None:
        heard.append(text)
        told.set()

    store = JsonStateStore(tmp_path, on_trouble=trouble)
    shutil.rmtree(tmp_path / "accounts")
    store.save(account(), 7)
    assert told.wait(5)
    store.save(account(), 7)
    (tmp_path / "accounts").mkdir()
    store.close()
    assert len(heard) == 1
    assert "the state of account 101 could not be written" in heard[0]
    assert decode((tmp_path / "accounts" / "101.json").read_bytes()).seq == 7


def test_a_newer_state_replaces_one_that_failed(tmp_path: Path) -> None:
    """What is tried again is the newest, never an old state over a newer one."""
    told = threading.Event()
    store = JsonStateStore(tmp_path, on_trouble=lambda _: told.set())
    shutil.rmtree(tmp_path / "accounts")
    store.save(account(seq=7), 7)
    assert told.wait(5)
    store.save(account(seq=8), 8)
    (tmp_path / "accounts").mkdir()
    store.close()
    assert decode((tmp_path / "accounts" / "101.json").read_bytes()).seq == 8


def test_a_file_that_cannot_even_be_read_is_one_plain_sentence(tmp_path: Path, store: JsonStateStore) -> None:
    """What the operating system refuses is no damage that could be set aside: the start ends with a reason."""
    (tmp_path / "accounts" / "101.json").mkdir()
    with pytest.raises(StateUnwritable, match="Is a directory"):
        store.load()


def test_an_unusable_directory_is_one_plain_sentence(tmp_path: Path) -> None:
    """The message says which directory, why, and what to do."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StateUnwritable) as caught:
        JsonStateStore(tmp_path / "state")
    assert str(caught.value) == (
        f"riskd cannot use its state directory {tmp_path / 'state' / 'accounts'}: Not a directory. "
        f"Give riskd the right to read and write there, or choose another directory."
    )

"""The text of a state file."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskd.domain.account import AccountState
from riskd.storage.state_files import VERSION, SavedState, State, Unreadable, decode, encode, file_stem
from tests.unit.test_storage.any_values import account_states
from tests.unit.test_storage.entries import MORNING, account

SAVED = SavedState(state=account(), seq=7, saved_at=MORNING, journal_head="ab" * 32)


def test_an_account_comes_back_as_it_was() -> None:
    """Decimals, times, positions and lockouts are equal after the file, and mappings are in the same order."""
    back = decode(encode(SAVED))
    assert back == SAVED
    assert list(back.state.positions) == list(SAVED.state.positions)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(account_states())
def test_any_account_comes_back_as_it_was(state: AccountState) -> None:
    """Whatever an account may hold, nothing of it is lost, rounded or put in another order."""
    saved = SavedState(state=state, seq=state.seq, saved_at=MORNING, journal_head="")
    back = decode(encode(saved))
    assert back == saved
    assert list(back.state.fills) == list(state.fills)
    assert encode(back) == encode(saved)


def test_a_person_can_read_it() -> None:
    """The file is indented, says what it is first, and keeps money as text."""
    text = encode(SAVED).decode()
    assert text.startswith('{\n  "version": 1,\n  "account": "101",\n  "seq": 7,\n')
    assert '"realized": "-512.50"' in text
    assert '"earlier": [\n      "T1",\n      "T5",\n      "T9"\n    ]' in text
    assert text.endswith("}\n")


def test_layout_does_not_matter() -> None:
    """A file that an editor has laid out anew is still the same file."""
    assert decode(json.dumps(json.loads(encode(SAVED))).encode()) == SAVED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"-512.50"', b'"-112.50"'),
        (b'"seq": 7,\n  "saved_at"', b'"seq": 9,\n  "saved_at"'),
        (b'"account": "101",\n  "seq"', b'"account": "102",\n  "seq"'),
        (b"abab", b"abac"),
    ],
    ids=["a figure", "the entry it stands at", "whose it is", "the journal's hash"],
)
def test_a_change_is_found(old: bytes, new: bytes) -> None:
    """A figure that was edited, or a bit that flipped, makes the file unusable instead of a limit looser."""
    text = encode(SAVED)
    assert text.count(old) >= 1
    with pytest.raises(Unreadable, match="changed by something other than riskd"):
        decode(text.replace(old, new, 1))


@pytest.mark.parametrize("text", [b"", b"{}", b"\0" * 100, b"\xff", b"[]", encode(SAVED)[:200]])
def test_what_is_no_state_file_is_refused(text: bytes) -> None:
    """An empty, torn or foreign file is unreadable, never an account without lockouts."""
    with pytest.raises(Unreadable, match="not a state file of riskd"):
        decode(text)


def test_a_newer_file_is_refused() -> None:
    """An older riskd does not guess what a newer one meant."""
    with pytest.raises(Unreadable, match="a newer riskd wrote it"):
        decode(encode(SAVED).replace(b'"version": 1', b'"version": 2'))


def test_an_older_file_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version's change is applied in turn, and a gap in them is said."""
    text = encode(SAVED)

    def renamed(state: State) -> State:
        return {**state, "name": "50K combine"}

    monkeypatch.setattr("riskd.storage.state_files.VERSION", VERSION + 1)
    assert decode(text, {VERSION: renamed}).state.name == "50K combine"
    with pytest.raises(Unreadable, match="version 1 is too old"):
        decode(text, {})


@pytest.mark.parametrize("account_id", ["101", "A1", "APEX-50K_1"])
def test_a_plain_id_is_its_own_file_name(account_id: str) -> None:
    """Who looks for an account's file finds it by its id."""
    assert file_stem(account_id) == account_id


@pytest.mark.parametrize(
    "account_id", ["a1", "../../etc/passwd", "CON", "LPT1", "", "101.previous", "Konto Ä", "x" * 300]
)
def test_any_other_id_is_made_safe(account_id: str) -> None:
    """No id leads out of the directory, clashes with a device, or is too long for a file system."""
    stem = file_stem(account_id)
    assert len(stem) <= 64
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-+")


@given(st.text(max_size=8), st.text(max_size=8))
def test_two_accounts_never_share_a_file(one: str, other: str) -> None:
    """Not even where the file system takes capitals and small letters for the same."""
    assert (one == other) == (file_stem(one).casefold() == file_stem(other).casefold())

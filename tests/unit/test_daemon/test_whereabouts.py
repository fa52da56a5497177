import asyncio
import io
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riskd.app.state_place import notes_about
from riskd.daemon.logs import start_logs
from riskd.daemon.whereabouts import IDENTITY, Noting, StillThere, Whereabouts, last_seq
from riskd.domain.account import AccountState
from riskd.domain.booking import new_account
from riskd.domain.commands import LockAccount
from riskd.domain.events import ClockTicked, Envelope
from riskd.engine.step import Step
from riskd.ports import JournalEntry
from riskd.storage.journal import FileJournal

AT = datetime(2026, 3, 10, 15, tzinfo=UTC)
REST = "https://api.example.com"


def here(tmp_path: Path, state: str = "state", *, at: str = REST, login: str = "a login") -> Whereabouts:
    """Return the whereabouts of a state directory, noted beside a configuration."""
    (tmp_path / state).mkdir(exist_ok=True)
    return Whereabouts(tmp_path / state, (tmp_path,), rest_url=at, login=login)


def journal(tmp_path: Path, upto: int, state: str = "state") -> None:
    """Write a journal to this entry."""
    written = FileJournal(tmp_path / state / "journal", durable=False)
    for seq in range(written.last_seq + 1, upto + 1):
        written.append(JournalEntry(envelope=Envelope(seq=seq, at=AT, event=ClockTicked())))
    written.close()


def test_a_first_start_has_lost_nothing(tmp_path: Path) -> None:
    """Nothing is noted, nothing is missing; the directory gets an identity that stays."""
    assert here(tmp_path).lost(["101"]) == {}
    identity = (tmp_path / "state" / IDENTITY).read_bytes()
    here(tmp_path)
    assert (tmp_path / "state" / IDENTITY).read_bytes() == identity


def test_only_what_was_enforced_is_missed(tmp_path: Path) -> None:
    """An account in shadow mode, and one that riskd was let go from, may begin anew."""
    here(tmp_path).write({"101": True, "102": False, "103": True}, 0)
    here(tmp_path).write({"103": False}, 0)
    shutil.rmtree(tmp_path / "state")
    assert here(tmp_path).lost(["101", "102", "103"]) == {"101": str(tmp_path / "state")}


def test_a_directory_that_is_still_there_is_named(tmp_path: Path) -> None:
    """Another directory is refused while the one that knows more is there, and taken once it was moved over it."""
    here(tmp_path, "old").write({"101": True}, 0)
    with pytest.raises(StillThere, match=r"state directory .*old, which is still there"):
        here(tmp_path, "new").lost(["101"])
    shutil.rmtree(tmp_path / "new")
    (tmp_path / "old").rename(tmp_path / "new")
    assert here(tmp_path, "new").lost(["101"]) == {}


def test_of_another_broker_or_account_nothing_is_said(tmp_path: Path) -> None:
    """Daemons may share a folder of configurations: each account of each broker is by itself."""
    here(tmp_path, "old").write({"101": True}, 0)
    assert here(tmp_path, "new", at="https://api.another.example").lost(["101"]) == {}
    assert here(tmp_path, "new").lost(["102"]) == {}


def test_practice_accounts_of_two_simulated_brokers_are_not_one(tmp_path: Path) -> None:
    """On this machine a port is a broker of its own."""
    here(tmp_path, "old", at="http://127.0.0.1:5001").write({"101": True}, 0)
    assert here(tmp_path, "new", at="http://127.0.0.1:5002").lost(["101"]) == {}
    with pytest.raises(StillThere):
        here(tmp_path, "new", at="http://127.0.0.1:5001").lost(["101"])


@pytest.mark.parametrize("at", [REST, f"{REST}/", f"{REST}:443", "https://API.example.com.", f"{REST}/api"])
@pytest.mark.parametrize("login", ["a login", "A Login", " a login", "my other name"])
def test_the_same_broker_may_be_written_in_many_ways(tmp_path: Path, at: str, login: str) -> None:
    """An account is known by its broker's host and its id, whatever else the address and the login look like."""
    here(tmp_path, "old").write({"101": True}, 0)
    with pytest.raises(StillThere):
        here(tmp_path, "new", at=at, login=login).lost(["101"])


def test_each_login_has_a_note_of_its_own(tmp_path: Path) -> None:
    """Two daemons do not write over each other's, and each knows what its own login has enforced."""
    here(tmp_path, login="one").write({"101": True}, 0)
    here(tmp_path, login="two").write({"102": True}, 0)
    assert len(list(tmp_path.glob(".riskd-*.json"))) == 2
    assert here(tmp_path, login="ONE").known == {"101"}
    assert here(tmp_path, login="two").known == {"102"}


def test_a_copy_that_was_put_back_is_older_than_the_note(tmp_path: Path) -> None:
    """The same identity with an older journal has lost what came since."""
    journal(tmp_path, 3)
    here(tmp_path).write({"101": True}, 3)
    assert here(tmp_path).lost(["101"]) == {}
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    journal(tmp_path, 7)
    here(tmp_path).write({"101": True}, 7)
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "copy").rename(tmp_path / "state")
    assert here(tmp_path).lost(["101"]) == {"101": str(tmp_path / "state")}


def test_the_newest_of_several_notes_counts(tmp_path: Path) -> None:
    """A note beside an old configuration does not bring an old directory back."""
    beside, among = tmp_path / "config", tmp_path / "settings"
    for folder in (beside, among, tmp_path / "old", tmp_path / "new"):
        folder.mkdir()
    Whereabouts(tmp_path / "old", (beside,), rest_url=REST, login="x").write({"101": True}, 0)
    Whereabouts(tmp_path / "new", (among,), rest_url=REST, login="x").write({"101": True}, 0)
    assert Whereabouts(tmp_path / "new", (beside, among), rest_url=REST, login="x").lost(["101"]) == {}


@pytest.mark.parametrize("text", ["", "{", '{"accounts": []}', "\xff"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    """Whatever stands there stops no start, and is written over."""
    here(tmp_path).write({"101": True}, 0)
    (note,) = tmp_path.glob(".riskd-*.json")
    note.write_bytes(text.encode("latin-1"))
    assert here(tmp_path, "new").lost(["101"]) == {}
    here(tmp_path, "new").write({"101": True}, 0)
    with pytest.raises(StillThere):
        here(tmp_path, "other").lost(["101"])


def test_a_folder_that_cannot_be_written_does_not_keep_the_other_note_from_being(tmp_path: Path) -> None:
    """The error comes after everything that could be written was."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, no folder", encoding="utf-8")
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError, match="blocked"):
        Whereabouts(tmp_path / "state", (blocked, tmp_path), rest_url=REST, login="x").write({"101": True}, 0)
    assert len(list(tmp_path.glob(".riskd-*.json"))) == 1


def test_the_last_entry_is_that_of_the_newest_file_with_a_line(tmp_path: Path) -> None:
    """No journal stands at entry 0; an empty newest file is passed over."""
    assert last_seq(tmp_path / "state") == 0
    journal(tmp_path, 2)
    (tmp_path / "state" / "journal" / "2026-03-11.jsonl").touch()
    assert last_seq(tmp_path / "state") == 2


def test_a_simulated_broker_is_noted_beside_the_configuration_only(tmp_path: Path) -> None:
    """Practice leaves nothing among the user's settings."""
    config = tmp_path / "config.json"
    assert notes_about(config, simulated=True) == (tmp_path,)
    assert len(notes_about(config, simulated=False)) == 2


def _state(*, armed: bool) -> AccountState:
    state = new_account("101", AT)
    return AccountState(account="101", trading_day=state.trading_day, day_ends_at=state.day_ends_at, armed=armed)


class _Announcing(Whereabouts):
    """Whereabouts that say when they have noted an entry."""

    def __init__(self, tmp_path: Path, entry: int) -> None:
        (tmp_path / "state").mkdir(exist_ok=True)
        super().__init__(tmp_path / "state", (tmp_path,), rest_url=REST, login="a login")
        self.noted = asyncio.Event()
        self._entry = entry
        self._loop = asyncio.get_running_loop()

    def write(self, enforced: Mapping[str, bool], seq: int) -> None:
        super().write(enforced, seq)
        if seq == self._entry:
            self._loop.call_soon_threadsafe(self.noted.set)


async def test_a_lockout_is_noted_while_riskd_runs(tmp_path: Path) -> None:
    """The note knows of a lockout's entry although riskd was never stopped."""
    logs = start_logs(now=lambda: AT, stream=io.StringIO())
    journal(tmp_path, 4)
    ready, places = asyncio.Event(), _Announcing(tmp_path, 5)
    noting = Noting(places, {"101": _state(armed=True)}, tmp_path / "state", logs.logger)
    task = asyncio.create_task(noting.run(ready))
    ready.set()
    lock = LockAccount(account="101", cause="DailyRealizedLoss", until=None, reason="")
    noting.heard(Envelope(seq=5, at=AT, event=ClockTicked()), Step(commands=(lock,)))
    await places.noted.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert here(tmp_path).lost(["101"]) == {"101": str(tmp_path / "state")}
    journal(tmp_path, 5)
    assert here(tmp_path).lost(["101"]) == {}
    logs.close()


def test_what_cannot_be_noted_is_logged(tmp_path: Path) -> None:
    """A folder that riskd may not write to stops nothing; the log says what follows from it."""
    output = io.StringIO()
    logs = start_logs(now=lambda: AT, stream=output)
    (tmp_path / "blocked").write_text("a file, no folder", encoding="utf-8")
    (tmp_path / "state").mkdir()
    places = Whereabouts(tmp_path / "state", (tmp_path / "blocked",), rest_url=REST, login="x")
    Noting(places, {"101": _state(armed=True)}, tmp_path / "state", logs.logger).end()
    logs.close()
    assert "if it is moved or deleted, riskd will not notice" in output.getvalue()

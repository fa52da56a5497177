"""One daemon per state directory."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riskd.daemon.instance import HOLDER_FILE, AlreadyRunning, SingleInstance

NOW = datetime(2026, 3, 10, 14, 31, tzinfo=UTC)


def test_a_second_daemon_is_told_in_one_sentence(tmp_path: Path) -> None:
    """The message says which directory, who has it since when, and what to do."""
    with SingleInstance(tmp_path, now=NOW), pytest.raises(AlreadyRunning) as caught:
        SingleInstance(tmp_path, now=NOW)
    assert str(caught.value) == (
        f"riskd already runs on the state directory {tmp_path} (process {os.getpid()}, since 2026-03-10 14:31:00 UTC). "
        f"Stop it first, or give this one a directory of its own."
    )


def test_the_next_one_may_have_it(tmp_path: Path) -> None:
    """After a release the directory is free, and nothing says that somebody runs on it."""
    first = SingleInstance(tmp_path, now=NOW)
    first.release()
    first.release()
    assert not (tmp_path / HOLDER_FILE).exists()
    SingleInstance(tmp_path, now=NOW).release()


def test_two_directories_are_two_daemons(tmp_path: Path) -> None:
    """A directory that does not exist yet is made; another one is no obstacle."""
    with SingleInstance(tmp_path / "a", now=NOW), SingleInstance(tmp_path / "b" / "c", now=NOW):
        assert (tmp_path / "b" / "c").is_dir()


def test_an_unreadable_name_is_left_out(tmp_path: Path) -> None:
    """Who holds the directory is only told where it is known."""
    with SingleInstance(tmp_path, now=NOW):
        (tmp_path / HOLDER_FILE).write_text("?")
        with pytest.raises(AlreadyRunning, match="another process"):
            SingleInstance(tmp_path, now=NOW)


HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from riskd.daemon.instance import SingleInstance
held = SingleInstance(Path(sys.argv[1]), now=datetime.now(UTC))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_killed_daemon_leaves_no_claim(tmp_path: Path) -> None:
    """The operating system lets go when the process ends, so a kill never needs a file deleted by hand."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=f"process {other.pid}"):
            SingleInstance(tmp_path, now=NOW)
        other.kill()
        other.wait()
    SingleInstance(tmp_path, now=NOW).release()

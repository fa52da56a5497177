"""``riskd demo`` as a trader runs it: a process of its own, the real daemon, and nothing left when it is over."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

DEMO = (sys.executable, "-c", "from riskd.app.main import main; main()", "demo")
WITHIN_S = 120
POSIX_ONLY = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows knows neither these signals nor pseudo-terminals"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give the demo a place of its own for temporary files, and see that neither file nor process stays there."""
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a demo whose temporary files go to a folder."""
    return {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder), **more}


def processes_of(folder: Path) -> list[list[str]]:
    """Return the command lines of processes that work in a folder: daemons of this test's demo."""
    found = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [line for line in found if any(str(folder) in argument for argument in line)]


def run(folder: Path, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a demo to its end."""
    return subprocess.run(
        [*DEMO, *options],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=WITHIN_S,
    )


def summary(folder: Path, *options: str) -> dict[str, Any]:
    """Return what a quick demo says with --json, which is all that it says."""
    done = run(folder, "--fast", "--json", *options)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def told(enforcement: dict[str, Any]) -> tuple[str, str, list[tuple[str, int, int]]]:
    """Return an enforcement without the figures that differ from run to run."""
    targets = [(each["symbol"], each["closed"], each["left"]) for each in enforcement["targets"]]
    return enforcement["rule"], enforcement["action"], targets


def test_the_day_ends_as_it_has_to(folder: Path) -> None:
    """Excess closed, loss locked and flattened, every new attempt undone, the lock held, the day reset, flat."""
    day = summary(folder, "--seed", "7")
    assert [told(each) for each in day["enforcements"]] == [
        ("MaxContracts", "close_position", [("ES", 1, 2)]),
        ("DailyRealizedLoss", "flatten_account", [("ES", 2, 0), ("MNQ", 2, 0)]),
        ("DailyRealizedLoss", "flatten_account", [("MNQ", 1, 0)]),
        ("DailyRealizedLoss", "cancel_order", []),
        ("DailyRealizedLoss", "flatten_account", [("MNQ", 1, 0)]),
        ("DailyRealizedLoss", "flatten_account", [("ES", 1, 0)]),
    ]
    times = [each["at"] for each in day["enforcements"]]
    assert times == sorted(times)
    assert all(each["account"] == "101" for each in day["enforcements"])
    assert all(0 < each["breach_to_sent_ms"] < each["breach_to_done_ms"] for each in day["enforcements"])
    facts = {key: value for key, value in day.items() if key != "enforcements"}
    assert facts == {
        "locked_until": "2026-03-17T22:00:00Z",
        "lock_survived_kill": True,
        "reset_at_17": True,
        "final_positions": {},
        "seed": 7,
        "closes_match": True,
        "loss_agrees": True,
        "small_trade_left_alone": True,
        "stopped_in_order": None if sys.platform == "win32" else True,
    }


@pytest.mark.slow
def test_one_seed_is_one_day(folder: Path) -> None:
    """The seed decides the whole summary but for the durations, and another seed makes another day."""
    first, again, other = (_without_durations(summary(folder, "--seed", seed)) for seed in ("3", "3", "4"))
    assert first == again
    assert first["enforcements"] != other["enforcements"]


def _without_durations(day: dict[str, Any]) -> dict[str, Any]:
    quick = ("breach_to_sent_ms", "breach_to_done_ms")
    enforcements = [{key: each[key] for key in each if key not in quick} for each in day["enforcements"]]
    return {**day, "enforcements": enforcements}


@pytest.mark.slow
def test_a_traders_own_limits_are_played(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """--rules takes the contract limit and the loss limit of a configuration, and says which rules it leaves out."""
    rules = tmp_path_factory.mktemp("rules") / "mine.json"
    block = {"rule": "SessionBlockOutside", "params": {"allowed_times": [{"start": "08:30", "end": "15:00"}]}}
    limits = (
        {"rule": "MaxContracts", "params": {"max_contracts": 2}},
        {"rule": "DailyRealizedLoss", "params": {"limit": "-400.00"}},
    )
    rules.write_text(json.dumps({"version": 1, "profiles": {"default": {"rules": [*limits, block]}}}))

    done = run(folder, "--fast", "--rules", str(rules))

    assert done.returncode == 0, done.stderr
    assert "not played here: SessionBlockOutside" in done.stdout
    assert "MaxContracts violated: 3 > 2, closed 1 ES" in done.stdout
    assert re.search(r"is (at|past) limit -400\.00 USD", done.stdout)


@pytest.mark.slow
def test_without_a_terminal_the_story_comes_as_lines(folder: Path) -> None:
    """Each thing that happens is one line, and the end says what fired, how quick it was and if the books agree."""
    done = run(folder, "--fast", COLUMNS="80")

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert re.search(r"09:31:48 +riskd +MaxContracts violated: 5 > 4, closed 1 ES\n +request sent after", done.stdout)
    assert re.search(r"flattened 2 ES, 2 MNQ +\d+\.\d ms +\d+\.\d ms", done.stdout)
    assert "the broker received 6 closes and 2 cancels: exactly those in riskd's log" in done.stdout
    assert "✗" not in done.stdout


MOMENTS = [
    ("rules:", signal.SIGINT),
    ("begins to fall", signal.SIGTERM),
    ("killed without warning", signal.SIGINT),
    ("still locked", getattr(signal, "SIGHUP", signal.SIGTERM)),
]


@POSIX_ONLY
@pytest.mark.slow
@pytest.mark.parametrize(("moment", "number"), MOMENTS, ids=[moment for moment, _ in MOMENTS])
def test_a_signal_at_any_moment_leaves_nothing_behind(folder: Path, moment: str, number: signal.Signals) -> None:
    """Ctrl+C, a polite kill and a closed terminal end the demo at once: folder and daemon go, one line says so."""
    with _started(folder, "--fast") as demo:
        assert demo.stdout is not None
        assert any(moment in line for line in demo.stdout)
        os.killpg(demo.pid, number)
        _, errors = demo.communicate(timeout=WITHIN_S)

    assert demo.returncode == 128 + number
    assert errors == f"riskd demo: ended by {number.name}; nothing is left behind\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the system has to end the daemon, and this one may not")
@pytest.mark.slow
def test_a_demo_that_is_shot_takes_its_daemon_along(folder: Path) -> None:
    """Even when the demo gets no chance to clean up, no daemon goes on for a broker that is gone."""
    with _started(folder, "--fast") as demo:
        assert demo.stdout is not None
        assert any("begins to fall" in line for line in demo.stdout)
        daemons = psutil.Process(demo.pid).children()
        demo.kill()
        gone, alive = psutil.wait_procs(daemons, timeout=WITHIN_S)

    assert (len(gone), alive) == (1, [])
    for left in folder.iterdir():
        shutil.rmtree(left)


@POSIX_ONLY
@pytest.mark.slow
def test_a_reader_that_goes_away_ends_the_demo(folder: Path) -> None:
    """When nobody reads the pipe any more, the demo stops without a complaint."""
    with _started(folder, "--fast") as demo:
        assert demo.stdout is not None
        demo.stdout.readline()
        demo.stdout.close()
        assert demo.stderr is not None
        errors = demo.stderr.read()
        demo.wait(timeout=WITHIN_S)

    assert (demo.returncode, errors) == (1, "")


def _started(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*DEMO, *options],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


@POSIX_ONLY
@pytest.mark.slow
def test_a_terminal_is_drawn_on_and_given_back(folder: Path) -> None:
    """On a terminal the demo draws on the second screen, and Ctrl+C brings the first one back."""
    import pty  # noqa: PLC0415 - Windows has none

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*DEMO],
        env=environment(folder, TERM="xterm-256color", COLUMNS="80", LINES="24"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as demo:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as screen:
            seen = _read_until(screen, b"what happens")
            os.killpg(demo.pid, signal.SIGINT)
            seen += _read_until(screen, b"nothing is left behind")
        demo.wait(timeout=WITHIN_S)

    assert demo.returncode == 128 + signal.SIGINT
    assert seen.index(b"\x1b[?1049h") < seen.index(b"riskd demo") < seen.index(b"\x1b[?1049l")


def _read_until(screen: IO[bytes], wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += screen.read(65536)
    return seen


@pytest.mark.slow
def test_a_daemon_that_does_not_come_up_is_told_with_its_last_words(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """When the daemon cannot start, the demo says so in a sentence, shows why, and exits with an error."""
    broken = tmp_path_factory.mktemp("broken")
    (broken / "filelock.py").write_text("raise ImportError('this file lock is broken')\n")

    path = os.pathsep.join([str(broken), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = run(folder, "--fast", "--json", PYTHONPATH=path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("riskd demo: riskd ended while it was to arm the account (exit code 1)\n")
    assert "this file lock is broken" in done.stderr

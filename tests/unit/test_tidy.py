"""The repository keeps its own promises: short, deterministic at the core, free of loose ends."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.unit import tidy

ROOT = Path(__file__).parents[2]

LONGER: dict[str, tuple[int, str]] = {}
"""The ratchet. Path, or path::function → (its length, why it may be longer). It only gets shorter."""

BROAD_EXCEPTS: dict[str, str] = {
    "src/riskd/engine/containment.py": "a rule that raises must not stop the other rules",
    "src/riskd/engine/judging.py": "a bug in one account must not cost the others their protection",
    "src/riskd/daemon/runtime.py": "one bad envelope must not end the protection of every account",
    "src/riskd/daemon/reloading.py": "a file that riskd fails on must not end the watching for the next one",
    "src/riskd/notifications/channels.py": "a service's plugin that fails in a way of its own has failed to deliver",
    "src/riskd/notifications/turns.py": "a thread that tells people must not end while riskd runs",
    "src/riskd/rules/registry.py": "another's rule that cannot be made must not take the other rules with it",
}
"""The places that may catch everything, once each, and what they are for."""

MARKED_EXCEPTIONS: dict[str, int] = {}
"""Path → number of `# tidy: reason` markers in it. A new one is a decision, so it is counted here."""

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root|work|opt|mnt)/\w|[A-Z]:\\\\?Users\\")
INDEX_OPTION = re.compile(r"(?i)://|--(?:extra-)?index(?:-url)?\b|--find-links|--trusted-host")
LOCKS = [
    *(f"requirements/{name}.txt" for name in ("runtime", "dev", "build", "lock")),
    *(f"tests/e2e/clients/{name}.txt" for name in ("project-x-py", "projectx-sdk", "topstep-client-py")),
]
LEFT_BEHIND = re.compile(r"(?i)\.(?:orig|rej|swp|bak|log|pyc|whl)$|(?:^|/)(?:\.env|secrets\.json)$")


@cache
def tracked() -> tuple[str, ...]:
    """Return the files of the repository that exist, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - git is found on the PATH everywhere
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return tuple(sorted(p for p in listed.stdout.split("\0") if p and (ROOT / p).is_file()))


@cache
def sources() -> tuple[tidy.Source, ...]:
    """Return every Python file of the repository."""
    return tuple(
        tidy.Source(path, (ROOT / path).read_text(encoding="utf-8")) for path in tracked() if path.endswith(".py")
    )


def product() -> list[tidy.Source]:
    """Return the files of riskd itself."""
    return [source for source in sources() if source.path.startswith("src/")]


def texts() -> list[tuple[str, str]]:
    """Return every text file with its path."""
    found = []
    for path in tracked():
        raw = (ROOT / path).read_bytes()
        if b"\0" not in raw:
            found.append((path, raw.decode("utf-8")))
    return found


def report(findings: list[tidy.Finding]) -> str:
    """Return findings as lines that an editor can jump to."""
    return "\n" + "\n".join(str(finding) for finding in findings)


def test_no_file_or_function_is_too_long() -> None:
    """A file stays under 600 lines and a function under 70, unless registered, and those only shrink."""
    found = {name: size for source in sources() for name, size in tidy.lengths(source).items()}
    grown = {n: s for n, s in found.items() if n not in LONGER or s > LONGER[n][0]}
    shrunk = [name for name in LONGER if name not in found]
    assert not grown, f"too long (file {tidy.MAX_FILE_LINES}, function {tidy.MAX_FUNCTION_LINES}): {grown}"
    assert not shrunk, f"no longer too long, remove from LONGER: {shrunk}"


def test_sources_are_tidy() -> None:
    """The core is deterministic, a TODO has a number, a suppression has a reason, a module has a name."""
    found = [finding for source in sources() for finding in tidy.findings(source)]
    assert not found, report(found)


def test_only_registered_places_catch_everything() -> None:
    """An error that nobody foresaw is a bug: it is contained at a few places and hidden at none."""
    found = [finding for source in product() for finding in tidy.broad_excepts(source)]
    allowed = dict.fromkeys(BROAD_EXCEPTS, 1)
    refused = []
    for finding in found:
        allowed[finding.path] = allowed.get(finding.path, 0) - 1
        if allowed[finding.path] < 0:
            refused.append(finding)
    unused = [path for path, left in allowed.items() if left > 0]
    assert not refused, report(refused)
    assert not unused, f"catches everything no longer, remove from BROAD_EXCEPTS: {unused}"


def test_exceptions_to_the_rules_of_the_core_are_counted() -> None:
    """A line of the core that breaks a rule says why, and is counted here."""
    found: dict[str, int] = {}
    for source in product():
        for line, comment in source.comments:
            if tidy.EXCEPTION_MARKER.search(comment) and source.excepted(line):
                found[source.path] = found.get(source.path, 0) + 1
    assert found == MARKED_EXCEPTIONS


def test_every_rule_has_a_test_file() -> None:
    """A rule without tests protects nobody: rules/x.py, which defines a rule, has test_rules/test_x.py."""
    rules = {Path(source.path).stem for source in product() if source.layer == "rules" and tidy.defines_rule(source)}
    tested = {p.stem.removeprefix("test_") for p in (ROOT / "tests/unit/test_rules").glob("test_*.py")}
    assert not rules - tested


def test_no_file_names_a_machine() -> None:
    """The repository works anywhere, so it names no directory of the machine it was written on."""
    found = [
        tidy.Finding(path, number, "a path of one machine; use one relative to the repository")
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert not found, report(found)


def test_no_file_is_left_behind() -> None:
    """Neither secrets nor what an editor or a build leaves behind is committed."""
    assert not [path for path in tracked() if LEFT_BEHIND.search(path)]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_is_pinned_hashed_and_names_no_index(name: str) -> None:
    """A lock says what to install, to the byte, and leaves the place to the machine that installs."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not INDEX_OPTION.search(text)
    requirements = re.split(r"\n(?=[a-z])", text.strip())
    unpinned = [r for r in requirements if not re.match(r"[a-z0-9.\-_]+==\S+ .*--hash=sha256:", r, re.DOTALL)]
    assert not unpinned


def test_build_files_name_no_index() -> None:
    """Where packages come from is the installing machine's business."""
    for path in ("Makefile", "make.ps1", "pyproject.toml", ".ci/run", ".ci/test-all"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not INDEX_OPTION.search(text), path


CORE_PATH = "src/riskd/engine/example.py"
REFUSED = [
    ("import time", "envelope"),
    ("from os import environ", "parameter"),
    ("import numpy", "may not import numpy"),
    ("import pydantic", "may not import pydantic"),
    ("import random", "derived from the inputs"),
    ("import threading", "the shell has the threads"),
    ("import asyncio", "the shell awaits"),
    ("datetime.now(UTC)", "envelope"),
    ("date.today()", "envelope"),
    ("x = 0.5", "Decimal"),
    ("x = float('1')", "Decimal"),
    ("def f(x: float) -> None: ...", "Decimal"),
    ("print('x')", "shell shows it"),
    ("open('x')", "shell reads"),
    ("hash('x')", "differs"),
    ("getattr(x, 'y')", "match on the type"),
    ("from typing import Any", "no Any"),
    ("async def f() -> None: ...", "awaits nothing"),
    ("for x in {1, 2}: pass", "sorted"),
    ("y = [x for x in set(z)]", "sorted"),
    ("def f(xs: frozenset[int]) -> None:\n    for x in xs: pass", "sorted"),
    ("def f() -> None:\n    xs = {1} | ys\n    for x in xs: pass", "sorted"),
    ("y = list({1, 2})", "sorted"),
    ("# TODO later", "issue"),
    ("# FIXME", "issue"),
    ("x = 1  # noqa", "why"),
    ("x = 1  # noqa: BLE001", "why"),
    ("x = 1  # type: ignore[misc]", "why"),
    ("x = 1  # pragma: no cover", "why"),
]
ACCEPTED = [
    "import datetime",
    "from msgspec import Struct",
    "from riskd.domain import money",
    "for x in sorted({1, 2}): pass",
    "xs = {1, 2}\ny = 3 in xs",
    "# TODO #12: a place for the safe band",
    "x = 1  # noqa: BLE001 - a rule that raises must not stop the others",
    "x = 1  # type: ignore[misc]  # the library has no types",
    "x = hash(y)  # tidy: y is an int",
    "def f(at: int) -> int:\n    return at",
]


@pytest.mark.parametrize(("code", "says"), REFUSED)
def test_tidy_refuses(code: str, says: str) -> None:
    """Each check can fail, and says what to write instead."""
    found = tidy.findings(tidy.Source(CORE_PATH, code))
    assert any(says in finding.what for finding in found), found


@pytest.mark.parametrize("code", ACCEPTED)
def test_tidy_accepts(code: str) -> None:
    """What is right passes, so that nobody learns to work around a check."""
    assert not tidy.findings(tidy.Source(CORE_PATH, code))


@pytest.mark.parametrize(
    "code",
    [
        "try: ...\nexcept Exception: ...",
        "try: ...\nexcept (ValueError, BaseException): ...",
        "try: ...\nexcept: ...",
        "with suppress(Exception): ...",
        "with contextlib.suppress(Exception): ...",
    ],
)
def test_tidy_finds_broad_excepts(code: str) -> None:
    """Catching everything is found in each of its spellings."""
    assert list(tidy.broad_excepts(tidy.Source("src/riskd/daemon/x.py", code)))


def test_tidy_finds_what_is_too_long() -> None:
    """A file of 601 lines and a function of 71 are found."""
    function = "def f() -> None:\n" + "    x = 1\n" * tidy.MAX_FUNCTION_LINES
    text = function + "y = 2\n" * (tidy.MAX_FILE_LINES - tidy.MAX_FUNCTION_LINES)
    found = tidy.lengths(tidy.Source("src/riskd/x.py", text))
    assert found == {"src/riskd/x.py": 601, "src/riskd/x.py::f": 71}


def test_tidy_lets_the_shell_do_its_work() -> None:
    """Outside the core, clocks, floats and coroutines are fine."""
    code = "import time\n\n\nasync def wait() -> float:\n    return time.monotonic() + 0.5\n"
    assert not tidy.findings(tidy.Source("src/riskd/daemon/clock.py", code))


@pytest.mark.parametrize("line", ["see /ho" + "me/ann/x", "C:\\Us" + "ers\\ann", "(/ro" + "ot/x)"])
def test_machine_paths_are_recognised(line: str) -> None:
    """A path into somebody's home is one wherever it stands in a line."""
    assert MACHINE_PATH.search(line)

"""Logs as operators and their tools read them."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from riskd.daemon.logs import Logs, start_logs

NOW = datetime(2026, 3, 10, 14, 31, 0, 250_000, tzinfo=UTC)
FULL = Path("/dev/full")
Line = dict[str, object]


class Log:
    """A running log whose lines are read after it was closed."""

    def __init__(self, *, secrets: tuple[str, ...] = (), level: int = logging.INFO, file: Path | None = None) -> None:
        """Start the log on a stream in memory."""
        self.stream = io.StringIO()
        self.logs = start_logs(now=lambda: NOW, stream=self.stream, secrets=secrets, level=level, file=file)

    def lines(self) -> list[Line]:
        """Close the log and return what was written."""
        self.logs.close()
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_the_well_known_keys_first() -> None:
    """Time, level and event lead, then account, entry and rule, wherever the caller put them."""
    log = Log()
    structlog.get_logger().warning("limit near", note="x", rule="MaxContracts", seq=7, account="101")
    log.logs.close()
    assert log.stream.getvalue() == (
        '{"at":"2026-03-10T14:31:00.250000Z","level":"warning","event":"limit near",'
        '"account":"101","seq":7,"rule":"MaxContracts","note":"x"}\n'
    )


def test_money_is_text() -> None:
    """A decimal is a string, so that no reader makes a float of it."""
    log = Log()
    structlog.get_logger().info("net", net=Decimal("-512.50"), parts=[Decimal("1.10")])
    assert log.lines()[0]["net"] == "-512.50"
    assert log.lines()[0]["parts"] == ["1.10"]


def test_a_secret_is_never_written() -> None:
    """Known values are hidden wherever they stand, and keys that hold secrets always are."""
    log = Log(secrets=("hunter22",))
    log.logs.hide(["tgram://1234:abcdef/99", ""])
    logger = structlog.get_logger()
    logger.info("login as hunter22", detail={"url": "https://x/?k=hunter22", "list": ["hunter22"]})
    logger.info("channel", url="tgram://1234:abcdef/99")
    logger.info("keys", api_key="anything", nested={"Token": "anything"})
    logging.getLogger("library").error("sent %s", "hunter22")
    text = json.dumps(log.lines())
    assert "hunter22" not in text
    assert "abcdef" not in text
    assert "anything" not in text
    assert log.lines()[0]["event"] == "login as ***"


def test_levels_below_the_one_asked_for_are_left_out() -> None:
    """Debugging costs nothing unless it is switched on."""
    log = Log(level=logging.WARNING)
    logger = log.logs.logger
    logger.debug("no")
    logger.info("no")
    logger.error("yes")
    assert [line["event"] for line in log.lines()] == ["yes"]


def test_what_libraries_log_is_in_the_same_stream() -> None:
    """A library's warning is a line like any other, a stack trace included; its chatter is not."""
    log = Log()
    logging.getLogger("aiohttp").info("chatter")
    try:
        int("broken")
    except ValueError:
        logging.getLogger("aiohttp").exception("cannot %s", "connect")
    (line,) = log.lines()
    assert (line["event"], line["level"], line["logger"]) == ("cannot connect", "error", "aiohttp")
    assert "ValueError: invalid literal" in str(line["exception"])


def test_an_exception_is_told_with_its_trace() -> None:
    """What went wrong is in the line, as text."""
    log = Log()
    try:
        int("broken")
    except ValueError:
        structlog.get_logger().exception("bug")
    assert "ValueError: invalid literal" in str(log.lines()[0]["exception"])


@pytest.mark.parametrize("odd", [{(1, 2): 3}, "\udcff", 2**70, object()])
def test_a_value_that_json_cannot_hold_loses_no_line(odd: object) -> None:
    """Whatever is logged, the line comes, and so does the next one."""
    log = Log()
    log.logs.logger.info("odd", value=odd)
    log.logs.logger.info("next")
    assert len(log.lines()) == 2


def test_a_file_gets_the_same_lines(tmp_path: Path) -> None:
    """With a file, what is on the stream is in the file as well, in a folder that is made for it."""
    log = Log(file=tmp_path / "logs" / "riskd.log")
    log.logs.logger.info("one", account="101")
    log.lines()
    assert (tmp_path / "logs" / "riskd.log").read_text() == log.stream.getvalue()


def test_a_reader_that_went_away_stops_nothing(tmp_path: Path) -> None:
    """When nobody reads the stream any more the file goes on."""
    log = Log(file=tmp_path / "riskd.log")
    log.stream.close()
    log.logs.logger.info("one")
    log.logs.logger.info("two")
    log.logs.close()
    assert len((tmp_path / "riskd.log").read_text().splitlines()) == 2


@pytest.mark.skipif(not FULL.exists(), reason="this system has no file that is always full")
def test_a_full_disk_prints_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be written loses its lines; the stream has them."""
    log = Log(file=FULL)
    log.logs.logger.info("one")
    log.logs.logger.info("two")
    assert len(log.lines()) == 2
    assert capsys.readouterr().err == ""


class _Blocked(io.StringIO):
    """A stream that hangs until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.go_on.wait(5)
        return super().write(text)


def test_beyond_the_bound_lines_are_counted() -> None:
    """A stream that hangs does not fill the memory; how much is missing is said."""
    stream = _Blocked()
    logs = start_logs(now=lambda: NOW, stream=stream, most_waiting=20)
    logs.logger.info("first")
    stream.reached.wait(5)
    for _ in range(20 + 3):
        logs.logger.info("flood")
    stream.go_on.set()
    logs.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["lines"] for line in lines if line["event"] == "log lines dropped"] == [3]
    assert len(lines) == 20 + 2


def test_plain_text_for_a_terminal() -> None:
    """A person at a terminal gets words instead of JSON."""
    stream = io.StringIO()
    logs = start_logs(now=lambda: NOW, stream=stream, plain=True)
    logs.logger.info("MaxContracts violated: 5 > 4, closed 1 ES", account="101")
    logs.close()
    assert "MaxContracts violated: 5 > 4, closed 1 ES" in stream.getvalue()
    assert "account=101" in stream.getvalue()


def test_after_closing_nothing_is_written_and_nothing_fails() -> None:
    """A late line from a thread that is still ending does no harm."""
    log = Log()
    logger = log.logs.logger
    log.logs.close()
    log.logs.close()
    logger.info("late")
    logging.getLogger("library").warning("late")
    assert isinstance(log.logs, Logs)
    assert log.lines() == []

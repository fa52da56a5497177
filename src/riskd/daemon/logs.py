"""Logs for operators: one JSON object a line, rendered and written by a thread of its own.

A call only stamps the event and puts it in a queue, so that what it costs is not paid between a breach and the close.
The journal is the record; a log line may be lost when the reader of the other end is gone, never the other way round.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TextIO, TypeGuard

import msgspec
import stamina.instrumentation
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from riskd.storage.durability import make_directory

REDACTED: Final = "***"
MOST_WAITING: Final = 10_000
_SHORTEST_SECRET: Final = 4
_SECRET_KEYS: Final = frozenset({"password", "api_key", "apikey", "token", "secret", "authorization", "access_token"})
_FIRST_KEYS: Final = ("at", "level", "event", "account", "seq", "rule")

Now = Callable[[], datetime]


class Logs:
    """The running log; made by ``start_logs``.

    Shape: ``logger`` is bound to it, for where a call must be cheapest; elsewhere ``structlog.get_logger()`` does.
    """

    def __init__(self, stream: TextIO | None, file: logging.Handler | None, *, plain: bool, most_waiting: int) -> None:
        """Start the thread."""
        self._queue: SimpleQueue[EventDict | None] = SimpleQueue()
        self._secrets: set[str] = set()
        self._stream = stream
        self._file = file
        self._most_waiting = most_waiting
        self._plain = _console(stream) if plain and stream else None
        self._dropped = 0
        self._bridge = _Bridge(self)
        self._thread = threading.Thread(target=self._run, name="riskd-logs", daemon=True)
        self._thread.start()

    @property
    def logger(self) -> FilteringBoundLogger:
        """Return a logger that writes here."""
        logger: FilteringBoundLogger = structlog.get_logger().bind()
        return logger

    def hide(self, secrets: Iterable[str]) -> None:
        """Never write these values; very short ones cannot be told from ordinary text and are left alone."""
        # A new set, since the log's own thread may be going through the old one.
        self._secrets = self._secrets | {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}

    def put(self, event: EventDict) -> None:
        """Take a stamped event; beyond the bound it is counted instead."""
        if self._queue.qsize() >= self._most_waiting:
            self._dropped += 1
        else:
            self._queue.put(event)

    def close(self) -> None:
        """Write what waits and stop; what is logged later goes nowhere."""
        if not self._thread.is_alive():
            return
        logging.getLogger().removeHandler(self._bridge)
        self._queue.put(None)
        self._thread.join()
        if self._file:
            with suppress(OSError):  # of a disk that is full
                self._file.close()

    def attach(self) -> None:
        """Hear what libraries log in the standard way, from warnings up."""
        logging.getLogger().addHandler(self._bridge)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            self._write(event)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._write({"at": event["at"], "level": "error", "event": "log lines dropped", "lines": dropped})

    def _write(self, event: EventDict) -> None:
        clean, line = rendered(event, self._secrets)
        if self._stream:
            self._show(self._plain(clean) if self._plain else line)
        if self._file:
            self._file.handle(logging.makeLogRecord({"msg": line}))

    def _show(self, line: str) -> None:
        try:
            if self._stream:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            self._stream = None  # whoever read it has gone; the file, if any, goes on


class _Bridge(logging.Handler):
    """Brings what libraries log into the same stream."""

    def __init__(self, logs: Logs) -> None:
        super().__init__(logging.WARNING)
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        event: EventDict = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            event["exception"] = logging.Formatter().formatException(record.exc_info)
        self._logs.put(event)


class _Sink:
    """What structlog writes to: hands the event over as it is."""

    def __init__(self, logs: Logs) -> None:
        self._put = logs.put

    def msg(self, event: EventDict) -> None:
        self._put(event)

    debug = info = warning = error = critical = msg


def start_logs(
    *,
    now: Now,
    stream: TextIO | None = sys.stdout,
    file: Path | None = None,
    level: int = logging.INFO,
    secrets: Iterable[str] = (),
    plain: bool = False,
    most_waiting: int = MOST_WAITING,
) -> Logs:
    """Send all logging to a stream and, where given, a file that is rotated at 10 MB with five kept.

    Shape: ``now`` is riskd's time. ``plain`` is for a person at a terminal. While ``most_waiting`` lines are not taken
    by the stream, further ones are only counted. There is one log per process: a second call takes over.
    Errors: OSError when the file cannot be opened.
    """
    logs = Logs(stream, _rotating(file) if file else None, plain=plain, most_waiting=most_waiting)
    logs.hide(secrets)
    logs.attach()

    def stamp(_: WrappedLogger, level_name: str, event: EventDict) -> EventDict:
        return {"at": now(), "level": level_name, **event}

    # Whoever tries something again says how it ended; that it was tried again is not worth a line each time.
    stamina.instrumentation.set_on_retry_hooks(())
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, stamp, structlog.processors.format_exc_info, _as_argument],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Sink(logs),
        cache_logger_on_first_use=False,
    )
    return logs


def _as_argument(_: WrappedLogger, __: str, event: EventDict) -> tuple[tuple[EventDict], dict[str, object]]:
    return (event,), {}


class _LogFile(RotatingFileHandler):
    """A file that is rotated; what it cannot take is lost, since there is nowhere to say so but the stream."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Go on without this line."""


def _rotating(file: Path) -> logging.Handler:
    make_directory(file.parent)
    return _LogFile(file, maxBytes=10_000_000, backupCount=5, encoding="utf-8", delay=False)


def _console(stream: TextIO) -> Callable[[Mapping[str, object]], str]:
    renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at")

    def show(event: Mapping[str, object]) -> str:
        return str(renderer(None, str(event.get("level", "")), dict(event)))

    return show


def rendered(event: Mapping[str, object], secrets: Iterable[str]) -> tuple[dict[str, object], str]:
    """Return an event as plain JSON values, the well-known keys first and secrets gone, and as one line of JSON.

    Shape: a value that JSON cannot hold is written as Python shows it; no event is lost for it.
    """
    hidden = tuple(secrets)
    try:
        return _rendered(event, hidden)
    except (TypeError, ValueError, RecursionError):
        return _rendered({key: value if key == "at" else ascii(value) for key, value in event.items()}, hidden)


def _rendered(event: Mapping[str, object], secrets: tuple[str, ...]) -> tuple[dict[str, object], str]:
    plain = msgspec.to_builtins(event, enc_hook=str, str_keys=True)
    ordered = {key: plain[key] for key in _FIRST_KEYS if key in plain} | plain
    clean = {key: _clean(key, value, secrets) for key, value in ordered.items()}
    return clean, msgspec.json.encode(clean).decode()


def _clean(key: str, value: object, secrets: tuple[str, ...]) -> object:
    if key.lower() in _SECRET_KEYS:
        return REDACTED
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return value
    if _is_mapping(value):
        return {name: _clean(name, inner, secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean("", inner, secrets) for inner in value]
    return value


def _is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)

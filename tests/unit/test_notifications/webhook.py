"""A service that takes notifications: a real HTTP server on this machine, in place of the one far away."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

import msgspec

from riskd.notifications.channels import Channel
from riskd.notifications.dispatcher import Patience
from riskd.notifications.service import NotificationConfig

QUICK = Patience(first_wait_s=0.002, later_s=(0.01,), warm_up_s=0)
"""The same retries as in earnest, without the waiting."""
PATIENT = Patience(first_wait_s=0.002, later_s=(3600,), warm_up_s=0)
"""Quick retries, and then nothing for as long as a test lasts."""


class Posted(msgspec.Struct, frozen=True):
    """One request as it arrived."""

    path: str
    body: dict[str, object]

    @property
    def text(self) -> str:
        """Return what a person would read, whatever the service calls it."""
        return str(self.body.get("message") or self.body.get("content") or self.body.get("text"))


class Webhook:
    """Answers each POST with ``status`` and keeps it; ``answers`` are used up first."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.status = 200
        self.answers: list[int] = []
        self.hang = threading.Event()
        self.hang.set()
        self.count = 0
        self._posted: SimpleQueue[Posted] = SimpleQueue()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.count += 1
                webhook._posted.put(Posted(self.path, json.loads(body)))
                webhook.hang.wait(20)
                self.send_response(webhook.answers.pop(0) if webhook.answers else webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self._server.server_address[1])

    def channel(self, name: str = "phone", **more: object) -> Channel:
        """Return a channel that leads here."""
        return msgspec.structs.replace(Channel(name=name, url=f"json://127.0.0.1:{self.port}/{name}"), **more)

    def config(self, outbox: Path, *, patience: Patience = PATIENT) -> NotificationConfig:
        """Return a configuration whose one channel leads here."""
        return NotificationConfig(channels=(self.channel(),), outbox=outbox, patience=patience)

    def next(self, timeout_s: float = 5) -> Posted:
        """Wait for the next request."""
        return self._posted.get(timeout=timeout_s)

    def nothing_came(self) -> bool:
        """Tell whether no request waits to be looked at."""
        try:
            self._posted.get_nowait()
        except Empty:
            return True
        return False

    def __enter__(self) -> Self:
        """Serve for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

"""What an admin asks of a running riskd: a file in the state directory, answered by another beside it.

Whoever may write there may ask; whether anything comes of it is for the core to say. What was asked before riskd
listened is refused: an old wish must not come true later.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec
from structlog.typing import FilteringBoundLogger

from riskd.domain.commands import Alert
from riskd.domain.decoding import UNDECODABLE
from riskd.domain.events import Envelope, LockoutReleased
from riskd.engine.step import Step
from riskd.ports import Control, ReadModel
from riskd.rules.registry import suggestion
from riskd.storage.durability import make_directory, write_whole

LOOK_EVERY_S: Final = 0.25
FOLDER: Final = "requests"
REQUEST: Final = ".request.json"
ANSWER: Final = ".answer.json"
_DONE: Final = "release"
_LONGEST: Final = 4096


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="release", tag_field="ask"):
    """Somebody wants an account to be released."""

    account: str
    by: str


class Answer(msgspec.Struct, frozen=True):
    """What came of a request, in one sentence."""

    done: bool
    text: str


_STARTING: Final = Answer(done=False, text="riskd was starting and had not heard the broker yet; ask again")


class Riskd(ReadModel, Control, Protocol):
    """A running riskd; ``ready`` is set once it has brought its accounts up."""

    ready: asyncio.Event


class AdminDesk:
    """Looks for requests, has them carried out, and answers each once."""

    def __init__(self, state_dir: Path, riskd: Riskd, log: FilteringBoundLogger) -> None:
        """Begin with ``run``; ``heard`` must be called after every step."""
        self._folder = state_dir / FOLDER
        self._riskd = riskd
        self._log = log
        self._told: list[Alert] = []

    def heard(self, envelope: Envelope, step: Step) -> None:
        """Take note of what a step said about a release."""
        if isinstance(envelope.event, LockoutReleased):
            self._told += [c for c in step.commands if isinstance(c, Alert) and c.kind.startswith(_DONE)]

    async def run(self) -> None:
        """Look, for ever; a folder that cannot be used is logged once until it works again."""
        failing = not self._looked(self._begin)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            failing = not self._looked(lambda: self._serve(self._answer), quiet=failing)

    def _looked(self, look: Callable[[], None], *, quiet: bool = False) -> bool:
        try:
            look()
        except OSError as error:
            if not quiet:
                self._log.error("requests", text=f"{self._folder} cannot be used: {error}")
            return False
        return True

    def _begin(self) -> None:
        make_directory(self._folder)
        for old in sorted(self._folder.glob(f"*{ANSWER}")):
            old.unlink()
        self._serve(lambda _: _STARTING)

    def _serve(self, answer: Callable[[bytes], Answer]) -> None:
        for file in sorted(self._folder.glob(f"*{REQUEST}")):
            text = file.read_bytes()[:_LONGEST]
            file.unlink()
            answered = answer(text)
            self._log.warning("request", text=answered.text, done=answered.done)
            leave(self._folder, file.name.removesuffix(REQUEST) + ANSWER, answered)

    def _answer(self, text: bytes) -> Answer:
        try:
            request = msgspec.json.decode(text, type=ReleaseRequest)
        except UNDECODABLE as error:
            return Answer(done=False, text=f"a request that cannot be read: {error}")
        known = [state.account for state in self._riskd.accounts()]
        if request.account not in known:
            near = suggestion(request.account, known)
            return Answer(
                done=False, text=f'riskd knows no account "{request.account}"{near}; it knows {", ".join(known)}'
            )
        if not self._riskd.ready.is_set():
            return _STARTING
        self._told.clear()
        self._riskd.release(request.account, request.by)
        for told in self._told:
            return Answer(done=told.kind == _DONE, text=told.text)
        return Answer(done=False, text="nothing came of it; look at riskd's log")


def leave(folder: Path, name: str, what: msgspec.Struct) -> None:
    """Put a file into the folder, whole at once.

    Errors: OSError.
    """
    write_whole(folder / name, msgspec.json.encode(what))

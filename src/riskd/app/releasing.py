"""``riskd-admin release``: ask the running riskd to let an account go, and hear what came of it."""

import getpass
from pathlib import Path
from time import monotonic, sleep
from typing import Final
from uuid import uuid4

import msgspec

from riskd.daemon.admin_desk import ANSWER, FOLDER, REQUEST, Answer, ReleaseRequest, leave
from riskd.daemon.instance import is_running

_PATIENCE_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.05


class NotAsked(Exception):
    """Nobody could be asked, or nobody answered; says why and what to do."""


def ask_for_release(state_dir: Path, account: str, *, patience_s: float = _PATIENCE_S) -> Answer:
    """Ask the riskd that runs on a state directory, and wait for its answer.

    Errors: NotAsked.
    """
    folder, name = state_dir / FOLDER, uuid4().hex
    try:
        if not is_running(state_dir):
            raise NotAsked(_nobody(state_dir))
        leave(folder, f"{name}{REQUEST}", ReleaseRequest(account=account, by=_user()))
        return _answer(folder, name, patience_s)
    except OSError as error:
        raise NotAsked(f"{folder}: cannot be used: {error.strerror or error}") from None


def _nobody(state_dir: Path) -> str:
    return (
        f"no riskd runs on {state_dir}, and only a running one releases an account: start it with riskd-admin run, or "
        "say with --config or --state-dir which one is meant"
    )


def _answer(folder: Path, name: str, patience_s: float) -> Answer:
    request, answer, until = folder / f"{name}{REQUEST}", folder / f"{name}{ANSWER}", monotonic() + patience_s
    while not answer.exists():
        if monotonic() > until:
            raise NotAsked(_silence(request))
        sleep(_LOOK_EVERY_S)
    try:
        return msgspec.json.decode(answer.read_bytes(), type=Answer)
    finally:
        answer.unlink()


def _silence(request: Path) -> str:
    """Take the request back, and say whether that was in time."""
    try:
        request.unlink()
    except FileNotFoundError:
        return "riskd took the request and has not answered; its log says what came of it"
    return "riskd runs but did not look at the request, which has been taken back; look at its log"


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "somebody without a name"

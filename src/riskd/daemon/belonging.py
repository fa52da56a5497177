"""Which broker a state directory belongs to: another one's days, trades and clock must never be booked into it.

A simulated broker on this machine says what time it is. Shown to the accounts of a real one it would end every lockout.
"""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from riskd.storage.durability import write_whole

FILE: Final = "broker.json"
THIS_MACHINE: Final = "this machine"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Belonging(msgspec.Struct, frozen=True):
    """The broker's host name, or that it is a simulated one on this machine."""

    broker: str


class AnotherBroker(Exception):
    """The state directory belongs to another broker; says which and what to do."""

    def __init__(self, directory: Path, owner: str, wanted: str) -> None:
        """Name both."""
        super().__init__(
            f"the state directory {directory} belongs to the accounts at {owner}, and the configuration names a broker "
            f"at {wanted}. Their days and lockouts must not mix: name the broker again, or give this one a directory "
            "of its own (paths.state)."
        )


def claim_for(directory: Path, rest_url: str) -> None:
    """Make sure that a state directory belongs to this broker; one that belongs to nobody does from now on.

    Errors: AnotherBroker; OSError when the directory cannot be read or written.
    """
    host = urlsplit(rest_url).hostname or ""
    wanted = THIS_MACHINE if host in _LOOPBACK else host
    owner = _owner(directory / FILE)
    if owner is None:
        write_whole(directory / FILE, msgspec.json.encode(Belonging(wanted)) + b"\n")
    elif owner != wanted:
        raise AnotherBroker(directory, owner, wanted)


def _owner(file: Path) -> str | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Belonging).broker
    except (FileNotFoundError, msgspec.MsgspecError):
        return None

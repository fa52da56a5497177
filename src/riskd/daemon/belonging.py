"""Which broker a state directory belongs to: another one's days, trades and clock must never be booked into it.

A simulated broker on this machine says what time it is. Shown to the accounts of a real one it would end every lockout.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from riskd.storage.durability import write_whole
from riskd.storage.journal_reading import last_broker
from riskd.storage.small_files import read_small

FILE: Final = "broker.json"
THIS_MACHINE: Final = "this machine"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Belonging(msgspec.Struct, frozen=True):
    """The broker's host names, or that it is a simulated one on this machine."""

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


def broker_name(addresses: Iterable[str]) -> str:
    """Return what tells a broker from another: the machines that it is reached at."""
    hosts = {urlsplit(address).hostname or "" for address in addresses}
    return THIS_MACHINE if hosts <= LOOPBACK else ", ".join(sorted(hosts))


def claim_for(directory: Path, wanted: str) -> None:
    """Make sure that a state directory belongs to this broker; one that belongs to nobody does from now on.

    Errors: AnotherBroker; OSError when the directory cannot be read or written.
    """
    # The file is easily edited, the journal is not: its lines are chained.
    for owner in (last_broker(directory / "journal"), _owner(directory / FILE)):
        if owner not in ("", wanted):
            raise AnotherBroker(directory, owner, wanted)
    write_whole(directory / FILE, msgspec.json.encode(Belonging(wanted)) + b"\n")


def _owner(file: Path) -> str:
    found = read_small(file, Belonging)
    return found.broker if found else ""

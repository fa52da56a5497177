"""Who was told in the run before, so that nobody is dropped between two runs without a word to those who are left.

Only the hash of an address is kept: it is a secret.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from riskd.daemon.configuration import UnderLockout
from riskd.notifications.channels import Channel
from riskd.storage.durability import write_whole
from riskd.storage.small_files import read_small

FILE: Final = "witnesses.json"


class Witnesses(msgspec.Struct, frozen=True):
    """Who is told, by the name of the channel, and what the administrator may do under a lockout."""

    channels: Mapping[str, str] = {}
    admin_under_lockout: UnderLockout = "refuse"

    def missing(self, channels: Iterable[Channel]) -> tuple[str, ...]:
        """Say which of them are not among these channels, or are among them as others."""
        now = _hashes(channels)
        said = [f"{name} removed" for name in self.channels if name not in now]
        return (
            *said,
            *(f"{name} changed" for name in self.channels if now.get(name, "") not in ("", self.channels[name])),
        )


def remembered(directory: Path) -> Witnesses:
    """Return those of the run before, nobody where that is not known."""
    return read_small(directory / FILE, Witnesses) or Witnesses()


def remember(directory: Path, channels: Iterable[Channel], admin_under_lockout: UnderLockout) -> None:
    """Write down who is told from now on.

    Errors: OSError.
    """
    text = msgspec.json.encode(Witnesses(_hashes(channels), admin_under_lockout))
    write_whole(directory / FILE, msgspec.json.format(text, indent=2) + b"\n")


def _hashes(channels: Iterable[Channel]) -> dict[str, str]:
    return {channel.name: hashlib.sha256(msgspec.json.encode(channel)).hexdigest() for channel in channels}

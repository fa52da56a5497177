"""Small files of one object each: they help riskd along, and it starts without them."""

from pathlib import Path
from typing import TypeVar

import msgspec

from riskd.domain.decoding import UNDECODABLE

T = TypeVar("T", bound=msgspec.Struct)


def read_small(path: Path, kind: type[T]) -> T | None:
    """Return what a file holds, None where there is none or where it holds anything else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, *UNDECODABLE):
        return None

"""Recorded data, which lies beside the checkout and is never part of it."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


def recorded(*parts: str) -> Path:
    """Return a file of recorded data; the test is skipped where it is not there."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the recorded data {'/'.join(parts)} is not beside this checkout")
    return path

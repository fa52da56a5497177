"""Keep the two ends of a measurement off each other's core, where the platform can."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> list[int]:
    """Return the cores that this process may use; none where the platform does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin_to(core: int | None) -> None:
    """Keep this process on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def pinned_apart() -> Iterator[int | None]:
    """Keep this process on its first core for a while; give the core that is left for the other."""
    before = cores()
    if len(before) < 2:
        yield None
        return
    pin_to(before[0])
    try:
        yield before[-1]
    finally:
        os.sched_setaffinity(0, set(before))

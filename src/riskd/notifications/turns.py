"""One turn of a thread's loop: what nobody foresaw is logged, and the next turn comes all the same."""

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.typing import FilteringBoundLogger


@contextmanager
def contained(log: FilteringBoundLogger, thread: str) -> Iterator[None]:
    """Let the thread go on whatever the block raises: one that ends would tell nobody anything for the whole run."""
    try:
        yield
    except Exception as error:
        log.critical("bug", text=f"the thread {thread} failed and goes on: {type(error).__name__}", exc_info=error)

"""The little of a structured logger that the adapter uses."""

from typing import Protocol


class Log(Protocol):
    """Takes an event's name and its facts."""

    def info(self, event: str, **facts: object) -> object:
        """Log what happened."""
        ...

    def warning(self, event: str, **facts: object) -> object:
        """Log what somebody should look at."""
        ...

    def error(self, event: str, **facts: object) -> object:
        """Log what went wrong."""
        ...

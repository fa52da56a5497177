"""The one way in which the demo ends early by itself."""

from collections.abc import Sequence


class DemoFailed(Exception):
    """What was to be shown did not happen; the text is one sentence for people.

    Shape: ``last_words`` are the daemon's last log lines where it is the daemon that failed.
    """

    def __init__(self, sentence: str, last_words: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.last_words = tuple(last_words)

"""How a checker says that a promise was broken."""


class Broken(AssertionError):
    """A promise was broken; the text says which, and how."""

    def __init__(self, promise: str, how: str) -> None:
        super().__init__(f"{promise}: {how}")
        self.promise = promise

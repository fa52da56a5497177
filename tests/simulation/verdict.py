"""How a checker says that a promise was broken, and what should have been."""

from datetime import datetime

from riskd.domain.commands import AnyCommand


class Broken(AssertionError):
    """A promise was broken; the text says which, and how.

    Shape: ``wanted`` is what should have been, in the words of a scenario, from ``since`` on where that is given;
    ``command`` is one that should not have been given. With ``reborn`` it shows when riskd starts again.
    """

    def __init__(
        self,
        promise: str,
        how: str,
        *,
        account: str | int = "",
        wanted: str = "",
        since: datetime | None = None,
        command: AnyCommand | None = None,
        reborn: bool = False,
    ) -> None:
        super().__init__(f"{promise}: {how}")
        self.promise = promise
        self.account = str(account)
        self.wanted = wanted
        self.since = since
        self.command = command
        self.reborn = reborn

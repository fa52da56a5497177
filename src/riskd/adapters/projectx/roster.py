"""The accounts that riskd watches through one login, and what can be enforced on each."""

from collections.abc import Iterable

import msgspec

from riskd.adapters.projectx.capabilities import Call, Capabilities, settle
from riskd.domain.events import AccountReported


class Listed(msgspec.Struct, frozen=True):
    """One account as the gateway lists it."""

    report: AccountReported
    simulated: bool | None


class Roster:
    """Knows whom to watch: the accounts that were named, or all that the login can see."""

    def __init__(self, named: tuple[str, ...]) -> None:
        self._named = named
        self._listed: dict[str, Listed] = {}
        self._capabilities: dict[str, Capabilities] = {}
        self._unnamed: dict[str, None] = {}
        self._gone: set[str] = set()
        self._heard = False

    def take(self, accounts: Iterable[Listed]) -> tuple[str, ...]:
        """Take the gateway's list and return the watched accounts that are new on it."""
        new, shown = [], tuple(accounts)
        self._heard = True
        self._gone = self._listed.keys() - {listed.report.account for listed in shown}
        for listed in shown:
            account = listed.report.account
            if self._named and account not in self._named:
                self._unnamed[account] = None
                continue
            if account not in self._listed:
                new.append(account)
                self._capabilities[account] = settle(account, simulated=listed.simulated)
            self._listed[account] = listed
        return tuple(new)

    def name(self, accounts: Iterable[str]) -> None:
        """Watch these as well from the next list on; with no names at all everything is watched already."""
        if self._named:
            self._named = tuple(dict.fromkeys((*self._named, *accounts)))

    def watched(self) -> tuple[str, ...]:
        """Return the watched accounts that the gateway knows, in its order."""
        return tuple(self._listed)

    def watches(self, account: str) -> bool:
        """Tell whether an account is watched and known to the gateway."""
        return account in self._listed

    def unnamed(self) -> tuple[str, ...]:
        """Return the accounts that the login can see and nobody has named."""
        return tuple(account for account in self._unnamed if account not in self._named)

    def missing(self) -> tuple[str, ...]:
        """Return the accounts that were named, or watched, and that the login does not show on its last list.

        Shape: empty before the first list.
        """
        if not self._heard:
            return ()
        never = (account for account in self._named if account not in self._listed)
        return (*never, *sorted(self._gone))

    def report(self, account: str) -> AccountReported | None:
        """Return what the list last said of an account."""
        listed = self._listed.get(account)
        return None if listed is None else listed.report

    def capabilities(self, account: str) -> Capabilities:
        """Return what can be enforced on an account."""
        return self._capabilities.get(account) or settle(account, simulated=None)

    def refused(self, account: str, call: Call, text: str) -> None:
        """Learn that the broker never does this on the account."""
        self._capabilities[account] = self.capabilities(account).refused(call, text)

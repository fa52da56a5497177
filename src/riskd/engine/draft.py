"""An account in the middle of a pass: what it has become so far, and what is to be commanded and told."""

from collections.abc import Iterable
from typing import Final

import msgspec

from riskd.domain.account_view import AccountView
from riskd.domain.commands import Alert, AnyCommand, Severity
from riskd.domain.violations import EnforcementAction
from riskd.engine.risk_engine import Finding

_replace: Final = msgspec.structs.replace


class Draft:
    """What the steps of one pass over one account hand on to each other.

    Shape: ``view`` is the account as the rules heard it, ``state`` what the pass has made of it. ``commands`` come in
    the order to carry them out: lock, closes, cancels, then snapshots and what people are told. ``begun`` holds the
    actions of which the first command has been given in this pass.
    """

    def __init__(
        self, view: AccountView, *, seq: int, findings: Iterable[Finding] = (), projected: Iterable[Finding] = ()
    ) -> None:
        """Work on the account of ``view``; only findings that are to be enforced belong here.

        Shape: ``projected`` are the findings about the account as it will be when the closes under way succeed.
        """
        self.view = view
        self.state = view.account
        self.at = view.at
        self.seq = seq
        self.findings = tuple(findings)
        self.projected = tuple(projected)
        self.begun: list[EnforcementAction] = []
        self._requests = 0
        self._commands: list[AnyCommand] = []
        self._told: list[AnyCommand] = []

    @property
    def commands(self) -> tuple[AnyCommand, ...]:
        """Return the commands of this pass, in order."""
        return (*self._commands, *self._told)

    def next_id(self) -> str:
        """Return an id for one more request of this pass."""
        self._requests += 1
        return f"{self.state.account}-{self.seq}-{self._requests}"

    def command(self, command: AnyCommand) -> None:
        """Have something carried out."""
        self._commands.append(command)

    def tell(self, news: AnyCommand) -> None:
        """Have people told, after everything that is to be carried out."""
        self._told.append(news)

    def alert(self, kind: str, severity: Severity, text: str) -> Alert:
        """Return an alert about this account."""
        return Alert(account=self.state.account, seq=self.seq, at=self.at, kind=kind, severity=severity, text=text)

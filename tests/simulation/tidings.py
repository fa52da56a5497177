"""Tidings, always owed: with AuthLossGuard a lost connection is told at once, and nothing is closed for it."""

from collections.abc import Sequence

from riskd.domain.commands import Alert, AnyCommand, ClosePosition
from riskd.domain.events import Link
from tests.simulation.verdict import Broken
from tests.simulation.world import World

RULE = "AuthLossGuard"


class Tidings:
    """Judges what riskd says when it loses sight of the broker."""

    def __init__(self, world: World) -> None:
        self._accounts = [str(plan.number) for plan in world.plan.accounts if plan.limits.guards_login]
        self._down: set[Link] = set()

    def began(self) -> None:
        """Hear of a new process, which has lost nothing yet."""
        self._down.clear()

    def back(self, link: Link) -> None:
        """Hear of a connection that is back."""
        self._down.discard(link)

    def lost(self, link: Link, commands: Sequence[AnyCommand]) -> None:
        """Judge what riskd did about a connection that it has just lost, each account being judged."""
        told = {c.account for c in commands if isinstance(c, Alert) and c.rule == RULE}
        silent = [account for account in self._accounts if account not in told]
        if silent and link not in self._down:
            raise Broken("tells of a lost connection", f"{link} is down and nobody of {silent} was told")
        if any(isinstance(c, ClosePosition) and c.rule == RULE for c in commands):
            raise Broken("tells of a lost connection", f"{link} is down and something was closed for it: {commands}")
        self._down.add(link)

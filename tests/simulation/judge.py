"""The judge: hears everything that is true and everything that riskd does, and asks each checker.

The checkers share nothing with the core: own sums, own calendar, own reading of the rules.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from riskd.domain.commands import Alert, AnyCommand, BrokerCommand, ClosePosition, LockAccount
from riskd.domain.events import ConnectionChanged, Envelope, Fill, Outcome, QuoteReported
from riskd.ports import JournalEntry
from riskd.simulator.exchange.exchange import Reply
from tests.simulation.chronicle import Chronicle
from tests.simulation.determinism import Replay
from tests.simulation.justice import Justice
from tests.simulation.lockouts import Lockouts
from tests.simulation.prices import Prices
from tests.simulation.promptness import Promptness
from tests.simulation.safety import Safety
from tests.simulation.tidings import Tidings
from tests.simulation.truth import AccountTruth, Change
from tests.simulation.world import World
from tests.simulation.wrongs import Wrongs

_REMEMBERED: Final = 60


class Judge:
    """Hears it all, in the order in which it happens."""

    def __init__(self, world: World) -> None:
        self._schedule = world.schedule
        self.story: deque[str] = deque(maxlen=_REMEMBERED)
        self.prices = Prices()
        self.lockouts = Lockouts(world)
        self.safety = Safety(world, self.lockouts)
        self.wrongs = Wrongs(world, self.prices, self.lockouts)
        self.promptness = Promptness(world, self.wrongs)
        self._costs: set[tuple[int, str]] = set()
        self.replay = Replay(world.compile_rules)
        self.chronicle = Chronicle()
        self.tidings = Tidings(world)
        self._digest = sha256()
        self._encode = msgspec.json.Encoder().encode
        self.justice = Justice(world, self.lockouts, self.wrongs, self.promptness)
        self._accounts = [plan.number for plan in world.plan.accounts]
        self.commands = 0
        self.alerts: list[Alert] = []

    def tell(self, what: str) -> None:
        """Add a line to the story that a failure shows."""
        self.story.append(f"{self._schedule.now:%m-%d %H:%M:%S.%f} {what}")

    # --- what is true ------------------------------------------------------------------------------------------

    def changed(self, account: int, change: Change) -> None:
        """Hear of a position that changed at the exchange."""
        self.tell(f"{account} {change.contract} {change.before} -> {change.after} by order {change.order_id}")
        self.safety.changed(account, change)
        self.wrongs.changed(account, change)
        self.justice.looked(account)
        self.promptness.look(account)
        self.lockouts.changed(account)

    def look(self, accounts: Iterable[int]) -> None:
        """Look at accounts of which something happened at the exchange."""
        for account in accounts:
            self.justice.looked(account)
            self.promptness.look(account)

    def told_of(self, fill: Fill) -> None:
        """Hear of a trade that has reached riskd."""
        if fill.commission is not None:
            self._costs.add((int(fill.account), fill.contract))

    def costs_known(self, account: int, truth: AccountTruth) -> bool:
        """Tell whether riskd can know what every trade of an account cost."""
        return all((account, deal.contract) in self._costs for deal in truth.deals.values())

    def quoted(self, quote: QuoteReported) -> None:
        """Hear of prices that have reached riskd."""
        self.prices.quoted(quote)
        self.look(self._accounts)

    # --- what riskd does ---------------------------------------------------------------------------------------

    def journalled(self, entry: JournalEntry) -> None:
        """Hear of a line in the journal."""
        self.replay.journalled(entry)
        self._digest.update(self._encode(entry.commands))
        for command in entry.commands:
            self.tell(f"  {entry.envelope.seq} {msgspec.json.encode(command).decode()}")
            if isinstance(command, LockAccount):
                self.justice.locked(command)
        if entry.commands:
            self.lockouts.journalled(entry)

    def processed(self, envelope: Envelope, commands: tuple[AnyCommand, ...]) -> None:
        """Hear of an event that riskd has taken, and of what it commanded."""
        self.chronicle.note(self._schedule.now, envelope, commands)

    def connection(self, event: ConnectionChanged) -> None:
        """Hear of a connection that riskd, with every account armed, has lost or has back."""
        if event.up:
            self.tidings.back(event.link)
        else:
            self.tidings.lost(event.link, self.chronicle.heard[-1].commands)

    @property
    def digest(self) -> str:
        """Return a text that is the same for the same commands."""
        return self._digest.hexdigest()

    def alerted(self, alert: Alert) -> None:
        """Hear of what people are told."""
        self.alerts.append(alert)

    def sent(self, command: BrokerCommand, *, arrives: bool) -> None:
        """Hear of a request that has left."""
        self.commands += 1
        if isinstance(command, ClosePosition):
            self.justice.closed(command)
        self.safety.sent(command, arrives=arrives)

    def reached(self, command: BrokerCommand, reply: Reply) -> None:
        """Hear of a request that the exchange has acted on."""
        self.tell(f"  {command.command_id} reached the exchange: {reply.code} order {reply.order_id}")
        self.safety.reached(command, reply)

    def answered(self, command: BrokerCommand, outcome: Outcome) -> None:
        """Hear of an outcome that riskd has been told."""
        self.tell(f"  {command.command_id} {outcome}")
        self.safety.answered(command, outcome)

    def read(self, account: int, began_at: datetime) -> None:
        """Hear of a snapshot that riskd has been told."""
        self.safety.read(account, began_at)
        self.justice.read()

    def died(self) -> None:
        """Hear of a crash."""
        self.tell("riskd died")
        self.safety.died()
        self.tidings.began()
        self.prices.forget()

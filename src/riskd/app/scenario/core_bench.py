"""The inside of the bare core's world: riskd's process and the broker's desk, wired to each other, and their time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from riskd.app.scenario.broker_desk import BrokerDesk
from riskd.app.scenario.ledger import ledgers
from riskd.app.scenario.noticed import Noticed
from riskd.app.scenario.process import Process
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import CannotHappen, Setup
from riskd.domain.account_view import AccountView
from riskd.domain.calendar import day_start, trading_day
from riskd.domain.events import AnyEvent, ClockTicked, Fill, RulesApplied, RulesProposed
from riskd.engine.core import Core
from riskd.engine.step import Step
from riskd.rules.contract import Compile

_MOST_EVENTS_AT_ONCE: Final = 5_000


class Bench:
    """riskd and its broker, one thread, no waiting; ``now`` moves only when it is told to."""

    def __init__(self, setup: Setup, compile_rules: Compile, symbols: Symbols, now: datetime) -> None:
        """Wire them up; nothing has been published yet."""
        self.now = now
        self.symbols = symbols
        self.configured: dict[str, str] = dict(setup.rules)
        self.noticed = Noticed()
        self.process = Process(compile_rules, self._stepped)
        self.desk = BrokerDesk(
            riskd=self,
            symbols=symbols,
            manual=setup.manual,
            fees=setup.fees,
            ledgers=ledgers(tuple(setup.rules), setup.balances),
        )
        self._events_now = 0

    @property
    def core(self) -> Core:
        """Return the core of the process that runs now."""
        return self.process.core

    @property
    def seq(self) -> int:
        """Return the number of the last event that riskd processed."""
        return self.process.seq

    def view(self, account: str) -> AccountView:
        """Return an account as riskd sees it now."""
        return self.core.state_manager.view(account, self.now)

    def publish(self, event: AnyEvent) -> None:
        """Let riskd process an event now.

        Errors: CannotHappen when riskd and the broker keep each other busy without end.
        """
        self._events_now += 1
        if self._events_now > _MOST_EVENTS_AT_ONCE:
            raise CannotHappen(expected="riskd to come to rest", actual="it goes on commanding without end")
        self.process.publish(event, at=self.now, broker_at=event.at if isinstance(event, Fill) else None)

    def advance(self, to: datetime) -> None:
        """Let everything due up to and including ``to`` fire at its own time."""
        while (due := self._next_due()) is not None and due <= to:
            self._go_to(due)
            deadline = self.core.next_deadline()
            if deadline is not None and deadline <= due:
                self.publish(ClockTicked())
            self.desk.answer()
        self._go_to(to)

    def begin_process(self) -> None:
        """Give riskd what it is given at every start: its configuration, the broker's view, and the prices of now."""
        for account, spec in self.configured.items():
            state = self.core.state_manager.accounts.get(account)
            if state is None:
                self.publish(RulesApplied(account=account, spec=spec))
            elif spec != (state.pending.spec if state.pending is not None else state.rules):
                self.propose(account, spec)
        self.report_everything()

    def propose(self, account: str, spec: str) -> None:
        """Change an account's rules in the configuration; riskd decides what of it applies when."""
        self.configured[account] = spec
        self.publish(RulesProposed(account=account, spec=spec))

    def report_everything(self) -> None:
        """Let the broker tell everything, as after every new connection."""
        since = day_start(trading_day(self.now))
        for account in self.configured:
            self.desk.report_account(account, since=since)
        for quote in tuple(self.desk.quotes.values()):
            self.publish(quote)

    def _stepped(self, seq: int, step: Step) -> None:
        for violation in step.violations:
            self.noticed.violation(violation)
        if step.commands:
            held = self._held()
            for command in step.commands:
                self.noticed.command(seq, command, held)
            self.desk.take(step.commands)

    def _held(self) -> Mapping[str, Mapping[str, int]]:
        accounts = self.core.state_manager.accounts
        return {name: {c: p.quantity for c, p in state.positions.items()} for name, state in accounts.items()}

    def _next_due(self) -> datetime | None:
        times = (self.core.next_deadline(), self.desk.next_request_at())
        return min((at for at in times if at is not None), default=None)

    def _go_to(self, at: datetime) -> None:
        if at > self.now:
            self.now, self._events_now = at, 0

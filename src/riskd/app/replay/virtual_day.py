"""A core whose clock is the recorded day's: every timer fires in its place, and nothing waits."""

from collections.abc import Callable, Mapping
from datetime import datetime

from riskd.app.replay.book import Day
from riskd.domain.account import AccountState
from riskd.domain.account_view import AccountView
from riskd.domain.calendar import day_end, day_start
from riskd.domain.events import (
    AccountArmed,
    AnyEvent,
    ClockTicked,
    DaemonStarted,
    Envelope,
    Fill,
    RulesApplied,
    SnapshotReported,
)
from riskd.domain.instruments import symbol_of_contract
from riskd.engine.core import Core
from riskd.engine.step import Step
from riskd.rules.contract import Compile, Rulebook

OnStep = Callable[[Step], None]


class VirtualDay:
    """One account's TradingDay from flat; ``now`` moves only when it is told to."""

    def __init__(self, day: Day, compile_rules: Compile, on_step: OnStep) -> None:
        """Stand at the day's beginning with an account that nothing is known of."""
        self.account = day.account
        self.core = Core(compile_rules)
        self.now = day_start(day.trading_day)
        self.seq = 0
        self._ends_at = day_end(day.trading_day)
        self._on_step = on_step

    def begin(self, spec: str | None) -> None:
        """Reconcile the account as flat, and arm it; without ``spec`` it has no rules."""
        self.publish(DaemonStarted())
        if spec is not None:
            self.publish(RulesApplied(account=self.account, spec=spec))
        self.publish(SnapshotReported(account=self.account, asked_seq=self.seq, positions=(), orders=(), fills=()))
        self.publish(AccountArmed(account=self.account))

    @property
    def state(self) -> AccountState:
        """Return the account as it is now."""
        return self.core.state_manager.accounts[self.account]

    @property
    def view(self) -> AccountView:
        """Return the account as rules see it now."""
        return self.core.state_manager.view(self.account, self.now)

    @property
    def rulebook(self) -> Rulebook:
        """Return the rules in force.

        Errors: KeyError where the day began without any.
        """
        return self.core.rulebooks[self.account]

    @property
    def held(self) -> Mapping[str, int]:
        """Return what is held now, signed contracts by symbol."""
        return {symbol_of_contract(c): p.quantity for c, p in sorted(self.state.positions.items())}

    def publish(self, event: AnyEvent) -> None:
        """Let the core process an event now."""
        self.seq += 1
        broker_at = event.at if isinstance(event, Fill) else None
        self._on_step(self.core.step(Envelope(seq=self.seq, at=self.now, event=event, broker_at=broker_at)))

    def due(self, to: datetime) -> datetime | None:
        """Return the next timer's time, None where none is due up to and including ``to`` or before the day ends."""
        due = self.core.next_deadline()
        return due if due is not None and due <= to and due < self._ends_at else None

    def tick(self, at: datetime) -> None:
        """Let a timer fire."""
        self.go_to(at)
        self.publish(ClockTicked())

    def go_to(self, at: datetime) -> None:
        """Move the clock; it never goes back."""
        self.now = max(self.now, at)

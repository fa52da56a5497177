"""One life of riskd: the real core, bus, executor, restoring and arming, wired as in the daemon, without a loop.

It can die between any two of its doings: before a step, after it, before or after its journal line, between two
requests of one step. What it leaves is what the disk had got by then.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from riskd.daemon.arming import self_test
from riskd.daemon.execution import Executor, Stopwatch
from riskd.daemon.restoring import restored
from riskd.domain.account import AccountState
from riskd.domain.commands import Alert, AnyCommand, BrokerCommand, RequestSnapshot
from riskd.domain.events import (
    AccountArmed,
    AnyEvent,
    ClockTicked,
    DaemonStarted,
    Envelope,
    InstrumentReported,
    QuoteReported,
    RulesApplied,
)
from riskd.engine.core import Core
from riskd.engine.enforcement_engine import EnforcementEngine
from riskd.engine.event_bus import EventBus
from riskd.ports import Broker, JournalEntry
from riskd.storage.snapshot_timing import SnapshotTiming
from tests.simulation.clocks import Machine, RiskdClock
from tests.simulation.disk import Disk
from tests.simulation.schedule import ms
from tests.simulation.world import World

_SAVED_WITHIN: Final = ms(1000)
_QUIET_LOG: Final[FilteringBoundLogger] = structlog.wrap_logger(
    structlog.ReturnLogger(), processors=[], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
).bind()


class Crashed(Exception):
    """The process died; raised through whatever it was doing."""


class Death(StrEnum):
    """Where in the way of one event a process can die."""

    BEFORE_STEP = "before_step"
    BEFORE_JOURNAL = "before_journal"
    AFTER_JOURNAL = "after_journal"
    BETWEEN_REQUESTS = "between_requests"
    AFTER_REQUESTS = "after_requests"


class Requests(Protocol):
    """The adapter's half that the process calls: the broker port without its connections."""

    def execute(self, command: BrokerCommand) -> None:
        """Send one request."""
        ...

    def request_snapshot(self, command: RequestSnapshot) -> None:
        """Start reading an account."""
        ...


class Witness(Protocol):
    """Hears of what a process does, for the judge."""

    def journalled(self, entry: JournalEntry) -> None:
        """Hear of a line that is in the journal."""
        ...

    def processed(self, envelope: Envelope, commands: tuple[AnyCommand, ...]) -> None:
        """Hear of an event that riskd has taken, and of what it commanded."""
        ...

    def alerted(self, alert: Alert) -> None:
        """Hear of what people are told."""
        ...


class Process:
    """One life, from its start on what lies on the disk."""

    def __init__(
        self,
        world: World,
        disk: Disk,
        rules: Mapping[str, str],
        *,
        machine: Machine,
        witness: Witness,
        on_death: Callable[[], None],
    ) -> None:
        self._schedule = schedule = world.schedule
        self._compile = world.compile_rules
        self._rules = rules
        self._witness = witness
        self._on_death = on_death
        self.alive = True
        self.dies: Death | None = None
        self._requests: Requests | None = None
        self._alarm_at: datetime | None = None
        self._alarms = 0
        journal, store = disk.open()
        self._journal, self._store = journal, store
        last_seq, last_at = disk.last()
        self.clock = RiskdClock(schedule, machine, last_at)
        self._now = self.clock.now
        saved = store.load()
        after = 0 if disk.problems() else min((seq for _, seq in saved.values()), default=0)
        self._doubtful = bool(disk.problems())
        self._last_at = last_at
        self._to_arm: set[str] = set()
        self.core = Core(self._compile, EnforcementEngine(self.receive))
        self.core.restore(restored(saved, disk.tail(after), self._compile))
        self.bus = EventBus(self._handle, now=self._now, on_overflow=self._overflow, last_seq=last_seq, last_at=last_at)
        self._executor = Executor(self._broker, self, _QUIET_LOG, Stopwatch())
        self._timing = SnapshotTiming()
        self._saving = False
        self._saved: dict[str, AccountState] = dict(self.core.state_manager.accounts)

    # --- its life ----------------------------------------------------------------------------------------------

    def start(self, requests: Requests) -> None:
        """Begin: resume what is on the disk and apply the rules."""
        self._requests = requests
        self.receive(DaemonStarted(doubtful=self._doubtful, last_at=self._last_at))
        for account, spec in self._rules.items():
            state = self.core.state_manager.accounts.get(account)
            if state is None or state.rules != spec:
                self.receive(RulesApplied(account=account, spec=spec))

    def learn(self, instruments: list[InstrumentReported]) -> None:
        """Take the broker's contract records."""
        for report in instruments:
            self.receive(report)

    def arm(self) -> None:
        """Arm every account as soon as it is reconciled; most are by now."""
        self._to_arm = set(self._rules)
        self._arm_reconciled()

    @property
    def ready(self) -> bool:
        """Tell whether every account is reconciled and armed."""
        states = self.core.state_manager.accounts
        return all(
            account in states and states[account].armed and states[account].reconciled for account in self._rules
        )

    def _arm_reconciled(self) -> None:
        states = self.core.state_manager.accounts
        for account in sorted(a for a in self._to_arm if a in states and states[a].reconciled):
            self._to_arm.discard(account)
            self_test(self.core, account, self._compile, self._now())
            if not states[account].armed:
                self.receive(AccountArmed(account=account))

    def receive(self, event: AnyEvent, broker_at: datetime | None = None) -> None:
        """Take one event, with all that it causes, the process's own death included."""
        if not self.alive:
            return
        try:
            self.bus.publish(event, broker_at=broker_at)
        except Crashed:
            self._on_death()

    def notify(self, alert: Alert) -> None:
        """Take an alert for delivery: people hear of it."""
        self._witness.alerted(alert)

    # --- the way of an event -----------------------------------------------------------------------------------

    def _handle(self, envelope: Envelope) -> None:
        self._die(Death.BEFORE_STEP)
        step = self.core.step(envelope)
        self._die(Death.BEFORE_JOURNAL)
        self._witness.processed(envelope, step.commands)
        if not isinstance(envelope.event, QuoteReported) or step.evaluated:
            entry = JournalEntry(envelope=envelope, market=step.market, commands=step.commands)
            self._journal.append(entry)
            self._witness.journalled(entry)
        if step.commands:
            self._die(Death.AFTER_JOURNAL)
            self._carry_out(envelope.seq, step.commands)
            self._die(Death.AFTER_REQUESTS)
        for account in step.changed:
            self._note(account)
        self._set_alarm()
        if self._to_arm:
            self._schedule.after(ms(1), self._arm_reconciled)

    def _carry_out(self, seq: int, commands: tuple[AnyCommand, ...]) -> None:
        if self.dies is Death.BETWEEN_REQUESTS and len(commands) > 1:
            self._executor.carry_out(seq, 0, commands[: len(commands) // 2])
            self._die(Death.BETWEEN_REQUESTS)
        self._executor.carry_out(seq, 0, commands)

    def _broker(self) -> Broker | None:
        return self._requests  # type: ignore[return-value] # connections are not what is tried here

    def _die(self, where: Death) -> None:
        if self.dies is where:
            self.alive = False
            raise Crashed

    def _overflow(self, event: AnyEvent) -> None:
        raise AssertionError(f"the queue overflowed at {event}")

    # --- state and alarm ---------------------------------------------------------------------------------------

    def _seconds(self) -> float:
        return self._schedule.now.timestamp()

    def _note(self, account: str) -> None:
        state = self.core.state_manager.accounts[account]
        if self._timing.changed(self._saved.get(account), state, self._seconds()):
            self._save(account)
        elif not self._saving and self._timing.next_at is not None:
            self._saving = True
            self._schedule.after(_SAVED_WITHIN, self._save_what_is_due)

    def _save(self, account: str) -> None:
        self._saved[account] = self.core.state_manager.accounts[account]
        self._store.save(self.core.state_manager.to_write(account), self.bus.last_seq)

    def _save_what_is_due(self) -> None:
        self._saving = False
        if self.alive:
            for account in self._timing.due(self._seconds()):
                self._save(account)

    def _set_alarm(self) -> None:
        due = self.core.next_deadline()
        if due == self._alarm_at:
            return
        self._alarm_at = due
        self._alarms += 1
        reached_at = None if due is None else self.clock.reaches(due)
        if reached_at is not None:
            number = self._alarms
            self._schedule.at(reached_at, lambda: self._ring(number))

    def _ring(self, number: int) -> None:
        if self.alive and number == self._alarms:
            early = self._alarm_at is not None and self._now() < self._alarm_at
            self._alarm_at = None
            if early:
                self._set_alarm()
            else:
                self.receive(ClockTicked())

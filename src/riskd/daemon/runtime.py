"""The daemon: wires the core to the world and keeps it running.

One call stack from a frame on the socket to the bytes of a close: the adapter publishes, the bus hands the event to
``_handle``, the core steps, the journal line is written, the requests go out. Everything else waits its turn.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from structlog.typing import FilteringBoundLogger

from riskd.adapters.projectx.sdk_adapter import ProjectXBroker
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.adapters.tasks import Tasks
from riskd.daemon.belonging import broker_name
from riskd.daemon.clock import BrokerClock
from riskd.daemon.configuration import Arming, UnderLockout, Wanted, changed_sections
from riskd.daemon.execution import Executor, Stopwatch
from riskd.daemon.life import away, sign_of_life, stopping
from riskd.daemon.recorder import Recorder
from riskd.daemon.restoring import restored, standing
from riskd.daemon.second_person import SecondPerson
from riskd.daemon.status import status
from riskd.daemon.telling import Teller
from riskd.daemon.timer import Alarm, WatchedClock
from riskd.daemon.vigil import PATIENCE_S, Vigil
from riskd.daemon.watched_accounts import Confirm, WatchedAccounts
from riskd.domain.account import AccountState
from riskd.domain.commands import RequestSnapshot, Severity
from riskd.domain.events import AnyEvent, ClockTicked, CloseRequested, DaemonStarted, Envelope, LockoutReleased
from riskd.engine.core import Core
from riskd.engine.enforcement_engine import EnforcementEngine
from riskd.engine.event_bus import EventBus
from riskd.engine.step import Step
from riskd.notifications.dead_man import DeadMan, DeadManPing, Sign
from riskd.notifications.service import NotificationConfig, NotificationService
from riskd.ports import Clock
from riskd.rules.registry import compile_rulebook
from riskd.storage.journal import ChainBreak, FileJournal, read_journal, read_lockouts
from riskd.storage.state_store import JsonStateStore

_OVERFLOW_READS: Final = timedelta(minutes=5)
_START: Final = "start"
Listener = Callable[[Envelope, Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    """What one run of the daemon is made of.

    Shape: ``rules`` maps account id to the canonical text of its rules, ``unlisted`` is that of the login's other
    accounts, None where they are only reported. ``confirm`` is None where nobody can be asked.
    ``at_start`` are the sections of the configuration that only a start takes over. ``killed`` says that the run before
    did not come to its end. ``lost`` maps the accounts of which what was last written is not here to where it was.
    Units: ``status_every_s`` real seconds between status lines in the log, None for none; ``patience_s`` for how many
    an account may be unprotected before people are told.
    """

    state_dir: Path
    rules: Mapping[str, str]
    broker: ProjectXSettings
    notifications: NotificationConfig
    arming: Arming = "shadow"
    confirm: Confirm | None = field(default=None)
    status_every_s: float | None = None
    unlisted: str | None = None
    at_start: Mapping[str, object] = field(default_factory=dict)
    admin_under_lockout: UnderLockout = "refuse"
    dead_man: DeadMan | None = None
    killed: bool = False
    lost: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = PATIENCE_S

    @property
    def broker_name(self) -> str:
        """Return what tells this broker from another."""
        return broker_name((self.broker.rest_url, self.broker.user_hub_url, self.broker.market_hub_url))


class Runtime:
    """One daemon over one state directory and one login."""

    def __init__(self, settings: RuntimeSettings, log: FilteringBoundLogger) -> None:
        """Open the files and bring the accounts back; nothing is connected yet.

        Errors: OSError when the state directory cannot be used.
        """
        self._settings = settings
        self.log = log
        self.ready = asyncio.Event()
        self.failed = asyncio.Event()
        self.failure = ""
        self._received_ns = 0
        self._tasks = Tasks()
        self._listeners: list[Listener] = []
        self._journal = FileJournal(settings.state_dir / "journal", on_trouble=self._storage_trouble)
        self._store = JsonStateStore(
            settings.state_dir, journal_head=lambda: self._journal.head, on_trouble=self._storage_trouble
        )
        self._broker_clock = BrokerClock(not_before=self._journal.last_at)
        self.clock: Clock = WatchedClock(self._broker_clock, self._clock_set)
        self._begun = False
        self._held: list[tuple[AnyEvent, datetime | None]] = []
        self.enforcement_engine = EnforcementEngine(self._publish_request)
        self.core = Core(compile_rulebook, self.enforcement_engine)
        self.state_manager = self.core.state_manager
        self._saved_to = 0
        doubtful = self._restore()
        self.event_bus = EventBus(
            self._handle,
            now=self._broker_clock.now,
            on_overflow=self._overflow,
            last_seq=max(self._journal.last_seq, self._saved_to),
            last_at=self._journal.last_at,
        )
        self.notifier = NotificationService(config=settings.notifications, journal_head=lambda: self._journal.head)
        # A word to people is no reason to take the machine's clock for the truth before the broker has been heard.
        self._teller = Teller(self.notifier, log, now=self._broker_clock.peek, last_seq=lambda: self.event_bus.last_seq)
        self._accounts = WatchedAccounts(
            self.core,
            Wanted(rules=settings.rules, unlisted=settings.unlisted, arming=settings.arming),
            publish=self.publish,
            clock=self.clock,
            teller=self._teller,
            tasks=self._tasks,
            confirm=settings.confirm,
        )
        self._second_person = SecondPerson(
            self.notifier,
            self._teller,
            self.state_manager.accounts,
            directory=settings.state_dir,
            channels=settings.notifications.channels,
            admin_under_lockout=settings.admin_under_lockout,
        )
        self._stopwatch = Stopwatch()
        self._broker: ProjectXBroker | None = None
        self._executor = Executor(lambda: self._broker, self.notifier, log, self._stopwatch)
        self._recorder = Recorder(
            self._journal,
            self._store,
            self.state_manager.accounts,
            to_write=self.state_manager.to_write,
            on_trouble=self._storage_trouble,
        )
        self._alarm = Alarm(self.clock, self._ring)
        self._doubtful = doubtful

    # --- start and stop ----------------------------------------------------------------------------------------

    def _restore(self) -> bool:
        """Bring the accounts back; tell whether what was on disk leaves doubts."""
        saved = self._store.load()
        problems = list(self._store.problems)
        directory = self._settings.state_dir / "journal"
        locking = tuple(read_lockouts(directory))
        forgotten = standing(locking).keys() - saved.keys()
        after = min((seq for _, seq in saved.values()), default=0) if not (problems or forgotten) else 0
        breaks: list[ChainBreak] = []
        tail = tuple(read_journal(directory, after_seq=after, breaks=breaks))
        self.core.restore(restored(saved, tail, compile_rulebook, locking=locking))
        # A number that is given again would make the lines of this run look older than the accounts' files.
        self._saved_to = max((seq for _, seq in saved.values()), default=0)
        ahead = self._saved_to > self._journal.last_seq
        behind = "lines of the journal that the accounts' files know of are missing" if ahead else ""
        found = (*problems, *map(str, breaks), self._journal.doubtful_tail or "", behind)
        self._problems = tuple(str(problem) for problem in found if problem)
        for problem in self._problems:
            self.log.error("state on disk", text=problem)
        return bool(problems or breaks or self._journal.doubtful_tail or ahead)

    async def start(self) -> None:
        """Begin: apply the rules, connect, reconcile, self-test, arm; returns once connecting is under way."""
        self.notifier.start()
        login = self._settings.broker
        self._broker = ProjectXBroker(
            replace(login, accounts=self.watched) if login.accounts else login,
            publish=self.publish,
            clock=self.clock,
            last_seq=lambda: self.event_bus.last_seq,
            log=self.log,
            on_listed=self._accounts.meet_unlisted,
            stale_after_s=lambda: self.state_manager.stale_after().total_seconds(),
        )
        asyncio.get_running_loop().set_exception_handler(self._something_failed)
        self.keep("recorder", self._recorder.run)
        vigil = Vigil(self._sign_of_life, self._teller, patience_s=self._settings.patience_s)
        self.keep("vigil", vigil.run)
        self._tasks.once(_START, self._bring_up(self._broker))
        every_s = self._settings.status_every_s
        if every_s is not None:
            self.keep("status", lambda: self._report_status(every_s))

    async def _bring_up(self, broker: ProjectXBroker) -> None:
        started = perf_counter_ns()
        await broker.connect()
        for account in self.watched:
            await self._accounts.arm(account)
        took_ms = (perf_counter_ns() - started) // 1_000_000
        armed = self._accounts.armed
        left = [account for account in self.watched if account not in armed]
        self.log.info("ready", accounts=list(armed), not_armed=left, took_ms=took_ms)
        self.ready.set()
        self._accounts.logged_in(broker)
        if self._settings.dead_man is not None:
            self.keep("dead man's ping", DeadManPing(self._settings.dead_man, self._sign_of_life).run)

    def keep(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run something beside the enforcement until the stop; should it fail, it is told and begun again."""
        self._tasks.keep(name, work)

    def _something_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Hear of a task that failed, the adapter's among them, and of what the event loop itself complains of."""
        task, error = context.get("task"), context.get("exception")
        if not isinstance(task, asyncio.Task) or not isinstance(error, Exception):
            loop.default_exception_handler(context)
        elif task.get_name() == f"riskd: {_START}":
            self.failure = self._teller.not_brought_up(error)
            self.failed.set()
        else:
            self._teller.task_failed(str(context["message"]), error)

    async def stop(self) -> None:
        """Tell that it ends, let go of the broker, write everything down, and stop."""
        self._alarm.stop()
        try:
            self._tell_stopping()
            self._accounts.stop()
            await self._tasks.close()
            if self._broker is not None:
                broker, self._broker = self._broker, None
                await broker.close()
            await asyncio.to_thread(self.notifier.close)
        finally:
            self.abandon()
        self.log.info("stopped")

    def abandon(self) -> None:
        """Write down and close what is open on disk."""
        self._alarm.stop()
        self._recorder.close()
        self.notifier.close()

    # --- a changed configuration -------------------------------------------------------------------------------

    @property
    def watched(self) -> tuple[str, ...]:
        """Return the accounts that the configuration names and those that are still enforced, ordered."""
        return self._accounts.names

    def reload(self, wanted: Wanted) -> None:
        """Take over a changed configuration: rules as far as they may apply now, channels, and how to arm."""
        self._tell_sections(changed_sections(self._settings.at_start, wanted.at_start))
        self._second_person.want(wanted.channels, wanted.admin_under_lockout)
        self._accounts.want(wanted, begun=self._begun)
        self.log.info("configuration taken over", accounts=self.watched)

    def refuse(self, text: str) -> None:
        """Tell that a changed configuration is not taken over."""
        self._teller.configuration(text)

    def _tell_sections(self, sections: Sequence[str]) -> None:
        if sections:
            text = f"the configuration's {', '.join(sections)} changed, which takes effect when riskd is started anew"
            self.log.warning("configuration", text=text)

    # --- what a second person hears of riskd itself ------------------------------------------------------------

    def _sign_of_life(self) -> Sign:
        states, journal = self.state_manager.accounts, self._journal
        if self.notifier.ended:
            return Sign(f"nobody hears of anything: {', '.join(self.notifier.ended)} ended", protects=False)
        missing = self._broker.missing_accounts if self._broker is not None else ()
        unread = self._broker.unread_accounts if self._broker is not None else {}
        return sign_of_life(
            self.watched,
            states,
            missing=missing,
            unread=unread,
            head=journal.head,
            seq=journal.last_seq,
            at=self._broker_clock.peek(),
        )

    def _tell_return(self) -> None:
        if self._problems:
            text = f"what riskd wrote is not as it left it, or was cut short: {'; '.join(self._problems)}"
            self._teller.notify("", "state on disk", text)
        since = self._journal.last_at
        if since is None:
            return
        states = self.state_manager.accounts
        severe = self._settings.killed or any(states[a].locked for a in self.watched if a in states)
        text = away(since, self.clock.now(), killed=self._settings.killed)
        self._teller.say("", "back", text, Severity.CRITICAL if severe else Severity.WARNING)

    def _tell_stopping(self) -> None:
        states = self.state_manager.accounts
        text = stopping(self.watched, states)
        if text and self._begun:
            severe = any(states[a].locked for a in self.watched if a in states)
            self._teller.say("", "stopping", text, Severity.CRITICAL if severe else Severity.WARNING)

    # --- the way of an event -----------------------------------------------------------------------------------

    def publish(self, event: AnyEvent, *, broker_at: datetime | None = None) -> None:
        """Put an event into the queue and, unless one is being handled, handle it with all it causes."""
        if not self._begun:
            self._held.append((event, broker_at))
            self._begin_when_time_is_known()
            return
        self._received_ns = perf_counter_ns()
        self.event_bus.publish(event, broker_at=broker_at)

    def _begin_when_time_is_known(self) -> None:
        """Process the first envelope only once the broker has said what time it is.

        A machine whose clock runs hours ahead would otherwise set riskd's time there, and it never runs backwards.
        """
        if self._begun or not self._broker_clock.known:
            return
        self._begun = True
        self._tell_return()
        self._second_person.begin()
        settings = self._settings
        started = DaemonStarted(
            doubtful=self._doubtful, last_at=self._journal.last_at, lost=settings.lost, broker=settings.broker_name
        )
        self.publish(started)
        self._accounts.propose_rules()
        held, self._held = self._held, []
        for event, broker_at in held:
            self.publish(event, broker_at=broker_at)

    def _publish_request(self, event: CloseRequested) -> None:
        self.publish(event)

    def _handle(self, envelope: Envelope) -> None:
        received_ns = self._received_ns
        try:
            step = self.core.step(envelope)
        except Exception as error:  # noqa: BLE001 - a bug must not stop the daemon; it is told, and the account is named
            self._teller.bug(envelope, error)
            return
        self._recorder.commit(envelope, step)
        if step.commands:
            self._executor.carry_out(envelope.seq, received_ns, step.commands)
        self._recorder.note(step.changed)
        self._alarm.set(self.core.next_deadline())
        if self._accounts.to_arm:
            self._accounts.arm_reconciled()
        if self._second_person.waiting:
            self._second_person.settle()
        for listener in self._listeners:
            listener(envelope, step)

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` after every step, when all that it commanded has been carried out."""
        self._listeners.append(listener)

    def _overflow(self, event: AnyEvent) -> None:
        self._teller.overflow(event)
        if self._broker is not None:
            for account in self.watched:
                self._broker.request_snapshot(
                    RequestSnapshot(account=account, request_id="overflow", since=self.clock.now() - _OVERFLOW_READS)
                )

    def _ring(self) -> None:
        self.publish(ClockTicked())

    def _clock_set(self) -> None:
        """Judge everything by the new time at once; the alarm is set anew with it."""
        if self._begun:
            self.publish(ClockTicked())
            self._alarm.renew()

    def _storage_trouble(self, text: str) -> None:
        self._teller.storage(text)

    # --- ReadModel and Control ---------------------------------------------------------------------------------

    def accounts(self) -> Sequence[AccountState]:
        """Return the accounts as they are now, ordered by id."""
        return [self.state_manager.accounts[account] for account in sorted(self.state_manager.accounts)]

    def close_position(self, account: str, contract: str, reason: str) -> None:
        """Ask for one position to be closed."""
        self.enforcement_engine.close_position(account, contract, reason)

    def release(self, account: str, by: str) -> None:
        """Ask for a lockout to be released that only an admin can release."""
        self.publish(LockoutReleased(account=account, by=by))

    async def _report_status(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            for account in self.watched:
                self.log.info("status", **status(self.core, account, self.clock.now()))

"""The core: one envelope in, commands out, the same every time.

A step books the event into the accounts and the market table, brings outstanding requests forward, hears the rules, and
lets the enforcement engine command what is missing. Nothing here reads a clock, draws a number or waits.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from riskd.domain.account import AccountState
from riskd.domain.booking import with_item
from riskd.domain.commands import Alert, Severity
from riskd.domain.events import (
    AccountArmed,
    AccountEvent,
    AnyEvent,
    CloseRequested,
    ConnectionChanged,
    DaemonStarted,
    Envelope,
    FeedSilent,
    InstrumentReported,
    LockoutReleased,
    QuoteReported,
    RulesApplied,
    RulesProposed,
    SnapshotReported,
)
from riskd.domain.market import Quote
from riskd.engine import risk_engine, rule_changes
from riskd.engine.account_fold import LOST
from riskd.engine.deadlines import next_deadline
from riskd.engine.enforcement_engine import EnforcementEngine
from riskd.engine.judging import Judge
from riskd.engine.releasing import released
from riskd.engine.reports import (
    alert,
    booking_alerts,
    gap_alert,
    instrument_alerts,
    lost_alert,
    silence_alerts,
)
from riskd.engine.risk_engine import RiskEngine
from riskd.engine.state_manager import Booked, StateManager
from riskd.engine.step import Step, Work
from riskd.rules.contract import Compile, Rulebook

_replace: Final = msgspec.structs.replace


class Core:
    """The deterministic state machine of riskd."""

    def __init__(self, compile_rules: Compile, enforcement: EnforcementEngine | None = None) -> None:
        """Compile rule specs with ``compile_rules``."""
        self._compile = compile_rules
        self.state_manager = StateManager()
        self.enforcement_engine = enforcement or EnforcementEngine()
        self.risk_engine = RiskEngine()
        self._judge = Judge(self.state_manager, self.risk_engine, self.enforcement_engine)
        self._deadlines: dict[str, datetime | None] = {}
        self._stale_deadlines: set[str] = set()
        self._unwritten: dict[str, Quote] = {}
        self._at = datetime.min.replace(tzinfo=UTC)

    @property
    def rulebooks(self) -> Mapping[str, Rulebook]:
        """Return the rules in force, by account."""
        return self.risk_engine.rulebooks

    def restore(self, states: Mapping[str, AccountState]) -> None:
        """Take over accounts that were written to disk, with the rules that were in force and the last prices known.

        Shape: a DaemonStarted must be the first envelope of the new run.
        """
        for account, state in states.items():
            # The journal may not have these prices yet, and whoever replays it must start from the same.
            self._unwritten.update(self.state_manager.take_over(state))
            if state.rules:
                self._use_rules(account, state.rules)

    def next_deadline(self) -> datetime | None:
        """Return when a ClockTicked is due, None while time alone changes nothing.

        Shape: reckoned when it is asked for, which is after the commands of a step are out.
        """
        for account in sorted(self._stale_deadlines):
            view = self.state_manager.view(account, self._at)
            self._deadlines[account] = next_deadline(view, self.rulebooks.get(account))
        self._stale_deadlines.clear()
        return min((due for due in self._deadlines.values() if due is not None), default=None)

    def headroom(self, account: str, at: datetime) -> Mapping[str, Decimal]:
        """Return by rule id how far in USD the account is from each of its money limits."""
        rulebook = self.rulebooks.get(account)
        if rulebook is None or account not in self.state_manager.accounts:
            return {}
        return risk_engine.headroom(self.state_manager.view(account, at), rulebook)

    def step(self, envelope: Envelope) -> Step:
        """Process one envelope."""
        before = dict(self.state_manager.accounts)
        self._at = envelope.at
        work = Work(tuple(self._unwritten.values()))
        self._dispatch(envelope, work)
        changed = tuple(sorted([a for a, s in self.state_manager.accounts.items() if s is not before.get(a)]))
        self._note_deadlines(envelope.event, changed)
        if work.evaluated or not isinstance(envelope.event, QuoteReported):
            self._unwritten.clear()
        else:
            work.market = ()
        return Step(
            commands=tuple(work.commands),
            violations=tuple(work.violations),
            evaluated=tuple(work.evaluated),
            changed=changed,
            market=work.market,
        )

    def _note_deadlines(self, event: AnyEvent, changed: Iterable[str]) -> None:
        """Note whose deadlines may have moved: of one account's event only its own."""
        stale = self._stale_deadlines
        stale.update(changed)
        if isinstance(event, QuoteReported):
            return  # a price moves none by itself, unless it is doubted or was: see _quote
        if isinstance(event, AccountEvent) and not isinstance(event, SnapshotReported):
            stale.add(event.account)
        else:
            stale.update(self.state_manager.accounts)

    # --- booking and who must be judged ------------------------------------------------------------------------

    def _dispatch(self, envelope: Envelope, work: Work) -> None:
        event, manager = envelope.event, self.state_manager
        match event:
            case QuoteReported():
                self._quote(event, envelope, work)
                return
            case InstrumentReported(instrument=instrument):
                manager.book_instrument(event)
                work.commands.extend(instrument_alerts(instrument, sorted(self.rulebooks), envelope))
            case FeedSilent(contract=contract):
                manager.book_silence(event)
                holders = (manager.view(account, envelope.at) for account in manager.holders(contract))
                work.commands.extend(silence_alerts(contract, holders, envelope))
            case DaemonStarted():
                manager.restart(event, envelope.at)
                work.commands.extend(self._lost(event, envelope))
            case ConnectionChanged():
                manager.book_connection(event, envelope.at)
            case RulesApplied():
                self._use_rules(event.account, event.spec)
                self._account_event(event.account, envelope, work)
                return
            case event if isinstance(event, AccountEvent):
                self._account_event(event.account, envelope, work)
                return
            case _:
                pass
        manager.settle_doubts(envelope.at)
        for account in sorted(manager.accounts):
            before = manager.accounts[account]
            self._judge.attempt(account, envelope, work, partial(self._bring_forward, account, envelope, work))
            self._judge.look(account, before, envelope, work)

    def _quote(self, event: QuoteReported, envelope: Envelope, work: Work) -> None:
        manager = self.state_manager
        holders = manager.holders(event.contract)
        old = manager.market.get(event.contract)
        rows = manager.quote_rows(event, envelope.at)
        befores = {account: manager.accounts[account] for account in holders} if rows else {}
        for account in befores:
            # What is carried in is worth what it was before this price.
            self._judge.attempt(account, envelope, work, partial(self._bring_forward, account, envelope, work))
        for row in rows:
            manager.market[event.contract] = row
            if row.doubted or (old is not None and old.doubted):
                self._stale_deadlines.update(holders)
            for account in holders:
                before = befores.pop(account, manager.accounts[account])
                self._judge.look(account, before, envelope, work)
        if not work.evaluated and event.contract in manager.market:
            self._unwritten[event.contract] = manager.market[event.contract]

    def _account_event(self, account: str, envelope: Envelope, work: Work) -> None:
        manager = self.state_manager
        before = manager.ensure(account, envelope.at)
        manager.settle_doubts(envelope.at)
        if not self._judge.attempt(account, envelope, work, partial(self._book, account, before, envelope, work)):
            # Whatever the event said, the broker's whole view will say it again.
            manager.accounts[account] = _replace(manager.accounts[account], recheck_seq=envelope.seq)
        self._judge.look(account, before, envelope, work)

    def _book(self, account: str, before: AccountState, envelope: Envelope, work: Work) -> None:
        manager, event = self.state_manager, envelope.event
        self._bring_forward(account, envelope, work)
        booked = manager.book_account_event(account, envelope)
        manager.accounts[account] = self._admin(manager.accounts[account], envelope)
        if isinstance(event, LockoutReleased):
            self._release(account, event.by, envelope, work)
        if isinstance(event, RulesProposed):
            state, spec = manager.accounts[account], event.spec
            self._turn(rule_changes.proposed(state, spec, self._compile, envelope.at), envelope, work)
        self._tell_booking(account, booked, before, envelope, work)
        if booked.void:
            state = manager.accounts[account]
            manager.accounts[account] = _replace(state, recheck_seq=envelope.seq)

    def _tell_booking(self, account: str, booked: Booked, before: AccountState, envelope: Envelope, work: Work) -> None:
        manager = self.state_manager
        state = manager.accounts[account]
        if state is before:
            return
        view = manager.view(account, envelope.at)
        looked = isinstance(envelope.event, SnapshotReported) and not booked.void
        if looked and state.gap_since is not None:
            seen = state.gap_trades + len(state.fills.keys() - before.fills.keys())
            if not state.down:
                work.commands.append(gap_alert(seen, view, state.gap_since, envelope))
            since, left = (state.gap_since, seen) if state.down else (None, 0)
            manager.accounts[account] = _replace(state, gap_since=since, gap_trades=left)
        work.commands.extend(booking_alerts(before, view, booked.adopted, envelope))

    def _admin(self, state: AccountState, envelope: Envelope) -> AccountState:
        match envelope.event:
            case AccountArmed(shadow=shadow):
                return _replace(state, armed=True, shadow=shadow)
            case RulesApplied(spec=spec):
                return _replace(state, rules=spec, pending=None)
            case CloseRequested(contract=contract):
                position = state.positions.get(contract)
                if position is None:
                    return state
                requests = with_item(state.close_requests, contract, position.opening_seq)
                return _replace(state, close_requests=requests)
            case _:
                return state

    def _lost(self, event: DaemonStarted, envelope: Envelope) -> Iterable[Alert]:
        for account, was_in in sorted(event.lost.items()):
            state = self.state_manager.accounts[account]
            until = next((cause.until for cause in state.no_new_risk if cause.cause == LOST), None)
            yield lost_alert(state, was_in, until, envelope)

    def _release(self, account: str, by: str, envelope: Envelope, work: Work) -> None:
        release = released(self.state_manager.view(account, envelope.at), by)
        self.state_manager.accounts[account] = release.state
        kind = "release" if release.done else "release_refused"
        work.commands.append(alert(account, envelope, kind, Severity.WARNING, release.text))

    def _use_rules(self, account: str, spec: str) -> Rulebook:
        rulebook = self._compile(account, spec)
        self.risk_engine.use(rulebook)
        self.state_manager.settings[account] = rulebook.settings
        return rulebook

    def _bring_forward(self, account: str, envelope: Envelope, work: Work) -> None:
        """Begin the new TradingDay if its time has come, and with it the rules that were to apply from then on."""
        manager = self.state_manager
        state = manager.accounts[account]
        if envelope.at < state.day_ends_at and state.pending is None:
            return
        manager.advance(account, envelope.at)
        turn = rule_changes.due(manager.accounts[account], envelope.at)
        if turn is not None:
            self._turn(turn, envelope, work)

    def _turn(self, turn: rule_changes.Turn, envelope: Envelope, work: Work) -> None:
        """Put an account under other rules, and tell."""
        manager, state = self.state_manager, turn.state
        account = state.account
        if not state.rules:
            self.risk_engine.forget(account)
        elif state.rules != manager.accounts[account].rules:
            state = rule_changes.settled_in(state, self._use_rules(account, state.rules))
        manager.accounts[account] = state
        work.commands.extend(alert(account, envelope, "rules", news.severity, news.text) for news in turn.news)

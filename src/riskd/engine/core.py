"""The core: one envelope in, commands out, the same every time.

A step books the event into the accounts and the market table, brings outstanding requests forward, hears the rules, and
lets the enforcement engine command what is missing. Nothing here reads a clock, draws a number or waits.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from riskd.domain.account import AccountState, NoNewRisk
from riskd.domain.account_view import AccountView
from riskd.domain.booking import with_item
from riskd.domain.commands import Alert, AnyCommand, Severity
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
from riskd.domain.violations import RuleViolation
from riskd.engine import risk_engine, rule_changes
from riskd.engine.account_fold import LOST
from riskd.engine.closes import progressed
from riskd.engine.deadlines import next_deadline
from riskd.engine.draft import Draft
from riskd.engine.enforcement_engine import EnforcementEngine
from riskd.engine.exposure import projected
from riskd.engine.flatten import confirm_flat
from riskd.engine.invariants import InvariantBroken, broken
from riskd.engine.lockouts import CONTRADICTION, fail_closed, relapses, with_no_new_risk
from riskd.engine.notices import notices
from riskd.engine.releasing import released
from riskd.engine.reports import (
    alert,
    booking_alerts,
    gap_alert,
    instrument_alerts,
    lost_alert,
    silence_alerts,
    violation_alert,
)
from riskd.engine.risk_engine import Finding, Hearing, RiskEngine, Verdict
from riskd.engine.state_manager import Booked, StateManager
from riskd.rules.contract import Compile, Rulebook

_replace: Final = msgspec.structs.replace
_NEW_RULES: Final = (RulesApplied, RulesProposed)


class Step(msgspec.Struct, frozen=True):
    """What one envelope led to.

    Shape: ``commands`` in the order to carry them out; ``violations`` only those that are new; ``evaluated`` the
    accounts whose rules were heard; ``changed`` the accounts that are not as they were; ``market`` the rows that the
    journal must hold before this envelope for a replay to see the same prices.
    """

    commands: tuple[AnyCommand, ...] = ()
    violations: tuple[RuleViolation, ...] = ()
    evaluated: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    market: tuple[Quote, ...] = ()


class _Work:
    """What a step gathers while it goes from account to account."""

    def __init__(self, market: tuple[Quote, ...]) -> None:
        self.market = market
        self.commands: list[AnyCommand] = []
        self.violations: list[RuleViolation] = []
        self.evaluated: list[str] = []

    def place(self) -> tuple[int, int, int]:
        """Return how much there is now."""
        return len(self.commands), len(self.violations), len(self.evaluated)

    def back_to(self, place: tuple[int, int, int]) -> None:
        """Drop what has come since."""
        commands, violations, evaluated = place
        del self.commands[commands:], self.violations[violations:], self.evaluated[evaluated:]


class Core:
    """The deterministic state machine of riskd."""

    def __init__(self, compile_rules: Compile, enforcement: EnforcementEngine | None = None) -> None:
        """Compile rule specs with ``compile_rules``."""
        self._compile = compile_rules
        self.state_manager = StateManager()
        self.enforcement_engine = enforcement or EnforcementEngine()
        self.risk_engine = RiskEngine()
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
        work = _Work(tuple(self._unwritten.values()))
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

    def _dispatch(self, envelope: Envelope, work: _Work) -> None:
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
            self._try(account, envelope, work, partial(self._bring_forward, account, envelope, work))
            self._look(account, before, envelope, work)

    def _quote(self, event: QuoteReported, envelope: Envelope, work: _Work) -> None:
        manager = self.state_manager
        holders = manager.holders(event.contract)
        old = manager.market.get(event.contract)
        rows = manager.quote_rows(event, envelope.at)
        befores = {account: manager.accounts[account] for account in holders} if rows else {}
        for account in befores:
            # What is carried in is worth what it was before this price.
            self._try(account, envelope, work, partial(self._bring_forward, account, envelope, work))
        for row in rows:
            manager.market[event.contract] = row
            if row.doubted or (old is not None and old.doubted):
                self._stale_deadlines.update(holders)
            for account in holders:
                before = befores.pop(account, manager.accounts[account])
                self._look(account, before, envelope, work)
        if not work.evaluated and event.contract in manager.market:
            self._unwritten[event.contract] = manager.market[event.contract]

    def _account_event(self, account: str, envelope: Envelope, work: _Work) -> None:
        manager = self.state_manager
        before = manager.ensure(account, envelope.at)
        manager.settle_doubts(envelope.at)
        if not self._try(account, envelope, work, partial(self._book, account, before, envelope, work)):
            # Whatever the event said, the broker's whole view will say it again.
            manager.accounts[account] = _replace(manager.accounts[account], recheck_seq=envelope.seq)
        self._look(account, before, envelope, work)

    def _book(self, account: str, before: AccountState, envelope: Envelope, work: _Work) -> None:
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

    def _tell_booking(
        self, account: str, booked: Booked, before: AccountState, envelope: Envelope, work: _Work
    ) -> None:
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

    def _release(self, account: str, by: str, envelope: Envelope, work: _Work) -> None:
        release = released(self.state_manager.view(account, envelope.at), by)
        self.state_manager.accounts[account] = release.state
        kind = "release" if release.done else "release_refused"
        work.commands.append(alert(account, envelope, kind, Severity.WARNING, release.text))

    def _use_rules(self, account: str, spec: str) -> Rulebook:
        rulebook = self._compile(account, spec)
        self.risk_engine.use(rulebook)
        self.state_manager.settings[account] = rulebook.settings
        return rulebook

    def _bring_forward(self, account: str, envelope: Envelope, work: _Work) -> None:
        """Begin the new TradingDay if its time has come, and with it the rules that were to apply from then on."""
        manager = self.state_manager
        state = manager.accounts[account]
        if envelope.at < state.day_ends_at and state.pending is None:
            return
        manager.advance(account, envelope.at)
        turn = rule_changes.due(manager.accounts[account], envelope.at)
        if turn is not None:
            self._turn(turn, envelope, work)

    def _turn(self, turn: rule_changes.Turn, envelope: Envelope, work: _Work) -> None:
        """Put an account under other rules, and tell."""
        manager, state = self.state_manager, turn.state
        account = state.account
        if not state.rules:
            self.risk_engine.forget(account)
        elif state.rules != manager.accounts[account].rules:
            state = rule_changes.settled_in(state, self._use_rules(account, state.rules))
        manager.accounts[account] = state
        work.commands.extend(alert(account, envelope, "rules", news.severity, news.text) for news in turn.news)

    # --- judging -----------------------------------------------------------------------------------------------

    def _try(self, account: str, envelope: Envelope, work: _Work, act: Callable[[], None]) -> bool:
        """Do something about one account, or nothing of it: what it raises stays there, and no other hears of it."""
        state, place = self.state_manager.accounts[account], work.place()
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a bug in one account must not cost the others their protection
            work.back_to(place)
            sentence = f"{type(error).__name__}: {error}"
            self.state_manager.accounts[account] = self._contained(state, sentence, envelope, work)
            return False
        return True

    def _look(self, account: str, before: AccountState, envelope: Envelope, work: _Work) -> None:
        """Bring one account forward and judge it; if that cannot be done, hold at least what stood before."""
        if not self._try(account, envelope, work, partial(self._look_well, account, before, envelope, work)):
            self._try(account, envelope, work, partial(self._hold, account, envelope, work))

    def _look_well(self, account: str, before: AccountState, envelope: Envelope, work: _Work) -> None:
        manager = self.state_manager
        state = manager.accounts[account] = self._progress(before, manager.accounts[account], envelope, work)
        rulebook = self.risk_engine.rulebooks.get(account)
        if rulebook is None or not state.armed:
            return
        if not state.reconciled:
            self._hold(account, envelope, work)
            return
        work.evaluated.append(account)
        if manager.quarantined:
            self._quarantine(account, before, envelope, work)
        self._judge(account, rulebook, envelope, work)
        state = manager.accounts[account]
        if state is not before:
            self._assert_invariants(account, before, envelope, work)
        if state.lockouts:
            manager.accounts[account] = rule_changes.with_lockout_noted(manager.accounts[account])
        if state.positions.keys() != before.positions.keys() or state.trading_day != before.trading_day:
            self._give_notice(account, envelope, work)

    def _hold(self, account: str, envelope: Envelope, work: _Work) -> None:
        """Enforce the lockouts and cooldowns of before the start although the broker's view is not known yet."""
        manager = self.state_manager
        state = manager.accounts[account]
        if state.shadow or not state.armed or not (state.lockouts or state.no_new_risk):
            return
        work.evaluated.append(account)
        view = manager.view(account, envelope.at)
        draft = Draft(view, seq=envelope.seq)
        self.enforcement_engine.hold(draft)
        manager.accounts[account] = draft.state
        work.commands.extend(draft.commands)

    def _quarantine(self, account: str, before: AccountState, envelope: Envelope, work: _Work) -> None:
        """Take no new risk in contracts whose record contradicts the table; the rest of the account goes on."""
        manager = self.state_manager
        state = manager.accounts[account]
        touched = {*state.positions, *(order.contract for order in state.orders.values())}
        stopped = {cause.contract for cause in state.no_new_risk}
        for contract in sorted(touched & manager.quarantined - stopped):
            reason = f"{contract} is not what the built-in table knows, so its P&L cannot be trusted"
            stop = NoNewRisk(
                cause=f"quarantine {contract}",
                until=None,
                since=envelope.at,
                reason=reason,
                allowance={contract: before.quantity(contract)},
                contract=contract,
            )
            state = _replace(state, no_new_risk=(*state.no_new_risk, stop))
            if not manager.instruments[contract].point_value:
                # A record that contradicts the table has been told of when it came; this one has no record at all.
                text = f"{reason}: no new risk in it"
                work.commands.append(alert(account, envelope, "quarantine", Severity.CRITICAL, text))
        manager.accounts[account] = state

    def _progress(self, before: AccountState, state: AccountState, envelope: Envelope, work: _Work) -> AccountState:
        try:
            return progressed(before, state, envelope)
        except InvariantBroken as error:
            return self._contained(state, str(error), envelope, work)

    def _judge(self, account: str, rulebook: Rulebook, envelope: Envelope, work: _Work) -> None:
        manager, event = self.state_manager, envelope.event
        view = manager.view(account, envelope.at)
        hearing = self.risk_engine.hear(view, event, envelope.seq)
        state, verdict = hearing.state, hearing.verdict
        if hearing.warnings:
            state = self._warn(hearing, envelope, work)
        if state is view.account and self._idle(state, verdict, rulebook):
            return
        enforced = [
            f
            for f in verdict.findings
            if risk_engine.acting(state, rulebook, f) and not risk_engine.waits(state, f, envelope.at)
        ]
        if isinstance(event, _NEW_RULES):
            state = rule_changes.without_old_faults(state, (*verdict.faults, *rulebook.faults))
        view = view.of(state)
        if state.shadow:
            manager.accounts[account] = state
            self._tell_new(verdict, rulebook, view, envelope, work)
            return
        expected = self._projected(view, rulebook, envelope, enforced)
        draft = Draft(view, seq=envelope.seq, findings=enforced, projected=expected)
        for fault in (*verdict.faults, *rulebook.faults):
            fail_closed(draft, f"{rule_changes.FAULT}{fault.split(':', 1)[0]}", f"rule {fault}")
        if isinstance(event, SnapshotReported):
            confirm_flat(draft, event.asked_seq)
        self.enforcement_engine.enforce(draft)
        manager.accounts[account] = draft.state
        work.commands.extend(draft.commands)
        self._tell_new(verdict, rulebook, view, envelope, work)

    @staticmethod
    def _warn(hearing: Hearing, envelope: Envelope, work: _Work) -> AccountState:
        state = hearing.state
        for entry, warning in hearing.warnings:
            told = alert(state.account, envelope, "warning", Severity.WARNING, warning.message)
            work.commands.append(_replace(told, rule=entry.rule_id, reason=warning.message))
        return _replace(state, warned=state.warned | {f"{e.rule_id}|{w.key}" for e, w in hearing.warnings})

    def _give_notice(self, account: str, envelope: Envelope, work: _Work) -> None:
        """Tell once a TradingDay of what ends in the coming days."""
        state = self.state_manager.accounts[account]
        found = {f"notice|{notice.key}": notice.message for notice in notices(state)}
        new = {key: text for key, text in found.items() if key not in state.warned}
        if new:
            self.state_manager.accounts[account] = _replace(state, warned=state.warned | new.keys())
            alerts = (alert(account, envelope, "notice", Severity.WARNING, text) for text in new.values())
            work.commands.extend(alerts)

    @staticmethod
    def _idle(state: AccountState, verdict: Verdict, rulebook: Rulebook) -> bool:
        """Tell whether a look at this account cannot lead to anything, as for nearly every quote."""
        busy = state.lockouts or state.closes or state.cancels or state.retries or state.no_new_risk or state.trims
        waiting = state.flatten or state.enforcements or state.recheck_seq or state.close_requests or state.overshot
        differs = any(r.disagrees_since is not None for r in state.reported.values())
        idle = not (verdict.findings or verdict.faults or rulebook.faults or busy or waiting or differs)
        return idle and not (state.lapsed and relapses(state))

    def _projected(
        self, view: AccountView, rulebook: Rulebook, envelope: Envelope, enforced: Iterable[Finding]
    ) -> list[Finding]:
        """Hear the rules once more about the account as it will be when the closes under way succeed."""
        state = projected(view.account)
        if state is view.account:
            return list(enforced)
        verdict = risk_engine.judge(view.of(state), rulebook.entries, envelope.event)
        return [f for f in verdict.findings if risk_engine.acting(state, rulebook, f)]

    def _tell_new(
        self, verdict: Verdict, rulebook: Rulebook, view: AccountView, envelope: Envelope, work: _Work
    ) -> None:
        for finding in verdict.findings:
            if finding.new:
                shadow = not risk_engine.acting(view.account, rulebook, finding)
                work.violations.append(finding.violation)
                work.commands.append(violation_alert(finding, view, envelope.seq, shadow=shadow))

    def _assert_invariants(self, account: str, before: AccountState, envelope: Envelope, work: _Work) -> None:
        for sentence in broken(before, self.state_manager.accounts[account]):
            state = self.state_manager.accounts[account]
            self.state_manager.accounts[account] = self._contained(state, sentence, envelope, work)

    def _contained(self, state: AccountState, sentence: str, envelope: Envelope, work: _Work) -> AccountState:
        if any(c.cause == CONTRADICTION for c in state.no_new_risk):
            return state
        text = f"riskd contradicts itself: {sentence}; the account takes no new risk until an admin releases it"
        work.commands.append(alert(state.account, envelope, "invariant", Severity.CRITICAL, text))
        return with_no_new_risk(state, CONTRADICTION, envelope.at, None, sentence)

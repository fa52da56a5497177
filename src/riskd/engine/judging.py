"""From a booked event to commands, one account after another; whatever goes wrong in one of them stays in it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec

from riskd.domain.account import AccountState, NoNewRisk
from riskd.domain.account_view import AccountView
from riskd.domain.commands import Severity
from riskd.domain.events import Envelope, RulesApplied, RulesProposed, SnapshotReported
from riskd.engine import risk_engine, rule_changes
from riskd.engine.closes import progressed
from riskd.engine.draft import Draft
from riskd.engine.enforcement_engine import EnforcementEngine
from riskd.engine.exposure import projected
from riskd.engine.flatten import confirm_flat
from riskd.engine.invariants import InvariantBroken, broken
from riskd.engine.lockouts import CONTRADICTION, fail_closed, relapses, with_no_new_risk
from riskd.engine.notices import notices
from riskd.engine.reports import alert, violation_alert
from riskd.engine.risk_engine import Finding, Hearing, RiskEngine, Verdict
from riskd.engine.state_manager import StateManager
from riskd.engine.step import Work
from riskd.rules.contract import Mode, Rulebook

_replace: Final = msgspec.structs.replace
_NEW_RULES: Final = (RulesApplied, RulesProposed)


class Judge:
    """Brings outstanding requests of an account forward, hears its rules, and has enforced what they find."""

    def __init__(
        self, state_manager: StateManager, risk_engine: RiskEngine, enforcement_engine: EnforcementEngine
    ) -> None:
        """Judge the accounts of ``state_manager``."""
        self._manager = state_manager
        self._risk_engine = risk_engine
        self._enforcement_engine = enforcement_engine

    def attempt(self, account: str, envelope: Envelope, work: Work, act: Callable[[], None]) -> bool:
        """Do something about one account, or nothing of it: what it raises stays there, and no other hears of it."""
        state, place = self._manager.accounts[account], work.place()
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a bug in one account must not cost the others their protection
            work.back_to(place)
            sentence = f"{type(error).__name__}: {error}"
            self._manager.accounts[account] = self._contained(state, sentence, envelope, work)
            return False
        return True

    def look(self, account: str, before: AccountState, envelope: Envelope, work: Work) -> None:
        """Bring one account forward and judge it; if that cannot be done, hold at least what stood before."""
        if not self.attempt(account, envelope, work, partial(self._look, account, before, envelope, work)):
            self.attempt(account, envelope, work, partial(self._hold, account, envelope, work))

    def _look(self, account: str, before: AccountState, envelope: Envelope, work: Work) -> None:
        manager = self._manager
        state = manager.accounts[account] = self._progress(before, manager.accounts[account], envelope, work)
        rulebook = self._risk_engine.rulebooks.get(account)
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

    def _hold(self, account: str, envelope: Envelope, work: Work) -> None:
        """Enforce the lockouts and cooldowns of before the start although the broker's view is not known yet."""
        manager = self._manager
        state = manager.accounts[account]
        if state.shadow or not state.armed or not (state.lockouts or state.no_new_risk):
            return
        work.evaluated.append(account)
        view = manager.view(account, envelope.at)
        draft = Draft(view, seq=envelope.seq)
        self._enforcement_engine.hold(draft)
        manager.accounts[account] = draft.state
        work.commands.extend(draft.commands)

    def _quarantine(self, account: str, before: AccountState, envelope: Envelope, work: Work) -> None:
        """Take no new risk in contracts whose record contradicts the table; the rest of the account goes on."""
        manager = self._manager
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

    def _progress(self, before: AccountState, state: AccountState, envelope: Envelope, work: Work) -> AccountState:
        try:
            return progressed(before, state, envelope)
        except InvariantBroken as error:
            return self._contained(state, str(error), envelope, work)

    def _judge(self, account: str, rulebook: Rulebook, envelope: Envelope, work: Work) -> None:
        manager, event = self._manager, envelope.event
        view = manager.view(account, envelope.at)
        hearing = self._risk_engine.hear(view, event, envelope.seq)
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
        state = self._with_faults(state, (*verdict.faults, *rulebook.faults), rulebook, envelope, work)
        view = view.of(state)
        if state.shadow:
            manager.accounts[account] = state
            self._tell_new(verdict, rulebook, view, envelope, work)
            return
        expected = self._projected(view, rulebook, envelope, enforced)
        draft = Draft(view, seq=envelope.seq, findings=enforced, projected=expected)
        for fault in (*verdict.faults, *rulebook.faults) if rulebook.mode is Mode.ENFORCE else ():
            fail_closed(draft, f"{rule_changes.FAULT}{fault.split(':', 1)[0]}", f"rule {fault}")
        if isinstance(event, SnapshotReported):
            confirm_flat(draft, event.asked_seq)
        self._enforcement_engine.enforce(draft)
        manager.accounts[account] = draft.state
        work.commands.extend(draft.commands)
        self._tell_new(verdict, rulebook, view, envelope, work)

    @staticmethod
    def _with_faults(
        state: AccountState, faults: tuple[str, ...], rulebook: Rulebook, envelope: Envelope, work: Work
    ) -> AccountState:
        """Forget the faults of rules that are gone; in shadow tell of the others once a day, and stop nothing."""
        shadow = state.shadow or rulebook.mode is Mode.SHADOW
        if isinstance(envelope.event, _NEW_RULES):
            state = rule_changes.without_old_faults(state, () if shadow else faults)
        for fault in faults if shadow else ():
            key = f"{rule_changes.FAULT}|{fault.split(':', 1)[0]}"
            if key not in state.warned:
                text = f"rule {fault} [shadow mode: nothing is done]"
                work.commands.append(alert(state.account, envelope, "fault", Severity.CRITICAL, text))
                state = _replace(state, warned=state.warned | {key})
        return state

    @staticmethod
    def _warn(hearing: Hearing, envelope: Envelope, work: Work) -> AccountState:
        state = hearing.state
        for entry, warning in hearing.warnings:
            told = alert(state.account, envelope, "warning", Severity.WARNING, warning.message)
            work.commands.append(_replace(told, rule=entry.rule_id, reason=warning.message))
        return _replace(state, warned=state.warned | {f"{e.rule_id}|{w.key}" for e, w in hearing.warnings})

    def _give_notice(self, account: str, envelope: Envelope, work: Work) -> None:
        """Tell once a TradingDay of what ends in the coming days."""
        state = self._manager.accounts[account]
        found = {f"notice|{notice.key}": notice.message for notice in notices(state)}
        new = {key: text for key, text in found.items() if key not in state.warned}
        if new:
            self._manager.accounts[account] = _replace(state, warned=state.warned | new.keys())
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
        self, verdict: Verdict, rulebook: Rulebook, view: AccountView, envelope: Envelope, work: Work
    ) -> None:
        for finding in verdict.findings:
            if finding.new:
                shadow = not risk_engine.acting(view.account, rulebook, finding)
                work.violations.append(finding.violation)
                work.commands.append(violation_alert(finding, view, envelope.seq, shadow=shadow))

    def _assert_invariants(self, account: str, before: AccountState, envelope: Envelope, work: Work) -> None:
        for sentence in broken(before, self._manager.accounts[account]):
            state = self._manager.accounts[account]
            self._manager.accounts[account] = self._contained(state, sentence, envelope, work)

    def _contained(self, state: AccountState, sentence: str, envelope: Envelope, work: Work) -> AccountState:
        if any(c.cause == CONTRADICTION for c in state.no_new_risk):
            return state
        text = f"riskd contradicts itself: {sentence}; the account takes no new risk until an admin releases it"
        work.commands.append(alert(state.account, envelope, "invariant", Severity.CRITICAL, text))
        return with_no_new_risk(state, CONTRADICTION, envelope.at, None, sentence)

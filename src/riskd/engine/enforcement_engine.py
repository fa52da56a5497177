"""Make the account what it must be: compare what is wanted with what is, and command only the difference.

Level-triggered: nothing here remembers that something was asked, only what is outstanding. A breach that lasts through
a hundred events leads to one close, because from the second event on that close is under way; a refused close is asked
for again, because what it was for is still wanted.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from riskd.domain.account import (
    AccountState,
    Asked,
    Cancel,
    Close,
    CloseStatus,
    Enforcement,
    FlattenTarget,
    Lockout,
    NoNewRisk,
    Retry,
)
from riskd.domain.account_view import DISAGREEMENT, AccountView
from riskd.domain.calendar import day_start
from riskd.domain.commands import (
    Alert,
    AnyCommand,
    CancelOrder,
    ClosePosition,
    LockAccount,
    RequestSnapshot,
    ResizeOrder,
    Severity,
    StartCooldown,
    UnlockAccount,
)
from riskd.domain.events import CloseRequested
from riskd.domain.violations import ActionType, EnforcementAction
from riskd.engine.account_fold import adoptable_at
from riskd.engine.closes import TOLD_AFTER, next_look, told_at
from riskd.engine.containment import answers
from riskd.engine.exposure import smaller
from riskd.engine.reports import enforcement_ended
from riskd.engine.risk_engine import Finding
from riskd.engine.wants import (
    Want,
    WantedCancel,
    Wants,
    flatten_wants,
    leftover_exits,
    merged,
    no_new_risk_wants,
    rule_wants,
)

SNAPSHOT_WITHIN: Final = timedelta(seconds=10)
OVERLAP: Final = timedelta(minutes=1)
"""How far a snapshot reads back over the one before, so that a fill booked late by the broker is not missed."""
FAILURES_TO_ERROR: Final = 3
REENTRIES_TO_TELL: Final = 3
_replace: Final = msgspec.structs.replace


class EnforcementEngine:
    """Turn findings into targets and targets into commands, one account at a time.

    Shape: all state is in the accounts; the counters here are for people and tests.
    """

    def __init__(self, publish: Callable[[CloseRequested], None] | None = None) -> None:
        """Use ``publish`` to put requests of :meth:`close_position` into the queue like any other event."""
        self._publish = publish
        self.actions_executed = 0
        self.last_action: EnforcementAction | None = None

    def close_position(self, account: str, position_id: str, reason: str) -> None:
        """Ask for one position to be closed; asking again while it is being closed changes nothing.

        Shape: ``position_id`` is the contract, since a broker account has one net position per contract.
        Errors: RuntimeError where the engine was given no queue.
        """
        if self._publish is None:
            raise RuntimeError("this EnforcementEngine has no queue to ask through")
        self._publish(CloseRequested(account=account, contract=position_id, reason=reason))

    def began(self, action: EnforcementAction) -> None:
        """Count an action whose first command has been given."""
        self.actions_executed += 1
        self.last_action = action


class AccountPass:
    """One pass over one account after an event: from findings to commands.

    Shape: build it, call :meth:`run`, read ``state`` and ``commands``; commands come in the order to carry them out:
    lock, closes, cancels, then snapshots and what people are told.
    """

    def __init__(
        self,
        view: AccountView,
        *,
        seq: int,
        findings: Iterable[Finding],
        projected: Iterable[Finding],
        engine: EnforcementEngine,
    ) -> None:
        """Work on the account of ``view``; only findings that are to be enforced belong here."""
        self.view = view
        self.state = view.account
        self.at = view.at
        self._seq = seq
        self._findings = tuple(findings)
        self._projected = tuple(projected)
        self._engine = engine
        self._requests = 0
        self._commands: list[AnyCommand] = []
        self._told: list[AnyCommand] = []

    @property
    def commands(self) -> tuple[AnyCommand, ...]:
        """Return the commands of this pass, in order."""
        return (*self._commands, *self._told)

    def run(self) -> None:
        """Do the whole pass."""
        if self.state.lockouts or self.state.no_new_risk:
            self._release_what_has_ended()
        if self._findings:
            self._lock_and_cool_down()
        if self.state.no_new_risk:
            self._shrink_allowances()
        if self.state.lockouts:
            self._flatten_what_appears()
        if self.state.can_trade:
            self._command(self._wants())
        if self.state.flatten is not None:
            self._follow_flatten()
        if self.state.enforcements:
            self._report_ended()
        self._forget_settled()
        if self.state.retries or self.state.closes or self.state.error_state:
            self._tell_errors()
        self._ask_for_snapshot()

    def hold(self) -> None:
        """Enforce only what stood before: nothing begins, nothing ends, until the account has been reconciled."""
        self._shrink_allowances()
        self._flatten_what_appears()
        if self.state.can_trade:
            self._command(self._wants())
        self._tell_errors()
        self._ask_for_snapshot()

    # --- lockouts and cooldowns --------------------------------------------------------------------------------

    def _release_what_has_ended(self) -> None:
        state = self.state
        lasting = tuple(c for c in state.no_new_risk if c.until is None or c.until > self.at)
        if lasting != state.no_new_risk:
            self.state = state = _replace(state, no_new_risk=lasting)
        if not state.lockouts or state.flatten is not None:
            return
        standing = tuple(x for x in state.lockouts if x.until is None or x.until > self.at)
        if standing == state.lockouts:
            return
        self.state = _replace(state, lockouts=standing)
        if not standing:
            self.state = _replace(self.state, reentries=0)
            self._commands.append(UnlockAccount(account=state.account))
            self._tell("unlock", Severity.INFO, "the account is free again")

    def _lock_and_cool_down(self) -> None:
        for finding in self._findings:
            if finding.action.lock:
                self._lock_for(finding)
        for finding in self._findings:
            if finding.action.action_type is ActionType.SET_COOLDOWN:
                self._cool_down_for(finding)

    def _lock_for(self, finding: Finding) -> None:
        action, state = finding.action, self.state
        known = next((x for x in state.lockouts if x.cause == action.rule_id), None)
        if known is not None:
            return
        lockout = Lockout(
            cause=action.rule_id,
            until=action.lockout_until,
            since=self.at,
            seq=self._seq,
            reason=action.reason,
            rule=finding.violation.rule_name,
        )
        self.state = _replace(state, lockouts=(*state.lockouts, lockout))
        self._commands.append(
            LockAccount(account=state.account, cause=lockout.cause, until=lockout.until, reason=lockout.reason)
        )
        if self.state.flatten is None:
            self._open_flatten(lockout, finding.violation.headline or finding.violation.message)
        self._engine.began(action)

    def _open_flatten(self, lockout: Lockout, headline: str) -> None:
        state = self.state
        target = FlattenTarget(rule=lockout.cause, reason=lockout.reason, seq=self._seq, since=self.at)
        if state.positions:
            action = ActionType.FLATTEN_ACCOUNT
        else:
            action = ActionType.CANCEL_ORDER if state.orders else ActionType.SET_LOCKOUT
        self.state = _replace(state, flatten=target)
        self._begin(lockout.cause, action, headline)

    def _begin(self, rule: str, action: str, headline: str, *, contracts: tuple[str, ...] = ()) -> int:
        enforcement = Enforcement(
            enforcement_id=self._seq,
            rule=rule,
            action=action,
            headline=headline,
            started_at=self.at,
            contracts=contracts,
        )
        self.state = _replace(self.state, enforcements=(*self.state.enforcements, enforcement))
        return self._seq

    def _cool_down_for(self, finding: Finding) -> None:
        action = finding.action
        until = action.lockout_until
        cause = finding.episode_key.rstrip("|")
        known = next((c for c in self.state.no_new_risk if c.cause == cause), None)
        if known is not None and (known.until is None or (until is not None and until <= known.until)):
            return
        self._no_new_risk(cause, until, action.reason)
        self._commands.append(StartCooldown(account=self.state.account, cause=cause, until=until, reason=action.reason))
        self._engine.began(action)

    def _no_new_risk(self, cause: str, until: datetime | None, reason: str) -> None:
        allowance = {contract: position.quantity for contract, position in self.state.positions.items()}
        entry = NoNewRisk(cause=cause, until=until, since=self.at, reason=reason, allowance=allowance)
        others = tuple(c for c in self.state.no_new_risk if c.cause != cause)
        self.state = _replace(self.state, no_new_risk=(*others, entry))

    def fail_closed(self, cause: str, reason: str) -> None:
        """Take no new risk on this account until somebody has looked, and tell people; once per cause."""
        if any(c.cause == cause for c in self.state.no_new_risk):
            return
        self._no_new_risk(cause, None, reason)
        self._tell("fault", Severity.CRITICAL, f"{reason}; the account takes no new risk until this is cleared")

    def _shrink_allowances(self) -> None:
        causes = tuple(self._shrunk(cause) for cause in self.state.no_new_risk)
        if causes != self.state.no_new_risk:
            self.state = _replace(self.state, no_new_risk=causes)

    def _shrunk(self, cause: NoNewRisk) -> NoNewRisk:
        allowance = {
            contract: min(allowed, held, key=abs)
            for contract, allowed in cause.allowance.items()
            if allowed * (held := self.state.quantity(contract)) > 0
        }
        return cause if allowance == cause.allowance else _replace(cause, allowance=allowance)

    # --- flatten -----------------------------------------------------------------------------------------------

    def _flatten_what_appears(self) -> None:
        state = self.state
        under_way = state.flatten is not None and state.flatten.flat_seq is None
        if not state.lockouts or under_way or self._clean():
            return
        lockout = max(state.lockouts, key=lambda x: (x.until is None, x.until or x.since, x.cause))
        self.state = _replace(state, reentries=state.reentries + 1)
        self._open_flatten(lockout, f"{lockout.cause}: new exposure under the lockout")
        again = self.state.reentries
        severity = Severity.CRITICAL if again >= REENTRIES_TO_TELL else Severity.WARNING
        self._tell(
            "reentry",
            severity,
            f"new exposure appeared under the lockout for the {_ordinal(again)} time and is being closed",
            rule=lockout.cause,
            reason=lockout.reason,
            action=str(ActionType.FLATTEN_ACCOUNT),
        )

    def _clean(self) -> bool:
        state = self.state
        differs = any(r.disagrees_since is not None for r in state.reported.values())
        return not (state.positions or state.closes or state.orders or differs)

    def _follow_flatten(self) -> None:
        target = self.state.flatten
        if target is None:
            return
        if target.flat_seq is None and self._clean():
            self.state = _replace(self.state, flatten=_replace(target, flat_seq=self._seq))
            self._end_enforcements(target.rule)

    def confirm_flat(self, asked_seq: int) -> None:
        """Take a snapshot begun after ``asked_seq`` as proof, if the account looked flat before it and still does."""
        target = self.state.flatten
        if target is not None and target.flat_seq is not None and asked_seq >= target.flat_seq and self._clean():
            self.state = _replace(self.state, flatten=None)

    # --- commands ----------------------------------------------------------------------------------------------

    def _wants(self) -> Wants:
        if self.state.flatten is not None:
            return flatten_wants(self.state)
        state = self.state
        asked = self._close_requests() if state.close_requests or state.overshot else ()
        parts = [rule_wants(state, self._findings, self._projected, asked)]
        if state.no_new_risk:
            parts.append(no_new_risk_wants(self.view.of(state)))
        if state.trims:
            parts.append(Wants({}, leftover_exits(state)))
        return parts[0] if len(parts) == 1 else merged(*parts)

    def _close_requests(self) -> Iterable[Want]:
        state = self.state
        asked = _still_open(state, state.close_requests)
        overshot = _still_open(state, state.overshot)
        return [
            *(Want(contract, 0, "request", "asked for", "") for contract in sorted(asked)),
            *(Want(c, 0, "overshot", "riskd's own close went through zero", "") for c in sorted(overshot)),
        ]

    def _command(self, wants: Wants) -> None:
        for want in wants.reductions.values():
            self._close(want)
        for cancel in wants.cancels.values():
            self._cancel(cancel)

    def _waits(self, key: str) -> bool:
        retry = self.state.retries.get(key)
        return retry is not None and (retry.not_before > self.at or retry.needs_snapshot > 0)

    def _close(self, want: Want) -> None:
        state, contract = self.state, want.contract
        held = smaller(state, contract)
        if contract in state.closes or self._waits(contract) or held == 0:
            return
        left = want.left if want.left * held > 0 and state.partial_close else 0
        quantity = abs(held) - abs(left)
        if quantity <= 0:
            return
        whole = left == 0
        enforcement = self._enforcement_for(want)
        position = state.positions.get(contract)
        command_id = self._next_id()
        close = Close(
            command_id=command_id,
            contract=contract,
            quantity=quantity,
            whole=whole,
            held=held,
            opening_seq=position.opening_seq if position else 0,
            sent_at=self.at,
            seq=self._seq,
            rule=want.rule,
            enforcement=enforcement,
        )
        self.state = _replace(
            self.state,
            closes={**self.state.closes, contract: close},
        )
        self._commands.append(
            ClosePosition(
                account=state.account,
                command_id=command_id,
                contract=contract,
                quantity=None if whole else quantity,
                held=held,
                left=left,
                rule=want.rule,
                reason=want.reason,
                enforcement=enforcement,
            )
        )

    def _enforcement_for(self, want: Want) -> int:
        """Return the enforcement that a close belongs to, begun now unless one of its rule is under way."""
        found = self._under_way(want.rule)
        if found is None:
            self._count(want.rule, want)
            return self._begin(
                want.rule, self._closing_action(), want.headline or want.reason, contracts=(want.contract,)
            )
        contracts = found.contracts if want.contract in found.contracts else (*found.contracts, want.contract)
        action = found.action
        if action in (ActionType.SET_LOCKOUT, ActionType.CANCEL_ORDER):
            action = self._closing_action()
        changed = _replace(found, contracts=contracts, action=action)
        self.state = _replace(
            self.state, enforcements=tuple(changed if e is found else e for e in self.state.enforcements)
        )
        return found.enforcement_id

    def _under_way(self, rule: str) -> Enforcement | None:
        for enforcement in self.state.enforcements:
            if enforcement.rule == rule:
                return enforcement
        return None

    def _closing_action(self) -> str:
        return ActionType.CLOSE_POSITION if self.state.flatten is None else ActionType.FLATTEN_ACCOUNT

    def _count(self, rule: str, want: Want) -> None:
        for finding in self._findings:
            if finding.entry.rule_id == rule:
                self._engine.began(finding.action)
                return
        self._engine.began(
            EnforcementAction(
                action_type=ActionType.CLOSE_POSITION,
                account=self.state.account,
                rule_id=rule,
                reason=want.reason,
                quantity=abs(smaller(self.state, want.contract)) - abs(want.left),
            )
        )

    def _cancel(self, wanted: WantedCancel) -> None:
        order, state = wanted.order, self.state
        under_way = state.cancels.get(order.order_id)
        # An order that was cut may have to go altogether; anything else that is under way is waited for.
        cut = under_way is not None and under_way.size is not None and under_way.status is not CloseStatus.SENT
        if (under_way is not None and not (cut and wanted.size is None)) or self._waits(order.order_id):
            return
        if not any(e.rule == wanted.rule for e in state.enforcements):
            self._begin(wanted.rule, ActionType.CANCEL_ORDER, wanted.headline or wanted.reason)
        command_id = self._next_id()
        cancel = Cancel(
            command_id=command_id, order_id=order.order_id, sent_at=self.at, seq=self._seq, size=wanted.size
        )
        self.state = _replace(self.state, cancels={**self.state.cancels, order.order_id: cancel})
        enforcement = next(e.enforcement_id for e in self.state.enforcements if e.rule == wanted.rule)
        self._commands.append(_cancel_command(state.account, command_id, enforcement, wanted))

    def _next_id(self) -> str:
        self._requests += 1
        return f"{self.state.account}-{self._seq}-{self._requests}"

    # --- endings -----------------------------------------------------------------------------------------------

    def _report_ended(self) -> None:
        under_way = {close.rule for close in self.state.closes.values()}
        for enforcement in self.state.enforcements:
            if enforcement.rule not in under_way and enforcement.rule not in self._wanting():
                self._end_enforcements(enforcement.rule)

    def _wanting(self) -> set[str]:
        """Return the rules that still want something, whether or not it is under way."""
        wanting = {f.entry.rule_id for f in self._projected if f.action.reductions}
        wanting |= {f.entry.rule_id for f in self._findings if f.action.cancels}
        wanting |= {cause.cause for cause in self.state.no_new_risk}
        wanting |= {want.rule for want in self._close_requests()}
        return wanting if self.state.flatten is None else wanting | {self.state.flatten.rule}

    def _end_enforcements(self, rule: str) -> None:
        ended = [e for e in self.state.enforcements if e.rule == rule]
        self.state = _replace(self.state, enforcements=tuple(e for e in self.state.enforcements if e.rule != rule))
        view = self.view.of(self.state)
        entry = next((f.entry for f in self._findings if f.entry.rule_id == rule), None)
        rooms = [] if entry is None else answers([entry], lambda it: [it.rule.headroom(view)], [])
        self._told.extend(enforcement_ended(e, view, rooms[0] if rooms else None) for e in ended)

    def _forget_settled(self) -> None:
        state = self.state
        if any(contract not in state.closes for contract in state.trims):
            left_over = {cancel.order.contract for cancel in leftover_exits(state).values()}
            trims = {c: trim for c, trim in state.trims.items() if c in state.closes or c in left_over}
            self.state = state = _replace(state, trims=trims)
        if not (state.close_requests or state.overshot or state.retries):
            return
        requests, overshot = _still_open(state, state.close_requests), _still_open(state, state.overshot)
        retries = {key: retry for key, retry in state.retries.items() if key in state.orders or state.quantity(key)}
        if (requests, overshot, retries) != (state.close_requests, state.overshot, state.retries):
            self.state = _replace(state, close_requests=requests, overshot=overshot, retries=retries)

    def _tell_errors(self) -> None:
        trouble = self._refusals() or self._without_end()
        if bool(trouble) == self.state.error_state:
            return
        self.state = _replace(self.state, error_state=bool(trouble))
        if trouble:
            text = f"{trouble}; riskd goes on trying, close it by hand if you can"
            self._tell("error_state", Severity.CRITICAL, text)

    def _refusals(self) -> str:
        worst = max(self.state.retries.values(), key=_failures, default=None)
        # Once told it lasts until the last failed request has come to its end, or each new try would be told anew.
        enough = 1 if self.state.error_state else FAILURES_TO_ERROR
        if worst is None or worst.failures < enough:
            return ""
        return f"the broker refused {worst.failures} times ({worst.code or 'no reason given'})"

    def _without_end(self) -> str:
        late = [close.contract for close in self.state.closes.values() if told_at(close) <= self.at]
        seconds = int(TOLD_AFTER.total_seconds())
        return f"the close of {', '.join(sorted(late))} has not come to its end within {seconds} s" if late else ""

    # --- snapshots ---------------------------------------------------------------------------------------------

    def _ask_for_snapshot(self) -> None:
        state = self.state
        due = snapshot_due(state)
        if due is None or due > self.at:
            return
        if state.asked is not None and self.at < state.asked.at + SNAPSHOT_WITHIN:
            return
        request_id = f"{state.account}-{self._seq}-s"
        self.state = _replace(state, asked=Asked(request_id=request_id, seq=self._seq, at=self.at))
        self._commands.append(RequestSnapshot(account=state.account, request_id=request_id, since=read_since(state)))

    def _tell(
        self, kind: str, severity: Severity, text: str, *, rule: str = "", reason: str = "", action: str = ""
    ) -> None:
        self._told.append(
            Alert(
                account=self.state.account,
                seq=self._seq,
                at=self.at,
                kind=kind,
                severity=severity,
                text=text,
                rule=rule,
                reason=reason,
                action=action,
            )
        )


def _cancel_command(account: str, command_id: str, enforcement: int, wanted: WantedCancel) -> CancelOrder | ResizeOrder:
    cancel = CancelOrder(
        account=account,
        command_id=command_id,
        order_id=wanted.order.order_id,
        contract=wanted.order.contract,
        rule=wanted.rule,
        reason=wanted.reason,
        enforcement=enforcement,
    )
    if wanted.size is None:
        return cancel
    return ResizeOrder(**msgspec.structs.asdict(cancel), size=wanted.size)


def _still_open(state: AccountState, wanted: Mapping[str, int]) -> Mapping[str, int]:
    """Return the positions that are wanted closed, by opening seq, as far as they still are open."""
    return {
        contract: opening
        for contract, opening in wanted.items()
        if contract in state.positions and state.positions[contract].opening_seq == opening
    }


def read_since(state: AccountState) -> datetime:
    """Return from when on a snapshot must read fills: a little before the last such reading began, or the day's start.

    Shape: never from the last fill known: an older one may have been lost on the way. The whole day where the fills do
    not explain the broker's position: one of them may have been taken back.
    """
    start = day_start(state.trading_day)
    unexplained = any(reported.drift is not None for reported in state.reported.values())
    return start if state.fills_until is None or unexplained else state.fills_until - OVERLAP


def snapshot_due(state: AccountState) -> datetime | None:
    """Return when a snapshot is wanted, in the past for at once; None while nothing is in doubt."""
    times: list[datetime] = []
    long_ago = day_start(state.trading_day)
    if state.recheck_seq or (state.flatten is not None and state.flatten.flat_seq is not None):
        times.append(long_ago)
    if any(e.waits_until is not None and state.snapshot_seq < e.seq for e in state.episodes.values()):
        times.append(long_ago)
    if state.retries and any(retry.needs_snapshot for retry in state.retries.values()):
        times.append(long_ago)
    for contract, reported in state.reported.items():
        if reported.disagrees_since is not None:
            looked = reported.drift is not None
            times.append(adoptable_at(state, contract, reported) if looked else reported.disagrees_since + DISAGREEMENT)
    times += [next_look(close) or long_ago for close in state.closes.values() if close.unknown_seq is not None]
    return min(times, default=None)


def _failures(retry: Retry) -> int:
    return retry.failures


def _ordinal(count: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(count, f"{count}th")

"""Rules that change while an account lives: what is provably tighter at once, everything else when its time has come.

Source: rules.md section 0, "Tightening applies at once"; ADR 0014.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Lockout, NoNewRisk, PendingRules
from riskd.domain.calendar import day_start, next_reset, trading_day
from riskd.domain.commands import Severity
from riskd.engine.reports import until_text
from riskd.rules.contract import Compare, Compile, Rulebook, RulesChange

NOTICE: Final = timedelta(hours=12)
"""How far away the 17:00 must at least be at which a loosening applies."""
FAULT: Final = "fault "
"""What the cause of taking no new risk begins with when a rule could not be loaded or failed."""
_GONE: Final = "the configuration no longer names the account"
_replace: Final = msgspec.structs.replace


class News(msgspec.Struct, frozen=True):
    """Something about an account's rules that people should hear."""

    severity: Severity
    text: str


class Turn(msgspec.Struct, frozen=True):
    """An account after its rules were looked at; ``state.rules`` says which are in force now."""

    state: AccountState
    news: tuple[News, ...] = ()


def loosening_due(at: datetime) -> datetime:
    """Return the first 17:00 Chicago time, Monday to Friday, that is at least 12 hours after an instant."""
    due = next_reset(at)
    return due if due - at >= NOTICE else next_reset(due)


def proposed(state: AccountState, spec: str, compile_rules: Compile, at: datetime) -> Turn:
    """Take over what the configuration wants for an account, as far as it may apply now.

    Shape: ``spec`` "" means that the configuration no longer names the account.
    """
    compare = compile_rules(state.account, state.rules).compare
    if not _enforced(state):
        return _at_once(state, spec, _everything(compare, spec) if state.rules and spec else ())
    change = _compared(state, spec, compare)
    if not change.waiting:
        return _at_once(state, spec, change.at_once)
    waiting = _waiting(state, spec, change, compile_rules, at)
    news = [News(Severity.INFO, f"rules changed: {_listed(change.at_once)}")] if change.at_once else []
    if waiting != state.pending:
        text = f"the change waits until {until_text(waiting.effective_at)}: {_listed(waiting.changes)}"
        news.append(News(Severity.WARNING, text))
    return Turn(_replace(state, rules=change.spec, pending=waiting), tuple(news))


def _enforced(state: AccountState) -> bool:
    """Tell whether there is anything to loosen: an account that is only watched may change its rules at will."""
    return bool(state.rules) and ((state.armed and not state.shadow) or bool(state.lockouts))


def _at_once(state: AccountState, spec: str, changes: Iterable[str]) -> Turn:
    news = []
    if told := _listed(changes) if spec else _GONE * bool(state.rules):
        news.append(News(Severity.INFO, f"rules changed: {told}"))
    if state.pending is not None and state.pending.spec != spec:
        news.append(News(Severity.INFO, f"no longer waiting: {_listed(state.pending.changes)}"))
    return Turn(_with_rules(state, spec), tuple(news))


def _with_rules(state: AccountState, spec: str) -> AccountState:
    """Return the account under these rules; without any it is not armed any more."""
    return _replace(state, rules=spec, pending=None, armed=state.armed and bool(spec))


def _everything(compare: Compare | None, spec: str) -> tuple[str, ...]:
    if compare is None:
        return ()
    change = compare(spec)
    return (*change.at_once, *change.later)


def _compared(state: AccountState, spec: str, compare: Compare | None) -> RulesChange:
    if not spec:
        return RulesChange(state.rules, later=(_GONE,), waiting=("account",))
    if compare is None:
        return RulesChange(state.rules, later=("its rules",), waiting=("rules",))
    return compare(spec)


def _waiting(state: AccountState, spec: str, change: RulesChange, compile_rules: Compile, at: datetime) -> PendingRules:
    """Return what waits and until when; what is no looser than what waits already need not wait anew."""
    old = state.pending
    announced = old is not None and _no_looser(state.account, spec, old.spec, compile_rules)
    return PendingRules(
        spec=spec,
        effective_at=old.effective_at if old is not None and announced else loosening_due(at),
        since=old.since if old is not None and announced else at,
        rules=change.waiting,
        changes=change.later,
    )


def _no_looser(account: str, spec: str, than: str, compile_rules: Compile) -> bool:
    if spec == than or not than:
        return True
    compare = compile_rules(account, than).compare
    return bool(spec) and compare is not None and not compare(spec).waiting


def due(state: AccountState, at: datetime) -> Turn | None:
    """Let rules apply whose time has come, but not at the end of a TradingDay on which the account was locked.

    Shape: None while nothing has come.
    """
    pending = state.pending
    if pending is None or at < pending.effective_at:
        return None
    when = pending.effective_at
    while when <= at and _ended_locked(state, when):
        when = next_reset(when)
    if when > at:
        text = f"the account was locked: the change waits until {until_text(when)}: {_listed(pending.changes)}"
        later = _replace(state, pending=_replace(pending, effective_at=when))
        return Turn(later, (News(Severity.WARNING, text),))
    text = f"rules changed, as announced on {until_text(pending.since)}: {_listed(pending.changes)}"
    return Turn(_with_rules(state, pending.spec), (News(Severity.WARNING, text),))


def _ended_locked(state: AccountState, end: datetime) -> bool:
    """Tell whether a lockout stood on the TradingDay that ended at this 17:00."""
    day = trading_day(end - timedelta.resolution)
    if state.locked_day == day:
        return True
    start, not_flat = day_start(day), state.flatten is not None
    return any(_stood(lockout, start, end, not_flat=not_flat) for lockout in state.lockouts)


def _stood(lockout: Lockout, start: datetime, end: datetime, *, not_flat: bool) -> bool:
    return lockout.since < end and (not_flat or lockout.until is None or lockout.until > start)


def with_lockout_noted(state: AccountState) -> AccountState:
    """Remember on which TradingDay a lockout stood last."""
    if not state.lockouts or state.locked_day == state.trading_day:
        return state
    return _replace(state, locked_day=state.trading_day)


# --- what the account remembers of its rules -----------------------------------------------------------------------


def settled_in(state: AccountState, rulebook: Rulebook) -> AccountState:
    """Forget what belongs to rules that are no more: their episodes, memories, restarts and faults."""
    known = {entry.rule_id for entry in rulebook.entries} | {fault.split(":", 1)[0] for fault in rulebook.faults}
    episodes = {key: episode for key, episode in state.episodes.items() if episode.rule_id in known}
    memories = {rule_id: memory for rule_id, memory in state.memories.items() if rule_id in known}
    restarts = {rule_id: restart for rule_id, restart in state.restarts.items() if rule_id in known}
    return _replace(
        state,
        episodes=episodes if len(episodes) < len(state.episodes) else state.episodes,
        memories=memories if len(memories) < len(state.memories) else state.memories,
        restarts=restarts if len(restarts) < len(state.restarts) else state.restarts,
        no_new_risk=tuple(c for c in state.no_new_risk if _fault_of(c) is None or _fault_of(c) in known),
    )


def without_old_faults(state: AccountState, faults: Iterable[str]) -> AccountState:
    """Take new risk again where every rule has just answered, after somebody has set the rules anew.

    Shape: ``faults`` are those of now; a cause that is among them stays as it is.
    """
    failing = {fault.split(":", 1)[0] for fault in faults}
    kept = tuple(c for c in state.no_new_risk if _fault_of(c) is None or _fault_of(c) in failing)
    return state if len(kept) == len(state.no_new_risk) else _replace(state, no_new_risk=kept)


def _fault_of(cause: NoNewRisk) -> str | None:
    """Return the id of the rule that failed, None for any other cause."""
    return cause.cause.removeprefix(FAULT) if cause.cause.startswith(FAULT) else None


def _listed(changes: Iterable[str]) -> str:
    return "; ".join(changes)

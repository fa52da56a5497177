"""Hear every rule, rank what they find, and tell a new violation from one that goes on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Episode
from riskd.domain.account_view import AccountView
from riskd.domain.drawdowns import Restarts, with_equity
from riskd.domain.events import AnyEvent, QuoteReported
from riskd.domain.violations import EnforcementAction, RuleViolation, RuleWarning
from riskd.engine.containment import answers
from riskd.rules.contract import Mode, RiskRule, RiskRulePlugin, Rulebook, RuleEntry

ORDERS_WITHIN: Final = timedelta(seconds=1)
"""How long a rule that asks for the broker's orders first waits for them."""
_replace: Final = msgspec.structs.replace


class Finding(msgspec.Struct, frozen=True):
    """One violation by one rule of an account, and what the rule wants done about it."""

    entry: RuleEntry
    violation: RuleViolation
    action: EnforcementAction
    new: bool = False

    @property
    def episode_key(self) -> str:
        """Return the key under which the account remembers this violation."""
        return f"{self.entry.rule_id}|{self.violation.key}"


class Hearing(msgspec.Struct, frozen=True):
    """What came of hearing an account's rules: its state with the episodes, the verdict, and warnings not told yet."""

    state: AccountState
    verdict: "Verdict"
    warnings: tuple[tuple[RuleEntry, RuleWarning], ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What all rules say of one account at one moment, strongest first; ``faults`` names rules that failed."""

    findings: tuple[Finding, ...] = ()
    faults: tuple[str, ...] = ()


class _Prepared(msgspec.Struct, frozen=True):
    """One rulebook, sorted by what its rules take part in, so that a quote pays only for those that hear it."""

    entries: tuple[RuleEntry, ...]
    warning: tuple[RuleEntry, ...]
    by_price: tuple[RuleEntry, ...]
    warning_by_price: tuple[RuleEntry, ...]
    choosy: tuple[RuleEntry, ...]
    remembering: tuple[RuleEntry, ...]
    watches_equity: bool

    def asked(self, event: AnyEvent) -> tuple[Sequence[RuleEntry], Sequence[RuleEntry]]:
        """Return the rules to hear about an event, and those of them that warn."""
        # Only quotes come often enough to be worth skipping; anything else may have changed what every rule looks at.
        if not isinstance(event, QuoteReported):
            return self.entries, self.warning
        deaf = [entry for entry in self.choosy if not entry.rule.applies_to(event)] if self.choosy else ()
        if not deaf:
            return self.by_price, self.warning_by_price
        return [e for e in self.by_price if e not in deaf], [e for e in self.warning_by_price if e not in deaf]


def _prepared(rulebook: Rulebook) -> _Prepared:
    entries = tuple(rulebook.entries)
    choosy = tuple(e for e in entries if not _inherits(e.rule, "applies_to"))
    by_price = tuple(e for e in entries if e in choosy or not isinstance(e.rule, RiskRule) or e.rule.hears_quotes)
    warning = tuple(e for e in entries if not _inherits(e.rule, "warnings"))
    return _Prepared(
        entries=entries,
        warning=warning,
        by_price=by_price,
        warning_by_price=tuple(e for e in warning if e in by_price),
        choosy=choosy,
        remembering=tuple(e for e in entries if not _inherits(e.rule, "remember")),
        watches_equity=any(e.rule.watches_equity for e in entries),
    )


def _inherits(rule: RiskRulePlugin, method: str) -> bool:
    """Tell whether a rule leaves a method as RiskRule has it, which is: nothing to ask."""
    defining = next((base for base in type(rule).__mro__ if method in base.__dict__), None)
    return defining is RiskRule


class RiskEngine:
    """Hears the rules of every account.

    Shape: holds the rulebooks and nothing else; what it finds out goes into the accounts.
    """

    def __init__(self) -> None:
        """Start without rules."""
        self.rulebooks: dict[str, Rulebook] = {}
        self._prepared: dict[str, _Prepared] = {}

    def use(self, rulebook: Rulebook) -> None:
        """Hear these rules for their account from now on."""
        self.rulebooks[rulebook.account] = rulebook
        self._prepared[rulebook.account] = _prepared(rulebook)

    def forget(self, account: str) -> None:
        """Hear nothing for this account any more."""
        self.rulebooks.pop(account, None)
        self._prepared.pop(account, None)

    def hear(self, view: AccountView, event: AnyEvent, seq: int) -> Hearing:
        """Bring what rules remember up to date, hear them all, and keep the episodes.

        Errors: KeyError for an account without rules.
        """
        prepared = self._prepared[view.account.account]
        faults: list[str] = []
        if prepared.remembering and not isinstance(event, QuoteReported):
            view = _looking_at(view, _remembered(view, prepared.remembering, event, faults))
        if prepared.watches_equity:
            view = _looking_at(view, _with_high_water(view))
        asked, warning = prepared.asked(event)
        verdict = judge(view, asked, event)
        due = _warnings(view, warning, faults) if warning else ()
        if faults:
            verdict = _replace(verdict, faults=(*faults, *verdict.faults))
        if not (verdict.findings or verdict.faults or view.account.episodes):
            return Hearing(view.account, verdict, due)
        answered = [e.rule_id for e in asked]
        if verdict.faults:
            failed = {fault.split(":", 1)[0] for fault in verdict.faults}
            answered = [rule_id for rule_id in answered if rule_id not in failed]
        state, verdict = with_episodes(view.account, verdict, seq=seq, at=view.at, heard=answered)
        return Hearing(state, verdict, due)


def _looking_at(view: AccountView, state: AccountState) -> AccountView:
    """Return the view of a state: the same one, with all that it has reckoned, where nothing changed."""
    return view if state is view.account else view.of(state)


def _with_high_water(view: AccountView) -> AccountState:
    state, equity = view.account, view.equity
    if equity is None:
        return state
    if state.restarts:
        state = _with_restarts(state, with_equity(state.restarts, equity))
    if state.highest_equity is not None and equity <= state.highest_equity:
        return state
    return _replace(state, highest_equity=equity)


def _with_restarts(state: AccountState, restarts: Restarts) -> AccountState:
    return state if restarts is state.restarts else _replace(state, restarts=restarts)


def judge(view: AccountView, entries: Iterable[RuleEntry], event: AnyEvent | None) -> Verdict:
    """Hear rules about an account's state.

    Shape: in the order given, which is their rank, so that the first finding is the strongest. A rule that raises is
    named in ``faults`` and silences no other.
    """

    def found(entry: RuleEntry) -> list[Finding]:
        violations = entry.rule.violations(event, view)
        return [_finding(entry, violation, view) for violation in violations] if violations else []

    faults: list[str] = []
    return Verdict(tuple(answers(entries, found, faults)), tuple(faults))


def _finding(entry: RuleEntry, violation: RuleViolation, view: AccountView) -> Finding:
    violation = _replace(violation, account=view.account.account, rule_id=entry.rule_id)
    action = entry.rule.get_enforcement_action(violation)
    return Finding(entry, violation, _replace(action, account=view.account.account, rule_id=entry.rule_id))


def _remembered(view: AccountView, entries: Iterable[RuleEntry], event: AnyEvent, faults: list[str]) -> AccountState:
    """Return the account with what its rules remember brought up to date."""
    state = view.account
    before = state.memories

    def renewed(entry: RuleEntry) -> list[tuple[str, Mapping[str, str]]]:
        memory = before.get(entry.rule_id, {})
        after = entry.rule.remember(memory, event, view)
        return [] if after == memory else [(entry.rule_id, after)]

    news = answers(entries, renewed, faults)
    return _replace(state, memories={**before, **dict(news)}) if news else state


def _warnings(
    view: AccountView, entries: Iterable[RuleEntry], faults: list[str]
) -> tuple[tuple[RuleEntry, RuleWarning], ...]:
    """Return the warnings that have not been told on this TradingDay."""
    told = view.account.warned

    def untold(entry: RuleEntry) -> list[tuple[RuleEntry, RuleWarning]]:
        warnings = entry.rule.warnings(view)
        return [(entry, w) for w in warnings if f"{entry.rule_id}|{w.key}" not in told] if warnings else []

    return tuple(answers(entries, untold, faults))


def with_episodes(
    state: AccountState, verdict: Verdict, *, seq: int, at: datetime, heard: Iterable[str]
) -> tuple[AccountState, Verdict]:
    """Open an episode for each new violation, keep those that go on, close those that are over.

    Shape: ``heard`` are the rule ids that were evaluated: an episode of a rule that was not asked stays open.
    """
    asked = frozenset(heard)
    episodes: dict[str, Episode] = {
        key: episode for key, episode in state.episodes.items() if episode.rule_id not in asked
    }
    findings: list[Finding] = []
    for finding in verdict.findings:
        known = state.episodes.get(finding.episode_key)
        episodes[finding.episode_key] = known or _episode(finding, seq, at)
        findings.append(_replace(finding, new=known is None))
    if episodes != state.episodes:
        state = _replace(state, episodes=episodes)
    return state, _replace(verdict, findings=tuple(findings))


def waits(state: AccountState, finding: Finding, at: datetime) -> bool:
    """Tell whether a finding must wait for the broker's orders before anything is done about it."""
    episode = state.episodes.get(finding.episode_key)
    if episode is None or episode.waits_until is None:
        return False
    return at < episode.waits_until and state.snapshot_seq < episode.seq


def _episode(finding: Finding, seq: int, at: datetime) -> Episode:
    return Episode(
        waits_until=at + ORDERS_WITHIN if finding.action.confirm_orders else None,
        rule_id=finding.entry.rule_id,
        rule=finding.violation.rule_name,
        key=finding.violation.key,
        seq=seq,
        since=at,
        message=finding.violation.message,
    )


def acting(state: AccountState, rulebook: Rulebook, finding: Finding) -> bool:
    """Tell whether a finding is enforced, or only recorded because account, rulebook or rule is in shadow mode."""
    return not state.shadow and rulebook.mode is Mode.ENFORCE and finding.entry.mode is Mode.ENFORCE


def headroom(view: AccountView, rulebook: Rulebook) -> Mapping[str, Decimal]:
    """Return by rule id how far in USD the account is from each of its money limits."""

    def room(entry: RuleEntry) -> list[tuple[str, Decimal]]:
        left = entry.rule.headroom(view)
        return [] if left is None else [(entry.rule_id, left)]

    return dict(answers(rulebook.entries, room, []))

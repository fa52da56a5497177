"""Hear every rule, rank what they find, and tell a new violation from one that goes on."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Episode
from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent, QuoteReported
from riskd.domain.violations import EnforcementAction, RuleViolation, RuleWarning
from riskd.rules.contract import Mode, Rulebook, RuleEntry

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


class Verdict(msgspec.Struct, frozen=True):
    """What all rules say of one account at one moment, strongest first; ``faults`` names rules that failed."""

    findings: tuple[Finding, ...] = ()
    faults: tuple[str, ...] = ()


def judge(view: AccountView, rulebook: Rulebook, event: AnyEvent | None) -> Verdict:
    """Hear all rules of an account about its state.

    Shape: in the rulebook's rank, so that the first finding is the strongest. A rule that raises is named in ``faults``
    and silences no other.
    """
    findings: list[Finding] = []
    faults: list[str] = []
    for entry in rulebook.entries:
        if not _asked(entry, event):
            continue
        try:
            found = tuple(entry.rule.violations(event, view))
            findings.extend(_finding(entry, violation, view) for violation in found)
        except Exception as error:  # noqa: BLE001 - a third party's rule may raise anything; its account fails closed
            faults.append(f"{entry.rule_id}: {type(error).__name__}: {error}")
    return Verdict(tuple(findings), tuple(faults))


def _asked(entry: RuleEntry, event: AnyEvent | None) -> bool:
    # Only quotes come often enough to be worth skipping; anything else may have changed what every rule looks at.
    return not isinstance(event, QuoteReported) or entry.rule.applies_to(event)


def _finding(entry: RuleEntry, violation: RuleViolation, view: AccountView) -> Finding:
    violation = _replace(violation, account=view.account.account, rule_id=entry.rule_id)
    action = _replace(entry.rule.get_enforcement_action(violation), account=view.account.account, rule_id=entry.rule_id)
    return Finding(entry, violation, action)


def remembered(view: AccountView, rulebook: Rulebook, event: AnyEvent | None) -> tuple[AccountState, tuple[str, ...]]:
    """Return the account with what its rules remember brought up to date, and the rules that failed to."""
    state = view.account
    faults: list[str] = []
    for entry in rulebook.entries:
        memory = state.memories.get(entry.rule_id, {})
        try:
            renewed = entry.rule.remember(memory, event, view)
        except Exception as error:  # noqa: BLE001 - a third party's rule may raise anything; its account fails closed
            faults.append(f"{entry.rule_id}: {type(error).__name__}: {error}")
            continue
        if renewed != memory:
            state = _replace(state, memories={**state.memories, entry.rule_id: renewed})
    return state, tuple(faults)


def warnings(view: AccountView, rulebook: Rulebook) -> tuple[tuple[RuleEntry, RuleWarning], ...]:
    """Return the warnings of all rules that have not been told on this TradingDay."""
    told = view.account.warned
    return tuple(
        (entry, warning)
        for entry in rulebook.entries
        for warning in entry.rule.warnings(view)
        if f"{entry.rule_id}|{warning.key}" not in told
    )


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


def heard(rulebook: Rulebook, event: AnyEvent | None, faults: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the rules that this event asked and that answered."""
    failed = {fault.split(":", 1)[0] for fault in faults}
    return tuple(entry.rule_id for entry in rulebook.entries if entry.rule_id not in failed and _asked(entry, event))


def acting(state: AccountState, rulebook: Rulebook, finding: Finding) -> bool:
    """Tell whether a finding is enforced, or only recorded because account, rulebook or rule is in shadow mode."""
    return not state.shadow and rulebook.mode is Mode.ENFORCE and finding.entry.mode is Mode.ENFORCE


def headroom(view: AccountView, rulebook: Rulebook) -> Mapping[str, Decimal]:
    """Return by rule id how far in USD the account is from each of its money limits."""
    found: dict[str, Decimal] = {}
    for entry in rulebook.entries:
        room = entry.rule.headroom(view)
        if room is not None:
            found[entry.rule_id] = room
    return found

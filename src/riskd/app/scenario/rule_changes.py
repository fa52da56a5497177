"""Changing the rules of a running account: what is tighter applies at once, everything else waits for its time."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from riskd.app.scenario.language import RuleLine
from riskd.app.scenario.rule_values import Entry, entry_of
from riskd.domain.calendar import next_reset, trading_day
from riskd.rules.params import RuleParams, tightness_of
from riskd.rules.registry import canonical, rule_class

NOTICE: Final = timedelta(hours=12)
"""How far off the 17:00 must be at which a loosening applies."""
_MOMENT: Final = timedelta.resolution


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one rule of an account, as the whole canonical text of its rules after it."""

    rule: str
    spec: str
    tighter: bool


def changed(spec: str, line: RuleLine) -> Change:
    """Return the rules with one of them changed or added, and whether that is provably tighter.

    Errors: Unreadable when the change cannot be used.
    """
    rules: dict[str, object] = msgspec.json.decode(spec, type=dict[str, object])
    entries = msgspec.convert(rules.get("rules", []), list[Entry])
    wanted = line.settings.get("id", line.rule)
    before = next((entry for entry in entries if entry.get("id", entry["rule"]) == wanted), None)
    after = entry_of(line, before)
    kept = [entry for entry in entries if entry is not before]
    off = after.pop("enabled", True) is False
    entries = kept if off else [after if entry is before else entry for entry in entries]
    if before is None and not off:
        entries = [*entries, after]
    tighter = not off and (before is None or _tighter(line.rule, before, after))
    return Change(wanted, canonical({**rules, "rules": entries}), tighter)


def _tighter(rule: str, before: Entry, after: Entry) -> bool:
    if after.get("mode", "enforce") != before.get("mode", "enforce") and after.get("mode") == "shadow":
        return False
    old, new = _params(rule, before), _params(rule, after)
    fields = type(old).model_fields.items()
    return all(tightness_of(field).holds(getattr(old, name), getattr(new, name)) for name, field in fields)


def _params(rule: str, entry: Entry) -> RuleParams:
    return rule_class(rule).Params.model_validate(entry["params"])


def loosening_applies_at(now: datetime) -> datetime:
    """Return the first 17:00 Chicago time, Monday to Friday, that is at least twelve hours away."""
    at = next_reset(now)
    return at if at - now >= NOTICE else next_reset(at)


@dataclass(slots=True)
class RunningRules:
    """The rules of every account as they apply now, and the changes that wait.

    Shape: canonical text by account; ``due`` maps account and rule to when its change applies.
    """

    specs: dict[str, str]
    loosens_at_once: frozenset[str]
    due: dict[tuple[str, str], tuple[datetime, RuleLine]] = field(default_factory=dict)
    _locked_days: set[tuple[str, date]] = field(default_factory=set)

    def change(self, account: str, line: RuleLine, now: datetime) -> bool:
        """Take a change in; tell whether it applies at once."""
        change = changed(self.specs[account], line)
        self.due.pop((account, change.rule), None)
        if not change.tighter and account not in self.loosens_at_once:
            self.due[account, change.rule] = (loosening_applies_at(now), line)
            return False
        self.specs[account] = change.spec
        return True

    def note_locked(self, account: str, now: datetime) -> None:
        """Note that a lockout stands: no loosening applies at the end of this TradingDay."""
        self._locked_days.add((account, trading_day(now)))

    def next_due(self) -> datetime | None:
        """Return when the next change must be looked at."""
        return min((at for at, _ in self.due.values()), default=None)

    def apply_due(self, now: datetime) -> list[str]:
        """Apply the changes whose time has come, put off those of a day with a lockout; return who has new rules."""
        applied: dict[str, None] = {}
        for (account, rule), (at, line) in tuple(self.due.items()):
            if at > now:
                continue
            if (account, trading_day(at - _MOMENT)) in self._locked_days:
                self.due[account, rule] = (next_reset(at), line)
                continue
            del self.due[account, rule]
            self.specs[account] = changed(self.specs[account], line).spec
            applied[account] = None
        return list(applied)

    def pending(self, account: str) -> tuple[str, ...]:
        """Return the rules of an account whose change waits."""
        return tuple(rule for owner, rule in self.due if owner == account)

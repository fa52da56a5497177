"""What a changed configuration may do now and what must wait.

Tightening applies at once. Whatever is not provably tighter waits for the first 17:00 Chicago time that is far enough
away, so that no limit is raised in anger. Until then an account lives under the stricter of both: a rule that became
tighter is replaced, one that became looser stays, and where neither can be proved the new one applies beside the old.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from pydantic import ValidationError

from riskd.domain.calendar import next_reset
from riskd.rules.contract import Mode
from riskd.rules.params import RuleParams, tightness_of
from riskd.rules.pnl_settings import PnlParams
from riskd.rules.registry import RulebookSpec, RuleNotLoaded, RuleSpec, canonical, rule_class

NOTICE: Final = timedelta(hours=12)
"""How far away the 17:00 must at least be at which a loosening applies."""
COMING: Final = " (coming)"
"""What the id of a new rule ends with while it applies beside the one it will replace."""


class Change(msgspec.Struct, frozen=True):
    """One difference: ``where`` is a rule's id and a field, such as ``DailyRealizedLoss limit``."""

    where: str
    old: str
    new: str
    tighter: bool

    def __str__(self) -> str:
        """Return it as people read it."""
        return f"{self.where}: {self.old} → {self.new}"


class SpecChange(msgspec.Struct, frozen=True):
    """What becomes of one account's rules.

    Shape: ``now`` is the canonical text to apply at once; ``then`` the one that waits, None where nothing does.
    """

    now: str
    then: str | None
    changes: tuple[Change, ...]


def change_of(old: str, new: str) -> SpecChange:
    """Compare the canonical rules of an account with those it is to have."""
    before, after = _read(old), _read(new)
    if old == new or before.mode is Mode.SHADOW:
        return SpecChange(new, None, tuple(_differences(before, after)))
    rules = _rules_now(_by_id(before), _by_id(after))
    now = _written(rules, _pnl_now(before, after), Mode.ENFORCE)
    wanted = _written(after.rules, after.pnl, after.mode)
    return SpecChange(now, None if now == wanted else new, tuple(_differences(before, after)))


def tighter_or_equal(old: RuleParams, new: RuleParams) -> bool:
    """Tell whether going from one set of parameters to another of the same kind can only make it stricter."""
    was, becomes = dict(old), dict(new)
    fields = type(old).model_fields.items()
    return type(old) is type(new) and all(tightness_of(f).holds(was[name], becomes[name]) for name, f in fields)


def loosening_due(at: datetime) -> datetime:
    """Return the first 17:00 Chicago time, Monday to Friday, that is at least 12 hours after an instant.

    Shape: whether that day ends under a lockout can only be known then; the caller asks again from there if it does.
    """
    due = next_reset(at)
    while due - at < NOTICE:
        due = next_reset(due)
    return due


def _read(spec: str) -> RulebookSpec:
    return msgspec.json.decode(spec, type=RulebookSpec)


def _pnl_now(before: RulebookSpec, after: RulebookSpec) -> Mapping[str, object]:
    old, new = PnlParams.model_validate(before.pnl), PnlParams.model_validate(after.pnl)
    return after.pnl if tighter_or_equal(old, new) else before.pnl


def _by_id(spec: RulebookSpec) -> dict[str, RuleSpec]:
    return {rule.rule_id: rule for rule in spec.rules}


def _rules_now(before: Mapping[str, RuleSpec], after: Mapping[str, RuleSpec]) -> Iterable[RuleSpec]:
    """Give the rules that hold until the change is complete, each at least as strict as before and after."""
    for rule_id, new in after.items():
        old = before.get(rule_id)
        if old is None or _entry_tighter(old, new):
            yield new
        else:
            yield old
            if not _entry_tighter(new, old) and new.mode is Mode.ENFORCE:
                yield msgspec.structs.replace(new, id=f"{rule_id}{COMING}")
    for rule_id, old in before.items():
        if rule_id not in after and old.mode is Mode.ENFORCE:
            yield old


def _entry_tighter(old: RuleSpec, new: RuleSpec) -> bool:
    if old.mode is Mode.SHADOW:
        return True  # it has stopped nothing so far
    if new.mode is Mode.SHADOW or old.rule != new.rule:
        return False
    was, becomes = _params(old), _params(new)
    return was is not None and becomes is not None and tighter_or_equal(was, becomes)


def _params(rule: RuleSpec) -> RuleParams | None:
    """Return the parameters of a rule, None for one that cannot be loaded: nothing can be proved of it."""
    try:
        return rule_class(rule.rule).Params.model_validate(rule.params)
    except (RuleNotLoaded, ValidationError):
        return None


def _written(rules: Iterable[RuleSpec], pnl: Mapping[str, object], mode: Mode) -> str:
    entries = [
        {"rule": r.rule, **({"id": r.id} if r.id is not None else {}), "mode": r.mode.value, "params": r.params}
        for r in rules
    ]
    return canonical({"mode": mode.value, "pnl": pnl, "rules": entries})


def _differences(before: RulebookSpec, after: RulebookSpec) -> Iterable[Change]:
    """Give every difference, in the order of the new rules, then what is gone, then the settings."""
    old, new = _by_id(before), _by_id(after)
    if before.mode is not after.mode:
        yield Change("mode", before.mode.value, after.mode.value, tighter=after.mode is Mode.ENFORCE)
    for rule_id, rule in new.items():
        yield from _of_rule(rule_id, old.get(rule_id), rule)
    for rule_id, gone in old.items():
        if rule_id not in new:
            yield Change(rule_id, _said(gone), "none", tighter=gone.mode is Mode.SHADOW)
    yield from _of_fields("pnl", PnlParams.model_validate(before.pnl), PnlParams.model_validate(after.pnl))


def _of_rule(rule_id: str, old: RuleSpec | None, new: RuleSpec) -> Iterable[Change]:
    if old is None:
        yield Change(rule_id, "none", _said(new), tighter=True)
        return
    if old.mode is not new.mode:
        yield Change(f"{rule_id} mode", old.mode.value, new.mode.value, tighter=new.mode is Mode.ENFORCE)
    was, becomes = _params(old), _params(new)
    if was is None or becomes is None or old.rule != new.rule:
        if _said(old) != _said(new):
            yield Change(rule_id, _said(old), _said(new), tighter=False)
    else:
        yield from _of_fields(rule_id, was, becomes)


def _of_fields(where: str, old: RuleParams, new: RuleParams) -> Iterable[Change]:
    was, becomes = dict(old), dict(new)
    shown, shows = old.model_dump(mode="json"), new.model_dump(mode="json")
    for name, field in type(old).model_fields.items():
        if was[name] != becomes[name]:
            holds = tightness_of(field).holds(was[name], becomes[name])
            yield Change(f"{where} {name}", _text(shown[name]), _text(shows[name]), tighter=holds)


def _said(rule: RuleSpec) -> str:
    return f"{rule.rule} {canonical(rule.params)}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)

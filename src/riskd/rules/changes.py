"""What of a changed configuration may apply at once, and what must wait.

Until a change is complete an account lives under the stricter of both: a rule that became provably tighter is replaced,
one that became looser or is gone stays, and where neither can be proved the new one applies beside the old. So a
tightening is never late, a loosening never early, and no mixture of parameters arises that nobody has written.

Rules are matched by id. A rule that is added, or goes from shadow to enforce, is tighter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Final

import msgspec
from pydantic import ValidationError

from riskd.rules.contract import Mode, RulesChange
from riskd.rules.durations import show_duration
from riskd.rules.params import RuleParams, tightness_of
from riskd.rules.pnl_settings import PnlParams
from riskd.rules.spec import RulebookSpec, RuleSpec, canonical

Raw = Mapping[str, object]


class Installed(msgspec.Struct, frozen=True):
    """What must be asked of the rules that are installed; whatever they raise is contained there.

    Shape: ``read`` returns the parameters of a rule by name, None where rule or parameters cannot be used; ``proves``
    tells whether parameters are provably as strict as others of their kind.
    """

    read: Callable[[str, Raw], RuleParams | None]
    proves: Callable[[RuleParams, RuleParams], bool]


COMING: Final = " (coming)"
"""What the id of a new rule ends with while it applies beside the one that it will replace."""
MOST_COMING: Final = 8
"""So often a rule can be changed, where nothing can be proved, before a further change waits as a whole."""
_LONGEST: Final = 80
_replace: Final = msgspec.structs.replace


def changed(old: str, new: str, installed: Installed) -> RulesChange:
    """Compare the canonical text of the rules in force with that of others.

    Shape: never raises. Where the old text cannot be read nothing can be compared with it, and the new one applies;
    where the new one cannot be read, the old one stays.
    """
    wanted = _read(new)
    if wanted is None:
        return RulesChange(old, later=("the rules cannot be read",), waiting=("rules",))
    before = _read(old)
    if before is None:
        return RulesChange(new, at_once=("rules that could not be read are replaced",))
    mixed = wanted if _nothing_to_lose(before) else _tightened(before, wanted, installed)
    at_once, later = _told(before, mixed, installed), _told(mixed, wanted, installed)
    until_then = _written(mixed) if at_once else old
    return RulesChange(
        spec=until_then if later else new,
        at_once=tuple(sentence for _, sentence in at_once),
        later=tuple(sentence for _, sentence in later),
        waiting=tuple(dict.fromkeys(subject for subject, _ in later)),
    )


def _read(spec: str) -> RulebookSpec | None:
    try:
        return msgspec.json.decode(spec, type=RulebookSpec)
    except msgspec.DecodeError:
        return None


def _written(spec: RulebookSpec) -> str:
    rules = [
        {"rule": rule.rule, **({} if rule.id is None else {"id": rule.id}), "mode": rule.mode, "params": rule.params}
        for rule in spec.rules
    ]
    later = {} if spec.loosening == "next_day" else {"loosening": spec.loosening}
    return canonical({"mode": spec.mode, "pnl": spec.pnl, "rules": rules, **later})


def _nothing_to_lose(spec: RulebookSpec) -> bool:
    """Tell whether these rules enforce nothing, or say themselves that every change applies at once."""
    return spec.loosening == "immediate" or spec.mode is Mode.SHADOW


def tighter_or_equal(old: RuleParams, new: RuleParams) -> bool:
    """Tell whether it is proven that new parameters of a rule stop whatever the old ones stop."""
    return type(old) is type(new) and new.as_strict_as(old)


# --- what holds until the change is complete -----------------------------------------------------------------------


def _tightened(old: RulebookSpec, new: RulebookSpec, installed: Installed) -> RulebookSpec:
    before = {rule.rule_id: rule for rule in old.rules}
    found: list[RuleSpec] = []
    for rule in new.rules:
        was = before.pop(rule.rule_id, None)
        coming = [other for rule_id, other in before.items() if replaced_by(rule_id) == rule.rule_id]
        found += _until_complete(was, rule, coming, installed)
    in_force = {rule.rule_id: rule for rule in found}
    enforced = [rule for rule in before.values() if rule.mode is Mode.ENFORCE]
    found += [r for r in enforced if not _as_strict(in_force.get(replaced_by(r.rule_id)), r, installed)]
    return RulebookSpec(
        rules=found,
        pnl=_tighter_settings(old.pnl, new.pnl),
        mode=old.mode,
        loosening="next_day" if "next_day" in (old.loosening, new.loosening) else "immediate",
    )


def _protects_nobody(old: RuleSpec, new: RuleSpec, installed: Installed) -> bool:
    """Tell whether a rule only watched, or has parameters that the rule as it is installed now cannot read any more."""
    if old.mode is Mode.SHADOW:
        return True
    readable = [installed.read(new.rule, rule.params) is not None for rule in (old, new)]
    return old.rule == new.rule and readable == [False, True]


def replaced_by(rule_id: str) -> str:
    """Return the id of the rule that a coming one will replace, "" where it is none."""
    base, coming, _ = rule_id.partition(COMING)
    return base if coming else ""


def _until_complete(
    old: RuleSpec | None, new: RuleSpec, coming: Sequence[RuleSpec], installed: Installed
) -> list[RuleSpec]:
    """Return the new rule where it is as strict, the old one where that is, and both where neither is proven."""
    if old is None or _protects_nobody(old, new, installed) or _as_strict(new, old, installed):
        return [new]
    covered = any(_as_strict(rule, new, installed) for rule in (old, *coming))
    if new.mode is Mode.SHADOW or covered or len(coming) >= MOST_COMING:
        return [old]
    return [old, _replace(new, id=_free_id(new.rule_id, {rule.rule_id for rule in coming}))]


def _free_id(rule_id: str, taken: set[str]) -> str:
    names = (f"{rule_id}{COMING}" if n == 1 else f"{rule_id}{COMING} {n}" for n in count(1))
    return next(name for name in names if name not in taken)


def _as_strict(rule: RuleSpec | None, other: RuleSpec, installed: Installed) -> bool:
    """Tell whether it is proven that a rule, enforced, stops whatever another one stops."""
    if rule is None or rule.mode is Mode.SHADOW or rule.rule != other.rule:
        return False
    if rule.params == other.params:
        return True
    these, those = installed.read(rule.rule, rule.params), installed.read(rule.rule, other.params)
    return these is not None and those is not None and installed.proves(these, those)


def _tighter_settings(old: Raw, new: Raw) -> dict[str, object]:
    """Return how P&L is reckoned, each setting by itself."""
    before, after = _settings(old), _settings(new)
    if before is None or after is None:
        return dict(new if before is None else old)
    chosen: dict[str, object] = {}
    was, becomes = dict(before), dict(after)
    for name, field in PnlParams.model_fields.items():
        source = new if tightness_of(field).holds(was[name], becomes[name]) else old
        if name in source:
            chosen[name] = source[name]
    return chosen


def _settings(params: Raw) -> RuleParams | None:
    try:
        return PnlParams.model_validate(params)
    except ValidationError:
        return None


# --- in words ------------------------------------------------------------------------------------------------------

Said = tuple[str, str]
"""What a change is about, a rule's id or the name of a setting, and the change in words."""


def _told(old: RulebookSpec, new: RulebookSpec, installed: Installed) -> list[Said]:
    before = {rule.rule_id: rule for rule in old.rules}
    after = {rule.rule_id: rule for rule in new.rules}
    found: list[Said] = []
    for rule_id in dict.fromkeys((*before, *after)):
        if base := replaced_by(rule_id):
            told = _told_of_coming(before.get(rule_id), after.get(rule_id), after.get(base))
        else:
            base, told = rule_id, _told_of_rule(before.get(rule_id), after.get(rule_id), installed)
        found.extend((base, f"{base} {sentence}") for sentence in told)
    found.extend((f"pnl.{key}", f"pnl.{said}") for key, said in _differences(_settings, old.pnl, new.pnl))
    if old.mode is not new.mode:
        found.append(("mode", f"mode {old.mode} → {new.mode}"))
    if old.loosening != new.loosening:
        found.append(("loosening", f"loosening {old.loosening} → {new.loosening}"))
    return found


def _told_of_rule(old: RuleSpec | None, new: RuleSpec | None, installed: Installed) -> Iterable[str]:
    if new is None:
        yield "removed"
    elif old is None:
        mode = "" if new.mode is Mode.ENFORCE else f" in {new.mode} mode"
        yield f"added{mode}: {_short(new.params)}"
    elif old.rule != new.rule:
        yield f"is {new.rule} instead of {old.rule}: {_short(new.params)}"
    else:
        yield from (said for _, said in _differences(partial(installed.read, new.rule), old.params, new.params))
        if old.mode is not new.mode:
            yield f"mode {old.mode} → {new.mode}"


def _told_of_coming(old: RuleSpec | None, new: RuleSpec | None, becomes: RuleSpec | None) -> Iterable[str]:
    if old is None and new is not None:
        yield f"beside it: {_short(new.params)}"
    elif old is not None and new is None and (becomes is None or becomes.params != old.params):
        yield f"no longer beside it: {_short(old.params)}"


def _differences(read: Callable[[Raw], RuleParams | None], old: Raw, new: Raw) -> list[Said]:
    """Return each parameter that means something else, as ``limit -500.00 → -400.00``."""
    checked = read(old), read(new)
    # What cannot be read is shown as it is written.
    before, after = (
        dict(params) if params is not None else raw for params, raw in zip(checked, (old, new), strict=True)
    )
    keys = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    return [(key, f"{key} {_shown(before.get(key))} → {_shown(after.get(key))}") for key in keys]


def _shown(value: object) -> str:  # noqa: PLR0911 - one line for each kind of value
    match value:
        case timedelta():
            return show_duration(value)
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case RuleParams():
            return f"{{{_short(value.model_dump(mode='json', exclude_none=True))}}}"
        case tuple() | list():
            return f"[{', '.join(map(_shown, value))}]"
        case Mapping():
            return f"{{{_short(value)}}}"
        case _:
            return str(value)


def _short(params: Raw) -> str:
    text = ", ".join(f"{key} {_shown(value)}" for key, value in params.items()) or "as it is"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

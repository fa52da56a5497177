"""Which rules apply to which account: universal ones, its profile's, and its own changes to them."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from riskd.config.models import ALERT, DEFAULT_PROFILE, Config, Mode, OverrideConfig, RuleEntryConfig
from riskd.rules.registry import canonical


def specs(config: Config) -> dict[str, str]:
    """Return the canonical rules of every account that the configuration names, by account id."""
    return {
        account.id: spec_for(config, account.profile, account.overrides, account.mode) for account in config.accounts
    }


def spec_for(
    config: Config,
    profile: str = DEFAULT_PROFILE,
    overrides: Sequence[OverrideConfig] = (),
    mode: Mode = "enforce",
) -> str:
    """Return the canonical rules of a profile, with an account's changes to them.

    Shape: universal rules first; a universal rule and one of the profile with the same id both apply. A profile that
    the file does not have adds nothing.
    """
    own = config.profiles[profile].rules if profile in config.profiles else ()
    rules = _overridden(_joined(config.universal.rules, own), overrides)
    written = {
        "mode": mode,
        "pnl": config.pnl.model_dump(mode="json", exclude_defaults=True),
        "rules": [_written(rule) for rule in rules if rule.enabled],
        **({} if config.loosening == "next_day" else {"loosening": config.loosening}),
    }
    return canonical(written)


def unlisted_spec(config: Config) -> str | None:
    """Return the rules of accounts that the configuration does not name, None where they are only reported."""
    return None if config.unlisted_accounts == ALERT else spec_for(config, config.unlisted_accounts)


class _Rule(msgspec.Struct, frozen=True):
    rule: str
    rule_id: str
    enabled: bool
    mode: Mode
    params: Mapping[str, object]


def _joined(universal: Iterable[RuleEntryConfig], own: Sequence[RuleEntryConfig]) -> list[_Rule]:
    taken = {entry.rule_id for entry in own}
    shared = [_rule(e, f"universal/{e.rule_id}" if e.rule_id in taken else e.rule_id) for e in universal]
    return [*shared, *(_rule(entry, entry.rule_id) for entry in own)]


def _rule(entry: RuleEntryConfig, rule_id: str) -> _Rule:
    return _Rule(entry.rule, rule_id, entry.enabled, entry.mode, entry.params)


def _overridden(rules: Iterable[_Rule], overrides: Iterable[OverrideConfig]) -> list[_Rule]:
    by_id = {rule.rule_id: rule for rule in rules}
    for override in overrides:
        wanted = override.id or override.rule
        old = by_id.get(wanted) or _Rule(override.rule, wanted, enabled=True, mode="enforce", params={})
        by_id[wanted] = _Rule(
            old.rule,
            wanted,
            enabled=old.enabled if override.enabled is None else override.enabled,
            mode=override.mode or old.mode,
            params={**old.params, **override.params},
        )
    return list(by_id.values())


def _written(rule: _Rule) -> dict[str, object]:
    own_id = {"id": rule.rule_id} if rule.rule_id != rule.rule else {}
    return {"rule": rule.rule, **own_id, "mode": rule.mode, "params": dict(rule.params)}

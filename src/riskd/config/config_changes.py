"""Comparing two whole configurations: every account's rules, and the settings that guard them."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from riskd.config.changes import Change, SpecChange, change_of
from riskd.config.models import ALERT, Config
from riskd.config.specs import specs, unlisted_spec
from riskd.rules.registry import canonical

NO_RULES: Final = canonical({"mode": "enforce", "pnl": {}, "rules": []})

_STRICT: Final = {"loosening": "next_day", "arming": "enforce", "admin_under_lockout": "refuse"}
"""For each setting that guards the rules, its stricter value."""


class ConfigChange(msgspec.Struct, frozen=True):
    """What becomes of each account, and which guarding settings change.

    Shape: an account that is no longer named keeps its rules until they may go. A setting whose change is not tighter
    waits as rules do.
    """

    accounts: Mapping[str, SpecChange]
    settings: tuple[Change, ...]

    @property
    def waits(self) -> bool:
        """Tell whether anything has to wait."""
        rules = any(change.then is not None for change in self.accounts.values())
        return rules or any(not change.tighter for change in self.settings)


def compare(old: Config, new: Config) -> ConfigChange:
    """Compare two configurations, both of which have been found good."""
    before, after = specs(old), specs(new)
    unnamed_before, unnamed_after = unlisted_spec(old) or NO_RULES, unlisted_spec(new) or NO_RULES
    accounts = {
        account: change_of(before.get(account, unnamed_before), after.get(account, unnamed_after))
        for account in dict.fromkeys([*after, *before])
    }
    return ConfigChange(accounts, tuple(_settings(old, new)))


def _settings(old: Config, new: Config) -> Iterable[Change]:
    values = {
        "loosening": (old.loosening, new.loosening),
        "arming": (old.arming, new.arming),
        "admin_under_lockout": (old.admin_under_lockout, new.admin_under_lockout),
    }
    for name, (was, becomes) in values.items():
        if was != becomes:
            yield Change(name, was, becomes, tighter=becomes == _STRICT[name])
    if old.unlisted_accounts != new.unlisted_accounts:
        # From one profile to another is compared account by account only where the accounts are known.
        tighter = old.unlisted_accounts == ALERT
        yield Change("unlisted_accounts", old.unlisted_accounts, new.unlisted_accounts, tighter=tighter)

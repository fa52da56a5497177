"""Changing one rule of an account as a trader edits the configuration; when the change applies is riskd's to say."""

import msgspec

from riskd.app.scenario.language import RuleLine
from riskd.app.scenario.rule_values import Entry, entry_of
from riskd.rules.registry import canonical


def edited(spec: str, line: RuleLine) -> str:
    """Return an account's canonical rules with one of them changed, added, or switched off.

    Errors: Unreadable when the change cannot be used.
    """
    rules: dict[str, object] = msgspec.json.decode(spec, type=dict[str, object])
    entries = msgspec.convert(rules.get("rules", []), list[Entry])
    wanted = line.settings.get("id", line.rule)
    before = next((entry for entry in entries if entry.get("id", entry["rule"]) == wanted), None)
    after = entry_of(line, before)
    kept = [] if after.pop("enabled", True) is False else [after]
    if before is None:
        return canonical({**rules, "rules": [*entries, *kept]})
    place = entries.index(before)
    return canonical({**rules, "rules": [*entries[:place], *kept, *entries[place + 1 :]]})

"""Account sizes of prop firms as ready-made profiles, from dated data files: firms change their rules every month."""

import json
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from riskd.config.models import ProfileConfig, RuleEntryConfig, Section
from riskd.rules.params import list_to_tuple
from riskd.rules.registry import suggestion

FRESH_FOR: Final = timedelta(days=90)
"""How long after it was checked a preset is taken for what the firm still says."""


class UnknownPreset(Exception):
    """There is no preset of this name; the text says which is near."""


def _date(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


class FirmPreset(Section):
    """One account size of one firm, as a profile."""

    name: str
    title: str
    rules: Annotated[tuple[RuleEntryConfig, ...], BeforeValidator(list_to_tuple)]


class Firm(Section):
    """What one firm's file says, where it comes from, and when somebody last looked."""

    firm: str
    checked: Annotated[date, BeforeValidator(_date)]
    sources: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(list_to_tuple)]
    notes: str
    presets: Annotated[tuple[FirmPreset, ...], BeforeValidator(list_to_tuple)]

    def stale(self, today: date) -> bool:
        """Tell whether so much time has passed that the firm may have changed its rules."""
        return today - self.checked > FRESH_FOR


@cache
def firms() -> tuple[Firm, ...]:
    """Return what is known of every firm, by name."""
    folder = files("riskd.config") / "presets"
    texts = [file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".json")]
    return tuple(sorted((Firm.model_validate(json.loads(text)) for text in texts), key=lambda firm: firm.firm))


def find_preset(name: str) -> tuple[Firm, FirmPreset]:
    """Return a preset and the firm it is of.

    Errors: UnknownPreset when there is none of this name.
    """
    known = {preset.name: (firm, preset) for firm in firms() for preset in firm.presets}
    if name not in known:
        raise UnknownPreset(f'there is no preset "{name}"{suggestion(name, known)}')
    return known[name]


def profile_of(preset: FirmPreset) -> ProfileConfig:
    """Return the profile that a preset stands for."""
    return ProfileConfig(preset=preset.name, rules=preset.rules)


def with_preset(text: str, preset: FirmPreset, profile: str) -> str:
    """Return a configuration's text with a profile set to a preset; whatever else it says stays, laid out anew.

    Errors: ValueError when the text is no JSON, TypeError when it is no object with an object of profiles.
    """
    document = json.loads(text)
    profiles = document.setdefault("profiles", {}) if isinstance(document, dict) else None
    if not isinstance(profiles, dict):
        raise TypeError("a configuration is one object in braces, and so are its profiles")
    profiles[profile] = profile_of(preset).model_dump(mode="json", exclude_defaults=True)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

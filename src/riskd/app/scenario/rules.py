"""The rules of a scenario's accounts, checked like those of any configuration and made into canonical text."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from riskd.app.scenario.language import RuleLine, Scenario
from riskd.app.scenario.parser import BadLine, UnreadableScenario
from riskd.app.scenario.rule_values import entry_of, value_of
from riskd.app.scenario.words import Unreadable
from riskd.config.errors import ConfigErrors
from riskd.config.loader import load
from riskd.config.models import Config
from riskd.config.specs import spec_for

SHIPPED: Final = "default.json"
"""The rules file that riskd brings along; one of this name beside the scenario is used instead."""

Document = dict[str, object]


def _spec(account: str, document: Document) -> str:
    """Check a whole document as a configuration, and return an account's canonical rules.

    Errors: Unreadable with everything that is wrong with it.
    """
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise Unreadable(f"expected settings that a configuration can have: {found}") from None
    own = next((a for a in config.accounts if account in (a.id, a.name)), None)
    return spec_for(config, own.profile, own.overrides, own.mode) if own else spec_for(config)


def rules_of(scenario: Scenario, default: Path | None) -> Mapping[str, str]:
    """Return the canonical rules of every account; ``default`` is for those without a rules line.

    Errors: UnreadableScenario with every rule that cannot be used.
    """
    bad: list[BadLine] = []
    found: dict[str, str] = {}
    for account, written in scenario.rules.items():
        try:
            document = _document(scenario, written, default)
            for key, text in scenario.settings.items():
                _set(document, key.split("."), value_of(text))
            found[account] = _spec(account, document)
        except Unreadable as why:
            line = written[0].line if written and not isinstance(written, str) else scenario.line
            bad.append(BadLine(scenario.file, line, f"{account}: {why}"))
        except ConfigErrors as errors:
            bad.extend(BadLine(scenario.file, scenario.line, f"{account}: {line}") for line in errors.lines())
    if bad:
        raise UnreadableScenario(tuple(bad))
    return found


def _document(scenario: Scenario, written: tuple[RuleLine, ...] | str, default: Path | None) -> Document:
    if isinstance(written, str):
        return _read(_beside(scenario, written))
    if not written and default is not None:
        return _read(default)
    return {"version": 1, "profiles": {"default": {"rules": [entry_of(line) for line in written]}}}


def _beside(scenario: Scenario, name: str) -> Path:
    found = Path(scenario.file).parent / name
    if name == SHIPPED and not found.exists():
        return Path(str(files("riskd.app.scenario").joinpath(SHIPPED)))
    return found


def _read(path: Path) -> Document:
    raw = load(path, for_daemon=False).raw
    # A copy, since `set` lines change it.
    copied: object = json.loads(json.dumps(raw))
    return copied if isinstance(copied, dict) else {}


def _set(document: Document, keys: list[str], value: object) -> None:
    *sections, last = keys
    place = document
    for section in sections:
        inside = place.setdefault(section, {})
        if not isinstance(inside, dict):
            raise Unreadable(f"expected a key that holds others, found {section}")
        place = inside
    place[last] = value

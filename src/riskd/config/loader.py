"""Reading a configuration file: everything that is wrong with it at once, each mistake with its place and line."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from json import JSONDecodeError
from pathlib import Path
from typing import Final, NoReturn

import msgspec
from dotenv import dotenv_values
from pydantic import ValidationError

from riskd.config.characters import odd_places
from riskd.config.errors import ConfigError, ConfigErrors
from riskd.config.explain import Issue, explained
from riskd.config.json_values import table
from riskd.config.models import Config
from riskd.config.positions import JsonPath, Positions, positions, show_path
from riskd.config.references import reference_issues
from riskd.config.rule_sections import rule_issues
from riskd.rules.registry import suggestion

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LARGEST: Final = 5_000_000


class Loaded(msgspec.Struct, frozen=True):
    """A configuration with the text it came from and where things stand in it."""

    config: Config
    raw: object
    positions: Positions


def load_config(path: Path, *, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration of a daemon.

    Shape: ``${NAME}`` is taken from ``environment``; None means the process's own, then `.env` beside the file.
    Errors: ConfigErrors with every mistake in the file.
    """
    return load(path, environment=environment, for_daemon=True).config


def load_rules(path: Path, *, environment: Mapping[str, str] | None = None) -> Config:
    """Read a file that only has to give rules: `broker` and `accounts` may be missing.

    Errors: ConfigErrors with every mistake in the file.
    """
    return load(path, environment=environment, for_daemon=False).config


def check_text(path: Path, *, for_daemon: bool = True) -> list[str]:
    """Return one line for each mistake in a file, empty when there is none."""
    try:
        load(path, for_daemon=for_daemon)
    except ConfigErrors as errors:
        return errors.lines()
    return []


def load(path: Path, *, environment: Mapping[str, str] | None = None, for_daemon: bool) -> Loaded:
    """Read a configuration and keep where things stand in it.

    Errors: ConfigErrors with every mistake in the file.
    """
    try:
        return _load(path, environment, for_daemon=for_daemon)
    except RecursionError:
        _fail(path, "is nested too deeply to be a configuration")


def _load(path: Path, environment: Mapping[str, str] | None, *, for_daemon: bool) -> Loaded:
    text = _text(path)
    raw = _json(path, text)
    places = positions(text)
    if odd := [Issue(place, "has a character that is no text", "remove it") for place in odd_places(raw)]:
        raise _errors(path, odd, places)
    filled, substituted, issues = _fill_in(raw, _environment(path, environment))
    if odd := [_discreet(Issue(place, "")) for place in odd_places(filled)]:
        raise _errors(path, odd, places)
    issues += [_duplicate(duplicate.path, duplicate.first_line) for duplicate in places.duplicates]
    config, found = _modelled(filled)
    found += rule_issues(filled) + reference_issues(filled)
    issues += [_discreet(issue) if issue.path in substituted else issue for issue in found]
    issues += _needed(filled) if for_daemon else []
    if issues or config is None:
        raise _errors(path, issues, places)
    return Loaded(config, filled, places)


def _errors(path: Path, issues: Iterable[Issue], places: Positions) -> ConfigErrors:
    return ConfigErrors(str(path), [_error(issue, places) for issue in _once(issues)])


def _modelled(filled: object) -> tuple[Config | None, list[Issue]]:
    try:
        return Config.model_validate(filled), []
    except ValidationError as error:
        return None, explained(error.errors(include_input=False, include_url=False), Config, filled)


def _error(issue: Issue, places: Positions) -> ConfigError:
    return ConfigError(show_path(issue.path), places.line_of(issue.path), issue.message, issue.hint)


def _once(issues: Iterable[Issue]) -> list[Issue]:
    """Keep one mistake for each place: a second reading of the same key adds nothing."""
    return list({(issue.path, issue.message): issue for issue in issues}.values())


def _fail(path: Path, message: str, hint: str = "", line: int = 0) -> NoReturn:
    raise ConfigErrors(str(path), [ConfigError("", line, message, hint)]) from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        _fail(path, "there is no such file", "check the path")
    except IsADirectoryError:
        _fail(path, "is a directory", "name the file in it, such as config.json")
    except OSError as error:
        _fail(path, f"cannot be read: {error.strerror}")
    if len(data) > _LARGEST:
        _fail(path, "is too large to be a configuration")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _fail(path, "is not UTF-8 text", "save it as UTF-8", data.count(b"\n", 0, error.start) + 1)


def _json(path: Path, text: str) -> object:
    if not text.strip():
        _fail(path, "is empty; it may be half written")
    try:
        raw: object = json.loads(text, parse_constant=_no_constant)
    except JSONDecodeError as error:
        message, hint = _syntax(text, error)
        _fail(path, message, hint, error.lineno)
    except ValueError as error:
        _fail(path, f"is not valid JSON: {error}")
    if not isinstance(raw, dict):
        _fail(path, "must be one object in braces", "", 1)
    return raw


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _syntax(text: str, error: JSONDecodeError) -> tuple[str, str]:
    rest, before = text[error.pos :].strip(), text[: error.pos].rstrip()
    if not rest or error.msg.startswith("Unterminated string"):
        return "ends in the middle", "it may be half written: save it again"
    if rest.startswith(("//", "#", "/*")):
        return "is not valid JSON: a comment", "JSON has no comments; remove it"
    # From Python 3.13 on the error stands at the comma, before at the bracket.
    comma = before.endswith(",") or rest.startswith(",")
    if comma and rest.removeprefix(",").lstrip()[:1] in ("}", "]"):
        return "is not valid JSON: a comma before the closing bracket", "remove the comma"
    if rest.startswith("'"):
        return "is not valid JSON: single quotes", 'use double quotes: "name"'
    return f"is not valid JSON: {error.msg[0].lower()}{error.msg[1:]}", f"column {error.colno}"


def _environment(path: Path, environment: Mapping[str, str] | None) -> Mapping[str, str]:
    if environment is not None:
        return environment
    secrets = path.parent / ".env"
    text = _text(secrets) if secrets.exists() else ""
    written = {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}
    return {**written, **os.environ}


def _fill_in(raw: object, environment: Mapping[str, str]) -> tuple[object, set[JsonPath], list[Issue]]:
    """Replace every ``${NAME}``; tell where that was done, since what stands there may be a secret."""
    substituted: set[JsonPath] = set()
    issues: list[Issue] = []

    def fill(value: object, path: JsonPath) -> object:
        match value:
            case dict():
                return {key: fill(item, (*path, key)) for key, item in value.items()}
            case list():
                return [fill(item, (*path, index)) for index, item in enumerate(value)]
            case str() if _VARIABLE.search(value):
                substituted.add(path)
                names = dict.fromkeys(_VARIABLE.findall(value))
                issues.extend(_unset(name, path, environment) for name in names if not environment.get(name))
                return _VARIABLE.sub(lambda found: environment.get(found[1]) or found[0], value)
            case _:
                return value

    return fill(raw, ()), substituted, issues


def _unset(name: str, path: JsonPath, environment: Mapping[str, str]) -> Issue:
    ours = [known for known in environment if known.startswith("RISKD_")]
    near = suggestion(name, ours) or "; set it in the environment or in .env beside the file"
    return Issue(path, f"${{{name}}} is not set", near.removeprefix("; "))


def _discreet(issue: Issue) -> Issue:
    return Issue(issue.path, "what the environment gives for this does not fit", "check the variable")


def _duplicate(path: JsonPath, first_line: int) -> Issue:
    what = "profile" if path[:-1] == ("profiles",) else "key"
    return Issue(path, f"this {what} is there twice, first on line {first_line}", "keep one of them")


def _needed(filled: object) -> list[Issue]:
    given = table(filled)
    found = [Issue((key,), "is missing") for key in ("broker", "accounts") if key not in given]
    if given.get("accounts") == []:
        found.append(Issue(("accounts",), "names no account", 'add one, such as {"id": "101"}'))
    return found

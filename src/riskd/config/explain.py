"""Turning a model's errors into sentences with their place in the file."""

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Final, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from riskd.config.positions import JsonPath
from riskd.rules.registry import suggestion

_PLAIN: Final = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "dict_type": "must be an object in braces",
    "tuple_type": "must be a list in brackets",
    "list_type": "must be a list in brackets",
    "model_type": "must be an object in braces",
    "model_attributes_type": "must be an object in braces",
    "string_too_short": "must not be empty",
}


class Issue(msgspec.Struct, frozen=True):
    """One mistake at a place in the JSON."""

    path: JsonPath
    message: str
    hint: str = ""


def explained(errors: Iterable[ErrorDetails], model: type[BaseModel], raw: object, *, at: JsonPath = ()) -> list[Issue]:
    """Return what a model found wrong with ``raw``, which stands at this path of the file."""
    return [_issue(error, model, raw, at) for error in errors]


def _issue(error: ErrorDetails, model: type[BaseModel], raw: object, at: JsonPath) -> Issue:
    kind, loc = error["type"], error["loc"]
    path = _path_in(raw, loc, missing=kind == "missing")
    if kind == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        return Issue((*at, *path), "unknown key", suggestion(str(path[-1]), known).removeprefix("; "))
    message = _PLAIN.get(kind) or _said(error)
    value = _value_at(raw, path)
    choices = _choices(error)
    hint = suggestion(value, choices).removeprefix("; ") if isinstance(value, str) and choices else ""
    return Issue((*at, *path), message, hint)


def _said(error: ErrorDetails) -> str:
    match error["type"]:
        case "literal_error":
            return f"must be {error['ctx']['expected'].replace(chr(39), chr(34))}"
        case _:
            return error["msg"].removeprefix("Value error, ").removeprefix("Input ")


def _choices(error: ErrorDetails) -> list[str]:
    if error["type"] != "literal_error":
        return []
    expected: str = error["ctx"]["expected"]
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(", ")]


def _path_in(raw: object, loc: tuple[str | int, ...], *, missing: bool) -> JsonPath:
    """Return the place in the file; a model's error also names the branches of a choice, which are no places."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        found = _child(raw, part)
        if found is not _NOTHING:
            path.append(part)
            raw = found
        elif missing and index == len(loc) - 1:
            path.append(part)
    return tuple(path)


class _Nothing:
    pass


_NOTHING: Final = _Nothing()


def _child(raw: object, part: str | int) -> object:
    if isinstance(raw, Mapping):
        return raw.get(part, _NOTHING)
    if isinstance(raw, list) and isinstance(part, int) and part < len(raw):
        return raw[part]
    return _NOTHING


def _value_at(raw: object, path: JsonPath) -> object:
    for part in path:
        raw = _child(raw, part)
    return raw


def _keys_at(model: type[BaseModel], path: JsonPath) -> list[str]:
    """Return the keys that the object at a path may have."""
    here: object = model
    for part in path:
        here = next(
            (below for below in (_below(kind, part) for kind in _alternatives(here)) if below is not None), None
        )
    models = [kind for kind in _alternatives(here) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [field.alias or name for kind in models for name, field in kind.model_fields.items()]


def _alternatives(annotation: object) -> list[object]:
    """Return the types that a value may have, optional and annotated types unwrapped."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [inner for argument in get_args(annotation) for inner in _alternatives(argument)]
    return [annotation]


def _below(kind: object, part: str | int) -> object:
    """Return the type of what stands under one part of a path, None where nothing can."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        by_key = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        return by_key.get(str(part))
    match get_origin(kind), get_args(kind):
        case (origin, (_, value)) if origin is dict:
            return value
        case (origin, (item, *_)) if origin in (tuple, list):
            return item
        case _:
            return None

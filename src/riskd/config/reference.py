"""The reference pages of the rules, made from their models and docstrings.

`python -m riskd.config.reference` writes them, `--check` only tells which are stale.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from inspect import cleandoc
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from riskd.config.schema import JsonObject, params_schema
from riskd.rules.contract import Category
from riskd.rules.durations import show_duration
from riskd.rules.params import ConfiguredRule, RuleParams, tightness_of
from riskd.rules.registry import rule_class, rule_names

FOLDER: Final = Path("docs/rules")
INDEX: Final = "README.md"
_OURS: Final = "riskd."
_LINE: Final = 100
_CATEGORIES: Final = {
    Category.SESSION: "session and symbol blocks",
    Category.LOCKOUT: "lockouts",
    Category.PER_POSITION: "limits of one position",
    Category.CONTRACT: "size limits",
    Category.FREQUENCY: "frequency and cooldown",
    Category.ALERT: "alerts",
}
_INTRODUCTION: Final = """# The rules

Every rule that can stand in a profile of `config.json`, in the order in which they are heard when several are broken at
once. Amounts are decimal text in quotes, durations carry their unit. A change that makes a rule tighter applies at
once, any other waits (see the column *tighter* of each page).

These pages are made by `python -m riskd.config.reference` from the code; do not edit them.
"""


def pages() -> dict[str, str]:
    """Return every page by file name."""
    rules = [rule_class(name) for name in rule_names() if rule_class(name).__module__.startswith(_OURS)]
    ranked = sorted(rules, key=lambda rule: (rule.category, rule.name))
    return {INDEX: _index(ranked), **{f"{rule.name}.md": page(rule) for rule in ranked}}


def _index(rules: Iterable[type[ConfiguredRule]]) -> str:
    lines = [_INTRODUCTION, "| rule | what it does | rank |", "|---|---|---|"]
    lines += [
        f"| [{r.name}]({r.name}.md) | {_summary(r)} | {int(r.category)}, {_CATEGORIES[r.category]} |" for r in rules
    ]
    return "\n".join(lines) + "\n"


def page(rule: type[ConfiguredRule]) -> str:
    """Return the page of one rule."""
    params = rule.Params
    parts = [
        f"# {rule.name}",
        _prose(rule.__doc__),
        f"Rank {int(rule.category)}: {_CATEGORIES[rule.category]}.",
        "## Parameters",
        *_said_of(params),
        "\n".join(_table(params)),
        "## Examples",
        *_examples(rule.name, params),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(rule: type[ConfiguredRule]) -> str:
    return cleandoc(rule.__doc__ or "").split("\n", 1)[0]


def _prose(docstring: str | None) -> str:
    """Return a docstring as paragraphs; its labels are for readers of code."""
    text = cleandoc(docstring or "")
    unlabelled = re.sub(r"^(?:Shape|Units): (.)", lambda found: f"\n{found[1].upper()}", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", unlabelled)


def _said_of(params: type[RuleParams]) -> Iterator[str]:
    """Give what is said of a rule's parameters, then of those they share with others."""
    for model in params.__mro__:
        if model is RuleParams:
            return
        yield _prose(model.__doc__)


def _table(params: type[RuleParams]) -> Iterator[str]:
    schema = params_schema(params)
    yield "| parameter | value | default | tighter |"
    yield "|---|---|---|---|"
    properties = schema["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - a model's schema is an object
    for name, field in params.model_fields.items():
        said = tightness_of(field).said
        cells = (f"`{name}`", _value(properties[name], schema), _default(field), said)
        yield f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.default_factory is None else "`{}`"
    match field.default:
        case None:
            return "none"
        case timedelta() as duration:
            return f'`"{show_duration(duration)}"`'
        case Decimal() as amount:
            return f'`"{amount}"`'
        case tuple() as items:
            return f"`{json.dumps(items)}`"
        case other:
            return f"`{json.dumps(other)}`"


def _value(schema: Mapping[str, object], root: JsonObject) -> str:
    """Say what a parameter may be."""
    match schema:
        case {"$ref": str(reference)}:
            return _reference(reference, root)
        case {"description": str(said)}:
            return said
        case {"enum": list(choices)}:
            return _choices(choices)
        case {"anyOf": list(kinds)}:
            # that it may be left out is said by its default
            return " or ".join(_value(kind, root) for kind in kinds if kind != {"type": "null"})
        case _:
            return _by_type(schema, root)


def _choices(choices: Iterable[object]) -> str:
    return ", ".join(f"`{json.dumps(choice)}`" for choice in choices)


def _by_type(schema: Mapping[str, object], root: JsonObject) -> str:
    match schema:
        case {"type": "array", "items": dict(items)}:
            return f"a list of {_value(items, root)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"for each product, {_value(values, root)}"
        case {"type": "integer"}:
            return f"a whole number{_bounds(schema)}"
        case {"type": "boolean"}:
            return _choices([schema["const"]] if "const" in schema else [True, False])
        case _:
            examples = _strings(schema.get("examples"))
            return f"text, such as {_choices(examples)}" if examples else "text"


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _bounds(schema: Mapping[str, object]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" from {low}" if low is not None else ""


def _reference(reference: str, root: JsonObject) -> str:
    definitions = root["$defs"]
    assert isinstance(definitions, dict)  # noqa: S101 - a reference has definitions beside it
    name = reference.rsplit("/", 1)[1]
    properties = definitions[name]["properties"]
    if name == "SessionHours":
        return "hours of its own, with all of the other keys here"
    inside = ", ".join(f"`{key}`: {_value(inner, root)}" for key, inner in properties.items())
    return f"{{{inside}}}"


def _examples(name: str, params: type[RuleParams]) -> Iterator[str]:
    shown = params.model_config.get("json_schema_extra")
    examples = shown.get("examples") if isinstance(shown, dict) else []
    for example in examples if isinstance(examples, list) else []:
        entry = {"rule": name, "params": example}
        text = json.dumps(entry)
        yield f"```json\n{text if len(text) <= _LINE else json.dumps(entry, indent=2)}\n```"


def stale(folder: Path) -> list[str]:
    """Return the pages in a folder that are not what they should be, missing and superfluous ones included."""
    wanted = pages()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path) -> None:
    """Write every page, and remove what is none any more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` tell which are stale; return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m riskd.config.reference [--check]\n")
        return 2
    if not arguments:
        write(FOLDER)
        return 0
    old = stale(FOLDER)
    for name in old:
        sys.stderr.write(f"{FOLDER / name} is stale: run python -m riskd.config.reference\n")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

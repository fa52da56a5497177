from pathlib import Path

import pytest

from riskd.config.reference import main, pages, stale, write
from riskd.config.schema import config_schema
from riskd.rules.registry import rule_class, rule_names

ROOT = Path(__file__).parents[3]


def test_the_reference_pages_are_fresh() -> None:
    """What docs/rules says is what the code says; `python -m riskd.config.reference` puts it right."""
    assert stale(ROOT / "docs" / "rules") == []


def test_every_rule_has_a_page_and_is_listed() -> None:
    """With its parameters, which change is tighter, and an example."""
    found = pages()

    for name in rule_names():
        assert f"[{name}]({name}.md)" in found["README.md"]
        assert all(f"| `{field}` |" in found[f"{name}.md"] for field in rule_class(name).Params.model_fields)
        assert f'"rule": "{name}"' in found[f"{name}.md"]


@pytest.mark.parametrize("name", rule_names())
def test_every_example_can_be_used(name: str) -> None:
    """What the pages and editors show is accepted as it stands."""
    shown = rule_class(name).Params.model_config["json_schema_extra"]
    assert isinstance(shown, dict)
    examples = shown["examples"]

    assert isinstance(examples, list)
    assert examples
    for example in examples:
        assert isinstance(example, dict)
        rule_class(name)(example)


def test_stale_pages_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that was changed, one that is missing and one that belongs to nothing."""
    monkeypatch.chdir(tmp_path)
    folder = Path("docs/rules")
    assert main([]) == 0
    assert main(["--check"]) == 0
    (folder / "MaxContracts.md").write_text("changed", encoding="utf-8")
    (folder / "SymbolBlock.md").unlink()
    (folder / "Gone.md").write_text("", encoding="utf-8")

    assert main(["--check"]) == 1
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        str(folder / name) for name in ("Gone.md", "MaxContracts.md", "SymbolBlock.md")
    ]
    write(folder)
    assert stale(folder) == []


def test_what_is_not_understood_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt option writes nothing."""
    assert main(["--chek"]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_schema_knows_every_rule_and_its_parameters() -> None:
    """An editor offers the parameters of the rule that an entry names, and no others."""
    schema = config_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)

    branches = definitions["RuleEntryConfig"]["allOf"]
    assert [branch["if"]["properties"]["rule"]["const"] for branch in branches] == list(rule_names())
    for branch in branches:
        target = branch["then"]["properties"]["params"]["$ref"].removeprefix("#/$defs/")
        assert definitions[target]["additionalProperties"] is False
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert {"$schema", "version", "broker", "accounts", "profiles", "universal"} <= properties.keys()


def test_the_schema_marks_a_limit_of_the_wrong_sign() -> None:
    """The pattern of a loss begins with a minus."""
    definitions = config_schema()["$defs"]
    assert isinstance(definitions, dict)

    assert definitions["DailyRealizedLossParams"]["properties"]["limit"]["pattern"] == r"^-\d+(\.\d+)?$"

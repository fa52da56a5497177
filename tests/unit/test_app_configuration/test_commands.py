import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskd.app import admin, main

GOOD = """{
  "version": 1,
  "broker": {"rest_url": "https://a.example", "user_hub_url": "https://b.example", "market_hub_url": "https://c.example",
             "username": "me", "api_key": "secret-of-mine"},
  "accounts": [{"id": "101"}],
  "profiles": {"default": {"rules": [{"rule": "MaxContracts", "params": {"max_contracts": 4}}]}},
  "notifications": {"channels": [{"name": "desk", "url": "json://localhost"}]}
}
"""


def run(*arguments: str, script: str = "admin", typed: str = "") -> tuple[int, str]:
    """Run a command line; return its exit code and what it printed."""
    app = admin.app if script == "admin" else main.app
    result = CliRunner().invoke(app, arguments, input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a configuration without a mistake."""
    path = tmp_path / "config.json"
    path.write_text(GOOD, encoding="utf-8")
    return path


# --- check ---------------------------------------------------------------------------------------------------------


def test_a_good_file_is_said_to_be_good(file: Path) -> None:
    """By either script, with exit code 0."""
    for script in ("admin", "main"):
        assert run("config", "check", str(file), script=script) == (0, f"{file}: no error, nothing suspicious\n")


def test_every_mistake_is_listed_with_its_line(file: Path) -> None:
    """All at once, and the exit code says that riskd would refuse the file."""
    bad = GOOD.replace("MaxContracts", "MaxContract").replace('"101"', '"101", "profle": "x"')
    file.write_text(bad, encoding="utf-8")

    code, said = run("config", "check", str(file))

    assert code == 2
    assert said.splitlines() == [
        f'{file}:5: accounts[0].profle: unknown key; did you mean "profile"?',
        f'{file}:6: profiles.default.rules[0].rule: there is no rule "MaxContract"; did you mean "MaxContracts"?',
        f"{file}: 2 errors: riskd would not start with this file",
    ]


def test_what_looks_suspicious_is_a_warning(file: Path) -> None:
    """The file can be used, so the exit code is 0."""
    file.write_text(GOOD.replace('"max_contracts": 4', '"max_contracts": 0'), encoding="utf-8")

    code, said = run("config", "check", str(file))

    assert code == 0
    assert said.splitlines() == [
        f"{file}:6: warning: profiles.default.rules[0].params.max_contracts: allows no contract at all",
        f"{file}: no error, 1 warning",
    ]


def test_programs_get_the_same_as_json(file: Path) -> None:
    """Path, line, message and hint of each."""
    file.write_text(GOOD.replace('"version": 1', '"version": 2'), encoding="utf-8")

    code, said = run("config", "check", str(file), "--json")

    assert (code, json.loads(said)["errors"]) == (
        2,
        [{"path": "version", "line": 2, "message": "must be 1", "hint": ""}],
    )


def test_a_file_of_rules_needs_no_broker(file: Path) -> None:
    """With --rules it may be what replay and scenarios take."""
    file.write_text('{"version": 1, "profiles": {"default": {"rules": []}}}', encoding="utf-8")

    assert run("config", "check", str(file))[0] == 2
    assert run("config", "check", str(file), "--rules")[0] == 0


# --- schema --------------------------------------------------------------------------------------------------------


def test_the_schema_goes_where_an_editor_finds_it(tmp_path: Path) -> None:
    """To the terminal, or to a file whose name to write into the configuration is said."""
    code, said = run("config", "schema", script="main")
    assert (code, json.loads(said)["title"]) == (0, "riskd configuration")

    file = tmp_path / "riskd.schema.json"
    code, told = run("config", "schema", "--output", str(file), script="main")
    assert (code, file.read_text(encoding="utf-8")) == (0, said)
    assert '"$schema": "./riskd.schema.json"' in told

    code, told = run("config", "schema", "--output", str(tmp_path / "no" / "such.json"), script="main")
    assert (code, "No such file" in told) == (2, True)


# --- presets -------------------------------------------------------------------------------------------------------


def test_presets_are_listed_with_their_date() -> None:
    """Hours by what they are, account sizes by firm and when somebody looked."""
    code, said = run("preset", "list")

    assert code == 0
    for name in ("RTH", "ETH", "24/5", "topstep", "topstep-50k"):
        assert name in said
    assert "2026-09-29" in said


def test_a_preset_is_shown_with_its_source() -> None:
    """Rules, source and date; a name that nobody knows gets the list."""
    assert "https://help.topstep.com" in run("preset", "show", "topstep-50k")[1]
    assert "08:30-15:00 Monday-Friday" in run("preset", "show", "rth")[1]
    code, said = run("preset", "show", "topstep-51k")
    assert code == 2
    assert 'did you mean "topstep-50k"?' in said


def test_a_preset_is_applied_after_asking(file: Path) -> None:
    """What changes is shown; "no" changes nothing; "yes" keeps everything else, such as variables, as it was."""
    file.write_text(GOOD.replace('"me"', '"${RISKD_NAME}"'), encoding="utf-8")
    (file.parent / ".env").write_text("RISKD_NAME=me\n", encoding="utf-8")
    before = json.loads(file.read_text(encoding="utf-8"))

    code, said = run("preset", "apply", "RTH", "--config", str(file), typed="n\n")
    assert code == 0
    assert '+          "rule": "SessionBlockOutside",' in said
    assert json.loads(file.read_text(encoding="utf-8")) == before

    assert run("preset", "apply", "RTH", "--config", str(file), typed="y\n")[0] == 0
    session = {"rule": "SessionBlockOutside", "params": {"preset": "RTH"}}
    before["profiles"]["default"]["rules"].append(session)
    assert json.loads(file.read_text(encoding="utf-8")) == before

    assert "nothing changes" in run("preset", "apply", "RTH", "--config", str(file))[1]
    assert run("preset", "apply", "ETH", "--config", str(file), "--yes")[0] == 0
    session["params"] = {"preset": "ETH"}
    assert json.loads(file.read_text(encoding="utf-8")) == before
    assert sorted(path.name for path in file.parent.iterdir()) == [".env", "config.json"]


def test_an_account_size_makes_a_profile(file: Path) -> None:
    """Under the name that is asked for; the file can be used afterwards."""
    assert run("preset", "apply", "topstep-50k", "--config", str(file), "--profile", "combine", "--yes")[0] == 0

    profiles = json.loads(file.read_text(encoding="utf-8"))["profiles"]
    assert profiles["combine"]["preset"] == "topstep-50k"
    assert profiles["combine"]["rules"][0]["rule"] == "MaxContracts"
    assert run("config", "check", str(file))[0] == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "check it with"),
        ("[]", "one object in braces"),
        ('{"version": 1, "profiles": {"default": {"rules": {}}}}', "no list"),
        ('{"version": 7}', "could not be used"),
    ],
)
def test_a_preset_is_not_put_into_a_broken_file(file: Path, text: str, complaint: str) -> None:
    """The file stays as it was, and the reason is said."""
    file.write_text(text, encoding="utf-8")

    code, said = run("preset", "apply", "RTH", "--config", str(file), "--yes")

    assert (code, file.read_text(encoding="utf-8")) == (2, text)
    assert complaint in said
    assert [path.name for path in file.parent.iterdir()] == ["config.json"]


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """No traceback."""
    code, said = run("preset", "apply", "RTH", "--config", str(tmp_path / "no.json"), "--yes")

    assert (code, "cannot be read" in said) == (2, True)

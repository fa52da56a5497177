import json
from pathlib import Path

import pytest

from riskd.config.errors import ConfigErrors
from riskd.config.loader import check_text, load_config, load_rules

ENVIRONMENT = {"RISKD_USERNAME": "trader", "RISKD_API_KEY": "s3cret"}

COMPLETE = """{
  "version": 1,
  "broker": {"kind": "projectx", "rest_url": "https://api.example.com", "user_hub_url": "https://rtc.example.com/hubs/user",
             "market_hub_url": "https://rtc.example.com/hubs/market",
             "username": "${RISKD_USERNAME}", "api_key": "${RISKD_API_KEY}"},
  "accounts": [{"id": "101", "name": "50K combine", "profile": "default", "mode": "enforce",
                "overrides": [{"rule": "MaxContracts", "params": {"max_contracts": 3}}]}],
  "unlisted_accounts": "alert",
  "universal": {"rules": [{"rule": "AuthLossGuard", "params": {"alert_only": true}}]},
  "profiles": {"default": {"rules": [
      {"rule": "MaxContracts", "enabled": true, "params": {"max_contracts": 4}},
      {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00", "basis": "combined"}},
      {"rule": "SessionBlockOutside",
       "params": {"allowed_days": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
                  "allowed_times": [{"start": "08:30", "end": "15:00"}]}}]}},
  "pnl": {"price_source": "last", "matching": "fifo", "fees": "included", "price_band": 8, "stale_after": "10s"},
  "loosening": "next_day", "arming": "shadow", "admin_under_lockout": "refuse",
  "notifications": {"channels": [{"name": "phone", "url": "tgram://x/y", "severity": "warning", "accounts": ["101"]}],
                    "dead_man_ping": null},
  "api": {"port": 5555},
  "paths": {}
}
"""

DAYS = '"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" or "Sunday"'
LIKE = 'write it as "08:30" or "15:00"'


def written(directory: Path, text: str) -> Path:
    """Write a configuration and return its path."""
    path = directory / "config.json"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(directory: Path, text: str) -> list[str]:
    """Return what is said about a configuration, each mistake as line and sentence."""
    with pytest.raises(ConfigErrors) as caught:
        load_config(written(directory, text), environment=ENVIRONMENT)
    return [f"{error.line} {error}" for error in caught.value.errors]


def test_a_complete_configuration_is_read(tmp_path: Path) -> None:
    """The documented example, with its login from the environment."""
    config = load_config(written(tmp_path, COMPLETE), environment=ENVIRONMENT)

    assert config.broker is not None
    assert config.broker.username == "trader"
    assert config.broker.api_key.get_secret_value() == "s3cret"
    assert [account.id for account in config.accounts] == ["101"]
    assert "s3cret" not in repr(config)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Windows editors put one at the start of a file."""
    path = tmp_path / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + COMPLETE.encode())

    assert load_config(path, environment=ENVIRONMENT).version == 1


def test_rules_alone_are_enough_for_a_replay(tmp_path: Path) -> None:
    """Without broker and accounts a file still gives rules, and the daemon asks for what it lacks."""
    text = '{"version": 1, "profiles": {"default": {"rules": []}}}'

    assert load_rules(written(tmp_path, text), environment={}).accounts == ()
    assert complaints(tmp_path, text) == ["1 broker: is missing", "1 accounts: is missing"]


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """One reading finds all of them, in the order of the file."""
    text = (
        COMPLETE.replace('"limit": "-500.00", "basis"', '"limit": "500.00", "bassis"')
        .replace('"enabled": true', '"enabled": "yes"')
        .replace('"Friday"', '"Fryday"')
        .replace('"end": "15:00"', '"end": "15.00"')
        .replace('"stale_after": "10s"', '"stale_after": "10"')
        .replace('"arming": "shadow"', '"arming": "shaddow"')
        .replace('"port": 5555', '"prt": 5555')
        .replace('"accounts": ["101"]', '"accounts": ["102"]')
        .replace('"max_contracts": 3', '"max_contracts": 3.5')
    )

    assert complaints(tmp_path, text) == [
        '7 accounts[0].overrides[0].params.max_contracts: must be a whole number such as 4 (or "0.5" with unit minis)',
        "11 profiles.default.rules[0].enabled: must be true or false, without quotes",
        '12 profiles.default.rules[1].params.limit: a loss limit is written negative: "-500.00", not "500.00"',
        '12 profiles.default.rules[1].params.bassis: unknown key; did you mean "basis"?',
        f'14 profiles.default.rules[2].params.allowed_days[4]: must be {DAYS}; did you mean "Friday"?',
        f'15 profiles.default.rules[2].params.allowed_times[0].end: "15.00" is not a time of day; {LIKE}',
        '16 pnl.stale_after: "10" has no unit; write "30s", "5min", "1h", "1h30min" or "PT5M"',
        '17 arming: must be "shadow" or "enforce"; did you mean "shadow"?',
        '18 notifications.channels[0].accounts[0]: there is no account "102"; did you mean "101"?',
        '20 api.prt: unknown key; did you mean "port"?',
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"MaxContracts", "enabled"',
            '"MaxContract", "enabled"',
            'no rule "MaxContract"; did you mean "MaxContracts"?',
        ),
        ('"limit": "-500.00"', '"limit": -500.25', "bare JSON number becomes a binary fraction"),
        ('"limit": "-500.00"', '"limit": -500', 'write the amount in quotes: "-500.00"'),
        ('"profile": "default"', '"profile": "defualt"', 'there is no profile "defualt"; did you mean "default"?'),
        ('"unlisted_accounts": "alert"', '"unlisted_accounts": "allert"', 'did you mean "alert"?'),
        ('"rule": "MaxContracts", "params"', '"rule": "MaxContracts", "id": "x", "params"', 'add "id": "MaxContracts"'),
        ('"version": 1', '"version": 2', "version: must be 1"),
        ('"https://api.example.com"', '"http://api.example.com"', "must begin with https"),
        ('"https://api.example.com"', '"api.example.com"', "must be an address"),
        ('"loosening": "next_day"', '"losening": "next_day"', 'losening: unknown key; did you mean "loosening"?'),
        ('"overrides"', '"overides"', 'accounts[0].overides: unknown key; did you mean "overrides"?'),
        ('"default": {"rules"', '"default": {"rulez"', 'profiles.default.rulez: unknown key; did you mean "rules"?'),
        ('"severity": "w', '"severty": "w', 'channels[0].severty: unknown key; did you mean "severity"?'),
        ('"basis": "combined"', '"reserve": {"tick": 4}', 'params.reserve.tick: unknown key; did you mean "ticks"?'),
        ('"basis": "combined"', '"reserve": {"tick": 4}', "params.reserve.ticks: is missing"),
        ('"start": "08:30"', '"begin": "08:30"', "allowed_times[0].begin: unknown key"),
        (
            '"allowed_days": [',
            '"instruments": {"GC": {"days": []}}, "allowed_days": [',
            "instruments.GC.days: unknown key",
        ),
        ('"accounts": [{', '"accounts": [3, {', "accounts[0]: must be an object in braces"),
        ('"profiles": {', '"profiles": [], "x": {', "profiles: must be an object in braces"),
        ('"universal"', '"universel"', 'universel: unknown key; did you mean "universal"?'),
        ('{"default"', '{"alert": {"rules": []}, "default"', 'cannot be called "alert"'),
        ('{"default"', '{"default": {"rules": []}, "default"', "this profile is there twice, first on line 10"),
        ('"api": {', '"pnl": {}, "api": {', "pnl: this key is there twice, first on line 16"),
        ("${RISKD_API_KEY}", "${RISKD_APIKEY}", '${RISKD_APIKEY} is not set; did you mean "RISKD_API_KEY"?'),
        ('"price_band": 8', '"price_band": "8"', "must be a whole number, without quotes"),
        ('"name": "50K combine"', '"name": null', "accounts[0].name: must be text in quotes"),
        ('"accounts": [{', '"accounts": [{"id": "101"}, {', 'account "101" is there twice'),
        ('{"rule": "DailyRealizedLoss",', '{"rule": "MaxContracts",', 'there is already a "MaxContracts" in this list'),
        ('"accounts": [{"id": "101", ', '"accounts": [{', "accounts[0].id: is missing"),
        ('"universal": {"rules": [', '"universal": {"rules": {"a": ', "is not valid JSON"),
        ("https://api.example.com", "https://api..example.com", "broker.rest_url: must be an address"),
        ("https://api.example.com", "https://api.example.com:99999", "broker.rest_url: must be an address"),
        ("https://api.example.com", "https://[::1", "broker.rest_url: must be an address"),
        ("https://api.example.com", "https://api example.com", "broker.rest_url: must be an address"),
        ('"dead_man_ping": null', '"dead_man_ping": "https://[x"', "dead_man_ping: must be an address"),
    ],
)
def test_each_mistake_is_told_in_plain_words(tmp_path: Path, old: str, new: str, said: str) -> None:
    """What is wrong, where it is, and what to write instead."""
    assert old in COMPLETE

    assert any(said in line for line in complaints(tmp_path, COMPLETE.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; it may be half written"),
        ("  \n", "is empty"),
        ('{"version": 1, "accounts": [{"id": "1', "1 ends in the middle; it may be half written"),
        ('{"version": 1,\n"accounts": [', "2 ends in the middle"),
        ('{"version": 1,}', "a comma before the closing bracket; remove the comma"),
        ('{"version": 1,\n// note\n"pnl": {}}', "2 is not valid JSON: a comment; JSON has no comments"),
        ("{'version': 1}", "single quotes; use double quotes"),
        ('{"version" 1}', "is not valid JSON: expecting ':' delimiter; column 12"),
        ('{"version": NaN}', "NaN is no number"),
        ("[]", "must be one object in braces"),
        ("[" * 100_000, "ends in the middle"),
        ('{"version": ' + "9" * 5000 + "}", "is not valid JSON"),
    ],
)
def test_a_text_that_is_no_configuration_gets_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """Half-written and foreign files are refused whole, with the line where reading ended."""
    if text.startswith("[[["):
        said = "nested too deeply"
    (line,) = complaints(tmp_path, text)

    assert said in line


@pytest.mark.parametrize("odd", ["\\ud800", "\\u0000", "\\r\\n", "\\u007f"])
@pytest.mark.parametrize(
    ("old", "place"),
    [
        ('"50K combine"', "accounts[0].name"),
        ('"tgram://x/y"', "notifications.channels[0].url"),
        ('"${RISKD_USERNAME}"', "broker.username"),
        ('"paths": {', "paths"),
        ('"MaxContracts", "enabled"', "profiles.default.rules[0].rule"),
    ],
)
def test_a_character_that_is_no_text_is_refused(tmp_path: Path, old: str, place: str, odd: str) -> None:
    """Half a character and a control character are refused wherever they stand, key or value, and are not shown."""
    new = f'"paths": {{"{odd}": 1' if old == '"paths": {' else old.replace('"', f'"{odd}', 1)

    (line,) = complaints(tmp_path, COMPLETE.replace(old, new, 1))

    assert f" {place}: has a character that is no text; remove it" in line
    assert line.isprintable()


def test_what_the_environment_gives_must_be_text(tmp_path: Path) -> None:
    """A key with the line's end still on it is refused before the broker is asked, and is not shown."""
    path = written(tmp_path, COMPLETE)

    with pytest.raises(ConfigErrors) as caught:
        load_config(path, environment={**ENVIRONMENT, "RISKD_API_KEY": "s3cret\r"})

    (line,) = caught.value.lines()
    assert "broker.api_key: what the environment gives for this does not fit; check the variable" in line


@pytest.mark.parametrize("depth", [150, 400, 900])
def test_a_file_nested_too_deeply_gets_one_sentence(tmp_path: Path, depth: int) -> None:
    """Whoever reads it first runs out of depth: none of them ends riskd."""
    deep = COMPLETE.replace('"paths": {}', '"paths": {"state": ' + "[" * depth + "]" * depth + "}")

    (line,) = complaints(tmp_path, deep)

    assert "nested too deeply" in line or "paths.state: must be text in quotes" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"RISKD_USERNAME=a\nRISKD_API_KEY=\xff\n", ":2: is not UTF-8 text; save it as UTF-8"),
        ("RISKD_USERNAME=a\n".encode("utf-16"), ":1: is not UTF-8 text; save it as UTF-8"),
        (None, ": is a directory; "),
    ],
)
def test_a_secrets_file_that_cannot_be_read_gets_one_sentence(tmp_path: Path, text: bytes | None, said: str) -> None:
    """It is named, not the configuration; an editor may have saved it in another encoding."""
    secrets = tmp_path / ".env"
    if text is None:
        secrets.mkdir()
    else:
        secrets.write_bytes(text)

    (line,) = check_text(written(tmp_path, COMPLETE))

    assert line.startswith(f"{secrets}{said}")


def test_a_secrets_file_with_a_byte_order_mark_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first variable is the first, not one with a mark in its name."""
    monkeypatch.delenv("RISKD_USERNAME", raising=False)
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfRISKD_USERNAME=ann\nRISKD_API_KEY=s3cret\n")

    broker = load_config(written(tmp_path, COMPLETE)).broker

    assert broker is not None
    assert broker.username == "ann"


def test_a_file_that_cannot_be_read_gets_one_sentence(tmp_path: Path) -> None:
    """A missing file, a directory and something else than text."""
    binary = tmp_path / "binary.json"
    binary.write_bytes(b'{"version":\n\xff}')

    assert check_text(tmp_path / "none.json") == [f"{tmp_path / 'none.json'}: there is no such file; check the path"]
    assert check_text(tmp_path) == [f"{tmp_path}: is a directory; name the file in it, such as config.json"]
    assert check_text(binary) == [f"{binary}:2: is not UTF-8 text; save it as UTF-8"]


def test_a_file_that_may_not_be_read_gets_one_sentence(tmp_path: Path) -> None:
    """A name that no system accepts, and a file that is far too large."""
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 5_000_001)

    assert check_text(large) == [f"{large}: is too large to be a configuration"]
    (line,) = check_text(tmp_path / ("x" * 300))
    assert "cannot be read: File name too long" in line


def test_a_secret_is_never_repeated(tmp_path: Path) -> None:
    """What the environment gives in the wrong place is refused without being shown."""
    text = COMPLETE.replace('"https://api.example.com"', '"${RISKD_API_KEY}"').replace(
        '"-500.00"', '"${RISKD_API_KEY}"'
    )

    found = complaints(tmp_path, text)

    assert len(found) == 2
    assert not any("s3cret" in line for line in found)


def test_the_environment_comes_before_the_file_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """.env beside the configuration gives what the process's environment does not."""
    (tmp_path / ".env").write_text("RISKD_USERNAME=from-file\nRISKD_API_KEY=from-file\nEMPTY\n", encoding="utf-8")
    monkeypatch.setenv("RISKD_USERNAME", "from-environment")
    monkeypatch.delenv("RISKD_API_KEY", raising=False)

    broker = load_config(written(tmp_path, COMPLETE)).broker

    assert broker is not None
    assert (broker.username, broker.api_key.get_secret_value()) == ("from-environment", "from-file")


def test_the_place_of_a_mistake_does_not_depend_on_the_layout(tmp_path: Path) -> None:
    """The same mistake in a file of one line and in one of many."""
    spread = json.dumps(json.loads(COMPLETE.replace("-500.00", "500.00")), indent=2)
    line = spread[: spread.index('"500.00"')].count("\n") + 1

    assert [text.split()[0] for text in complaints(tmp_path, spread)] == [str(line)]
    assert [text.split()[0] for text in complaints(tmp_path, json.dumps(json.loads(spread)))] == ["1"]


@pytest.mark.parametrize("key", ["journal", "outbox"])
def test_what_belongs_together_has_no_place_of_its_own(tmp_path: Path, key: str) -> None:
    """Journal and outbox stay with the accounts in the state directory, which is checked and moved as a whole."""
    text = COMPLETE.replace('"paths": {}', f'"paths": {{"{key}": "elsewhere", "logs": "logs"}}')
    (said,) = complaints(tmp_path, text)
    assert said.startswith(f"21 paths: the {key} has no place of its own")
    assert "paths.state" in said

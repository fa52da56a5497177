import base64
import json

import pytest

from riskd.adapters.projectx.session import token_life
from riskd.adapters.projectx.settings import ProjectXSettings


def jwt(**claims: object) -> str:
    """Return a token as the gateway makes it."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{middle}.signature"


def test_a_token_says_how_long_it_lives() -> None:
    """The life is the distance between its own two times, so no clock of ours is involved."""
    assert token_life(jwt(iat=1_000_000, exp=1_003_600)) == 3600


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.!!!.c",
        "a.e30.c",
        jwt(exp=5),
        jwt(iat=5, exp=5),
        jwt(iat=9, exp=5),
        jwt(iat="x", exp=5),
        "a.b.c",
    ],
)
def test_a_token_that_does_not_say_lives_a_day(token: str) -> None:
    """The documented life counts where the token cannot be read."""
    assert token_life(token) == 24 * 3600


def settings(rest_url: str) -> ProjectXSettings:
    """Return settings for a gateway."""
    return ProjectXSettings(rest_url=rest_url, user_hub_url="", market_hub_url="", username="u", api_key="the-key")


def test_the_api_key_is_not_shown() -> None:
    """A repr that ends up in a log has no secret in it."""
    assert "the-key" not in repr(settings("https://api.example"))


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:80", True),
        ("http://localhost:1", True),
        ("https://api.topstepx.com", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("", False),
    ],
)
def test_simulated_time_is_believed_from_this_machine_only(url: str, *, here: bool) -> None:
    """A name that merely looks like the loopback address is somebody else."""
    assert settings(url).on_this_machine is here

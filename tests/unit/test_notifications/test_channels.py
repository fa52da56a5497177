"""Channels: what they want, and what is said about a wrong one."""

import sys

import pytest

from riskd.domain.commands import Severity
from riskd.notifications.channels import Channel, DeliveryFailed, Sender, check

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it


@pytest.mark.parametrize(
    "url",
    [
        "discord://123456789012345678/abcdefGHIJKL",
        "https://discord.com/api/webhooks/123456789012345678/abcdefGHIJKL",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "mailto://user:pass@example.com",
    ],
)
def test_a_url_that_apprise_knows_is_fine(url: str) -> None:
    """Discord, Telegram, mail and whatever else Apprise speaks."""
    assert check(Channel(name="phone", url=url)) is None


@pytest.mark.parametrize("url", ["", "nonsense", "foo://bar", "discord://tooshort"])
def test_a_wrong_url_is_said_without_showing_it(url: str) -> None:
    """The message names the channel and what a URL looks like; the URL itself is a secret."""
    said = check(Channel(name="phone", url=url))
    assert said is not None
    assert said.startswith("notification channel phone: its url is none that Apprise understands")
    assert "tooshort" not in said


def test_sending_to_a_wrong_url_fails_plainly() -> None:
    """A channel that was configured wrongly fails like one that is down."""
    with pytest.raises(DeliveryFailed, match="notification channel phone"):
        Sender(Channel(name="phone", url="foo://bar")).send(title="t", body="b", severity=Severity.INFO)


def test_a_broken_installation_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library no channel works, and the reason is told like any other failure."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    said = check(Channel(name="phone", url="tgram://123456789:abcdefg_hijklmnop/12315544/"))
    assert said is not None
    assert "cannot be imported" in said


def test_a_channel_does_not_show_its_url() -> None:
    """Whoever logs a channel does not log its secret."""
    assert "hunter2" not in repr(Channel(name="phone", url="tgram://hunter2/1"))

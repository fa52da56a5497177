"""Where notifications go: any service that the Apprise library knows, by its URL.

Apprise costs some 25 MB and a third of a second, so it is imported by the thread that sends, and only if there is a
channel at all.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from riskd.domain.commands import Alert, Severity

if TYPE_CHECKING:
    from apprise import Apprise

_RANK: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
_WAIT_S: Final = 10
"""How long one attempt may take, connecting included."""


class Channel(msgspec.Struct, frozen=True):
    """One entry of ``notifications.channels``.

    Shape: ``severity`` is the least that is sent; ``accounts`` empty means all. The URL is a secret.
    """

    name: str
    url: str
    severity: Severity = Severity.WARNING
    accounts: tuple[str, ...] = ()

    def wants(self, alert: Alert) -> bool:
        """Tell whether an alert goes here; what concerns no single account goes everywhere."""
        mine = not self.accounts or not alert.account or alert.account in self.accounts
        return mine and _RANK[alert.severity] >= _RANK[self.severity]

    def __repr__(self) -> str:
        """Leave the URL out."""
        return f"Channel(name={self.name!r}, severity={self.severity!s}, accounts={self.accounts!r})"


class DeliveryFailed(Exception):
    """A channel did not take a message; says why, without the URL."""


class Sender:
    """Sends to one channel; slow, so for a thread of its own."""

    def __init__(self, channel: Channel) -> None:
        """Remember the channel; nothing is imported yet."""
        self._channel = channel
        self._apprise: Apprise | None = None

    def prepare(self) -> "Apprise":
        """Import what sending needs, once.

        Errors: DeliveryFailed when the URL is none that Apprise understands.
        """
        if self._apprise is None:
            self._apprise = _apprise(self._channel)
        return self._apprise

    def send(self, *, title: str, body: str, severity: Severity) -> None:
        """Send one message and wait for the service's answer.

        Errors: DeliveryFailed.
        """
        apprise = self.prepare()
        from apprise import NotifyFormat, NotifyType  # noqa: PLC0415 - see the module's first lines

        kinds = {
            Severity.INFO: NotifyType.INFO,
            Severity.WARNING: NotifyType.WARNING,
            Severity.CRITICAL: NotifyType.FAILURE,
        }
        with _anothers():
            result = apprise.notify(
                body=body, title=title, notify_type=kinds[severity], body_format=NotifyFormat.TEXT, timeout=_WAIT_S
            )
        if not result:
            said = "; ".join(str(entry.message) for entry in result.logs())
            raise DeliveryFailed(said or "the service did not take it")


def check(channel: Channel) -> str | None:
    """Say what is wrong with a channel's URL, None when Apprise understands it; sends nothing."""
    try:
        Sender(channel).prepare()
    except DeliveryFailed as error:
        return str(error)
    return None


@contextmanager
def _anothers() -> Iterator[None]:
    """Take whatever a service's plugin raises for a failed delivery; its words may repeat the URL."""
    try:
        yield
    except Exception as error:
        raise DeliveryFailed(f"the Apprise library failed on it: {type(error).__name__}") from error


def _apprise(channel: Channel) -> "Apprise":
    try:
        from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - see the module's first lines
    except ImportError as error:
        raise DeliveryFailed(f"the Apprise library cannot be imported: {error}; install riskd again") from error

    # Its reasons come back with each result; what it logs on top would only be the same once more.
    logging.getLogger("apprise").propagate = False
    asset = AppriseAsset(app_id="riskd", app_desc="riskd", image_url_mask="", async_mode=False, secure_logging=True)
    apprise = Apprise(asset=asset)
    with _anothers():
        known = apprise.add(channel.url)
    if not known:
        raise DeliveryFailed(
            f"notification channel {channel.name}: its url is none that Apprise understands, such as "
            f"discord://webhook_id/webhook_token or tgram://bot_token/chat_id"
        )
    return apprise

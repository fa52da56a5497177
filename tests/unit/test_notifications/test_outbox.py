"""Critical notifications on disk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from riskd.domain.commands import Severity
from riskd.notifications.outbox import TIME_TO_LIVE, Letter, Outbox
from riskd.notifications.service import NotificationService
from tests.unit.test_notifications.webhook import Webhook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it

AT = datetime(2026, 3, 10, 14, 31, 5, tzinfo=UTC)


def letter(number: int, *, channel: str = "phone") -> Letter:
    """Return a critical letter."""
    return Letter(
        letter_id=f"2026031{number}-x",
        channel=channel,
        account="101",
        severity=Severity.CRITICAL,
        title="riskd critical",
        body="locked",
        created_at=AT,
    )


def test_letters_come_back_oldest_first(tmp_path: Path) -> None:
    """Each is a file of its own that a person can read, until it is discarded."""
    outbox = Outbox(tmp_path / "outbox", lambda: AT)
    assert outbox.waiting() == []
    for number in (2, 1, 3):
        outbox.keep(letter(number))
    outbox.discard(letter(3))
    assert outbox.waiting() == [letter(1), letter(2)]
    assert '"body": "locked"' in (tmp_path / "outbox" / "20260311-x.json").read_text()
    assert sorted(path.suffix for path in (tmp_path / "outbox").iterdir()) == [".json", ".json"]


def test_a_file_that_is_no_letter_is_set_aside(tmp_path: Path) -> None:
    """A damaged file stops none of the others and is not thrown away."""
    outbox = Outbox(tmp_path, lambda: AT)
    outbox.keep(letter(1))
    (tmp_path / "0.json").write_bytes(b"\xff")
    assert outbox.waiting() == [letter(1)]
    assert (tmp_path / "0.unreadable").read_bytes() == b"\xff"


def test_a_letter_expires_after_a_day(tmp_path: Path) -> None:
    """At 24 hours, not before, it is moved away; one whose file is gone already is no trouble."""
    now = AT + TIME_TO_LIVE - timedelta(microseconds=1)
    outbox = Outbox(tmp_path, lambda: now)
    outbox.keep(letter(1))
    assert not outbox.expired(letter(1))
    now += timedelta(microseconds=1)
    assert outbox.expired(letter(1))
    assert outbox.expired(letter(2))
    assert outbox.waiting() == []
    assert [path.name for path in (tmp_path / "expired").iterdir()] == ["20260311-x.json"]


@pytest.mark.parametrize(("age", "left"), [(timedelta(0), 1), (TIME_TO_LIVE, 0)])
def test_a_letter_for_a_channel_that_was_removed_waits_its_day(tmp_path: Path, age: timedelta, left: int) -> None:
    """It is sent to nobody else, and expires like any other."""
    Outbox(tmp_path / "outbox", lambda: AT).keep(letter(1, channel="old phone"))
    with Webhook() as webhook:
        service = NotificationService(webhook.config(tmp_path / "outbox"), now=lambda: AT + age)
        service.start()
        assert service.flush(5)
        service.close()
        assert webhook.count == 0
    assert len(list((tmp_path / "outbox").glob("*.json"))) == left


def test_a_file_that_cannot_be_read_holds_up_no_letter(tmp_path: Path) -> None:
    """A directory of such a name and a file nested beyond reason: the letters between them are delivered."""
    outbox = tmp_path / "outbox"
    (outbox / "0.json").mkdir(parents=True)
    (outbox / "9.json").write_bytes(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}")
    Outbox(outbox, lambda: AT).keep(letter(1))
    with Webhook() as webhook:
        service = NotificationService(webhook.config(outbox), now=lambda: AT)
        service.start()
        assert "locked" in webhook.next().text
        service.send_alert("101", "and on it goes")
        assert "and on it goes" in webhook.next().text
        assert service.flush(5)
        service.close()
    assert sorted(path.name for path in outbox.iterdir()) == ["0.json", "9.unreadable"]

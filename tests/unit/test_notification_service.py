"""The notification service, ticket P0-5: reason and action in every message, delivered to a real server."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from riskd.domain.commands import Alert, Severity
from riskd.domain.violations import ActionType, EnforcementAction, Reduction, RuleViolation
from riskd.notifications.channels import Channel
from riskd.notifications.dispatcher import MOST_WAITING, Patience
from riskd.notifications.service import NotificationConfig, NotificationService
from tests.unit.test_notifications.webhook import PATIENT, QUICK, Webhook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it

AT = datetime(2026, 3, 10, 14, 31, 5, tzinfo=UTC)
VIOLATION = RuleViolation(
    rule_name="MaxContracts", current_value=5, limit_value=4, exceeded_by=1, message="5 contracts > 4 limit"
)
ACTION = EnforcementAction(action_type=ActionType.CLOSE_POSITION, quantity=1)
LOCKOUT = Alert(
    account="ABC123",
    seq=4711,
    at=AT,
    kind="violation",
    severity=Severity.CRITICAL,
    text="DailyRealizedLoss limit exceeded: -512.50 USD is past -500.00 USD",
    rule="DailyRealizedLoss",
    reason="-512.50 USD is past -500.00 USD",
    action="flatten_account 2 MNQ, locked until 2026-03-10 17:00 CT",
)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """Return a service on this machine that takes notifications."""
    with Webhook() as webhook:
        yield webhook


@pytest.fixture
def service(webhook: Webhook, tmp_path: Path) -> Iterator[NotificationService]:
    """Return a notification service whose one channel leads to the webhook."""
    service = NotificationService(config=webhook.config(tmp_path / "outbox"))
    yield service
    service.close()


def kept(directory: Path) -> list[Path]:
    """Return the notifications that wait in an outbox."""
    return sorted((directory / "outbox").glob("*.json"))


def test_notification_includes_reason_and_action(service: NotificationService) -> None:
    """The message contains rule, reason, action and quantity."""
    message = service.format_enforcement_alert(VIOLATION, ACTION)
    assert "MaxContracts" in message
    assert "5 contracts > 4 limit" in message
    assert "close_position" in message
    assert "1" in message
    assert "MaxContracts limit exceeded" in message


def test_notification_includes_event_id_account_and_time(service: NotificationService) -> None:
    """The message says which event, whose account, and when, in Chicago and in UTC."""
    action = EnforcementAction(
        action_type=ActionType.CLOSE_POSITION,
        quantity=1,
        reductions=(Reduction(contract="CON.F.US.EP.H26", held=3, left=2),),
    )
    message = service.format_enforcement_alert(VIOLATION, action, event_id=4711, account="ABC123", at=AT)
    assert message.splitlines() == [
        "MaxContracts limit exceeded",
        "Account: ABC123",
        "Rule: MaxContracts",
        "Reason: 5 contracts > 4 limit",
        "Action: close_position 1 (1 ES)",
        "Time: 2026-03-10 09:31:05 CT (2026-03-10 14:31:05 UTC)",
        "Event: 4711",
    ]


def test_discord_webhook_called(webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discord's webhook receives a POST with the text; only the address of Discord is another."""
    monkeypatch.setattr(
        "apprise.plugins.discord.NotifyDiscord.notify_url", f"http://127.0.0.1:{webhook.port}/api/webhooks"
    )
    channel = Channel(name="discord", url="discord://123456789012345678/abcdefGHIJKL")
    service = NotificationService(NotificationConfig((channel,), tmp_path / "outbox", PATIENT))
    service.send_alert("ABC123", "Test message", severity="warning")
    posted = webhook.next()
    service.close()
    assert posted.path == "/api/webhooks/123456789012345678/abcdefGHIJKL"
    assert "Test message" in posted.text
    assert "ABC123" in posted.text


def test_telegram_bot_called(webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Telegram's bot receives the text for the chat; only the address of Telegram is another."""
    monkeypatch.setattr("apprise.plugins.telegram.NotifyTelegram.notify_url", f"http://127.0.0.1:{webhook.port}/bot")
    channel = Channel(name="telegram", url="tgram://123456789:abcdefg_hijklmnop/12315544/")
    service = NotificationService(NotificationConfig((channel,), tmp_path / "outbox", PATIENT))
    service.notify(LOCKOUT)
    posted = webhook.next()
    service.close()
    assert posted.path == "/bot123456789:abcdefg_hijklmnop/sendMessage"
    assert posted.body["chat_id"] == 12315544
    assert "DailyRealizedLoss limit exceeded" in posted.text


def test_an_alert_says_rule_reason_action_account_time_and_event(webhook: Webhook, tmp_path: Path) -> None:
    """What arrives tells all that a trader asks first, and where the journal stood."""
    service = NotificationService(webhook.config(tmp_path / "outbox"), journal_head=lambda: "0123456789abcdef" * 4)
    service.notify(LOCKOUT)
    posted = webhook.next()
    service.close()
    assert posted.body["title"] == "riskd critical, account ABC123"
    assert posted.text.splitlines() == [
        "DailyRealizedLoss limit exceeded: -512.50 USD is past -500.00 USD",
        "Account: ABC123",
        "Rule: DailyRealizedLoss",
        "Reason: -512.50 USD is past -500.00 USD",
        "Action: flatten_account 2 MNQ, locked until 2026-03-10 17:00 CT",
        "Time: 2026-03-10 09:31:05 CT (2026-03-10 14:31:05 UTC)",
        "Event: 4711",
        "Journal: 0123456789abcdef",
    ]


def test_three_quick_retries_and_then_it_is_dropped(webhook: Webhook, service: NotificationService) -> None:
    """A warning that nobody takes is tried four times in all and then forgotten."""
    webhook.status = 500
    service.send_alert("ABC123", "Test message")
    assert service.flush(5)
    assert webhook.count == 4


def test_a_retry_that_succeeds_is_the_last(webhook: Webhook, service: NotificationService, tmp_path: Path) -> None:
    """Once taken it is not sent again, and the outbox is empty."""
    webhook.answers = [500, 503]
    service.notify(LOCKOUT)
    assert service.flush(5)
    assert webhook.count == 3
    assert kept(tmp_path) == []


def test_a_critical_alert_is_on_disk_before_it_is_sent(
    webhook: Webhook, service: NotificationService, tmp_path: Path
) -> None:
    """While the service has not answered, the notification is a file; with the answer the file is gone."""
    webhook.hang.clear()
    service.notify(LOCKOUT)
    webhook.next()
    (file,) = kept(tmp_path)
    assert "DailyRealizedLoss limit exceeded" in file.read_text()
    webhook.hang.set()
    assert service.flush(5)
    assert kept(tmp_path) == []


def test_a_critical_alert_is_tried_until_it_is_delivered(webhook: Webhook, tmp_path: Path) -> None:
    """After the quick retries it stays in the outbox and is tried again, until somebody takes it."""
    webhook.answers = [500] * 7
    service = NotificationService(webhook.config(tmp_path / "outbox", patience=QUICK))
    service.notify(LOCKOUT)
    for _ in range(8):
        webhook.next()
    service.close()
    assert webhook.count == 8
    assert kept(tmp_path) == []


def test_a_warning_is_not_kept(webhook: Webhook, service: NotificationService, tmp_path: Path) -> None:
    """Only critical notifications go to the disk."""
    webhook.hang.clear()
    service.send_alert("ABC123", "Test message")
    webhook.next()
    assert kept(tmp_path) == []
    webhook.hang.set()


def test_a_restart_resumes_the_outbox(webhook: Webhook, tmp_path: Path) -> None:
    """What one run could not deliver, the next one does, without being asked."""
    webhook.status = 500
    first = NotificationService(webhook.config(tmp_path / "outbox"))
    first.notify(LOCKOUT)
    assert first.flush(5)
    first.close()
    assert len(kept(tmp_path)) == 1

    webhook.status = 200
    second = NotificationService(webhook.config(tmp_path / "outbox"))
    second.start()
    assert second.flush(5)
    second.close()
    assert webhook.count == 5
    assert kept(tmp_path) == []


def test_after_a_day_it_is_too_late(webhook: Webhook, tmp_path: Path) -> None:
    """A notification that is 24 hours old is not sent any more, but kept where it can be found."""
    webhook.status = 500
    first = NotificationService(webhook.config(tmp_path / "outbox"), now=lambda: AT)
    first.notify(LOCKOUT)
    assert first.flush(5)
    first.close()

    second = NotificationService(webhook.config(tmp_path / "outbox"), now=lambda: AT + timedelta(hours=24))
    second.start()
    assert second.flush(5)
    second.close()
    assert webhook.count == 4
    assert kept(tmp_path) == []
    assert len(list((tmp_path / "outbox" / "expired").glob("*.json"))) == 1


def test_within_the_day_it_is_still_sent(webhook: Webhook, tmp_path: Path) -> None:
    """A second before the day is over it is still worth hearing."""
    webhook.answers = [500] * 4
    first = NotificationService(webhook.config(tmp_path / "outbox"), now=lambda: AT)
    first.notify(LOCKOUT)
    assert first.flush(5)
    first.close()
    second = NotificationService(webhook.config(tmp_path / "outbox"), now=lambda: AT + timedelta(hours=23, minutes=59))
    second.start()
    assert second.flush(5)
    second.close()
    assert webhook.count == 5


def test_a_channel_hears_what_it_asked_for(webhook: Webhook, tmp_path: Path) -> None:
    """Each channel has its own least severity and its own accounts; what concerns no account goes to all."""
    channels = (
        webhook.channel("all", severity=Severity.INFO),
        webhook.channel("critical", severity=Severity.CRITICAL),
        webhook.channel("other", accounts=("XYZ",)),
    )
    service = NotificationService(NotificationConfig(channels, tmp_path / "outbox", PATIENT))
    heard: dict[str, set[str]] = {}
    for account, severity in (("ABC123", "info"), ("ABC123", "critical"), ("XYZ", "warning"), ("", "warning")):
        service.send_alert(account, "Test message", severity=severity)
        assert service.flush(5)
        paths: set[str] = set()
        while webhook.count > sum(map(len, heard.values())) + len(paths):
            paths.add(webhook.next().path)
        heard[f"{account} {severity}"] = paths
    service.close()
    assert heard == {
        "ABC123 info": {"/all"},
        "ABC123 critical": {"/all", "/critical"},
        "XYZ warning": {"/all", "/other"},
        " warning": {"/all", "/other"},
    }


def test_a_channel_that_hangs_holds_up_no_other(webhook: Webhook, tmp_path: Path) -> None:
    """Each channel has a thread of its own."""
    with Webhook() as hanging:
        hanging.hang.clear()
        config = NotificationConfig((hanging.channel("hangs"), webhook.channel("works")), tmp_path / "outbox", PATIENT)
        service = NotificationService(config)
        service.notify(LOCKOUT)
        hanging.next()
        assert webhook.next().path == "/works"
        service.notify(LOCKOUT)
        assert webhook.next().path == "/works"
        hanging.hang.set()
        assert service.flush(5)
        service.close()


def test_enforcement_never_waits(webhook: Webhook, service: NotificationService) -> None:
    """With the service hanging, a flood of alerts is taken at once; warnings beyond the bound are dropped."""
    webhook.hang.clear()
    for _ in range(2 * MOST_WAITING + 500):
        service.send_alert("ABC123", "Test message")
    assert webhook.count <= 1
    service.close(timeout_s=0)
    webhook.hang.set()


def test_a_stop_does_not_wait_for_a_dead_service(webhook: Webhook, service: NotificationService) -> None:
    """Closing gives what is fresh a last chance and no more; nothing is sent afterwards."""
    webhook.status = 500
    webhook.hang.clear()
    for _ in range(50):
        service.send_alert("ABC123", "Test message")
    webhook.next()
    service.close(timeout_s=0)
    webhook.hang.set()
    assert service.flush(0) is False
    assert webhook.count == 1


def test_a_disk_that_fails_does_not_silence_riskd(webhook: Webhook, tmp_path: Path) -> None:
    """A critical alert that cannot be kept is sent all the same."""
    (tmp_path / "outbox").write_text("not a directory")
    service = NotificationService(webhook.config(tmp_path / "outbox"))
    service.notify(LOCKOUT)
    assert "DailyRealizedLoss" in webhook.next().text
    assert service.flush(5)
    service.close()


def test_a_file_that_cannot_be_deleted_stops_nothing(
    webhook: Webhook, service: NotificationService, tmp_path: Path
) -> None:
    """What was delivered is delivered; the channel goes on with the next one."""
    webhook.hang.clear()
    service.notify(LOCKOUT)
    webhook.next()
    (file,) = kept(tmp_path)
    file.unlink()
    file.mkdir()
    webhook.hang.set()
    service.send_alert("ABC123", "Test message")
    assert "Test message" in webhook.next().text


def test_a_channel_with_a_wrong_url_is_like_one_that_is_down(tmp_path: Path) -> None:
    """A critical notification waits for the URL to be put right; nothing else suffers."""
    service = NotificationService(NotificationConfig((Channel("phone", "foo://bar"),), tmp_path / "outbox", PATIENT))
    service.notify(LOCKOUT)
    assert service.flush(5)
    service.close()
    assert len(kept(tmp_path)) == 1


def test_a_stop_right_after_the_start_is_quick(webhook: Webhook, tmp_path: Path) -> None:
    """A channel that still waits for the start to be over ends at once."""
    service = NotificationService(webhook.config(tmp_path / "outbox", patience=Patience(warm_up_s=3600)))
    service.start()
    service.close()
    assert service.flush(0)


def test_without_channels_nothing_is_started(tmp_path: Path) -> None:
    """Who wants no notifications pays nothing for them."""
    service = NotificationService(NotificationConfig((), tmp_path / "outbox"))
    service.start()
    service.notify(LOCKOUT)
    assert service.flush(0)
    service.close()
    assert not (tmp_path / "outbox").exists()


def test_an_unknown_severity_is_refused(service: NotificationService) -> None:
    """A word that is none of the three is the caller's mistake."""
    with pytest.raises(ValueError, match="urgent"):
        service.send_alert("ABC123", "Test message", severity="urgent")


def test_a_flood_of_critical_alerts_is_bounded(
    webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound there is one word of too many of them, on the disk as well, until people are reached again."""
    monkeypatch.setattr("riskd.notifications.service.MOST_CRITICAL", 20)
    webhook.status = 500
    service = NotificationService(webhook.config(tmp_path / "outbox"))
    for number in range(50):
        service.notify(LOCKOUT if number < 49 else replace(LOCKOUT, account="XYZ"))
        assert service.flush(5)
    letters = [file.read_text() for file in kept(tmp_path)]
    assert len(letters) == 21
    assert [text for text in letters if "critical notifications wait" in text] == letters[-1:]
    service.close()


def test_more_than_can_be_taken_are_told_as_one(
    webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alerts that come quicker than a disk takes them do not fill the memory, and that there were more is told."""
    monkeypatch.setattr("riskd.notifications.service.MOST_CRITICAL", 5)
    webhook.hang.clear()
    service = NotificationService(webhook.config(tmp_path / "outbox"))
    for _ in range(200):
        service.notify(LOCKOUT)
    webhook.hang.set()
    assert service.flush(5)
    service.close()
    assert webhook.count < 100
    texts = [webhook.next().text for _ in range(webhook.count)]
    assert any("critical notifications wait" in text for text in texts)


def test_a_plugin_that_fails_in_its_own_way_is_tried_again(
    webhook: Webhook, service: NotificationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever another's code raises is a failed delivery."""
    with monkeypatch.context() as patch:
        patch.setattr("apprise.Apprise.notify", _raises)
        service.notify(LOCKOUT)
        assert service.flush(5)
        assert webhook.count == 0
    service.send_alert("ABC123", "Test message")
    assert "Test message" in webhook.next().text
    assert service.ended == ()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is what the test does
def test_a_thread_that_has_ended_is_seen(service: NotificationService, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends a thread in spite of all is not a matter of nobody's knowledge."""
    monkeypatch.setattr("apprise.Apprise.notify", _ends)
    service.send_alert("ABC123", "Test message")
    for thread in threading.enumerate():
        if thread.name == "riskd-notify-phone":
            thread.join(5)
    assert list(service.ended) == ["riskd-notify-phone"]
    service.close()
    assert not service.ended


def _raises(*_: object, **__: object) -> bool:
    raise KeyError("a plugin's own mistake")


def _ends(*_: object, **__: object) -> bool:
    raise SystemExit

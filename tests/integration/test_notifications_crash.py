"""Critical notifications survive the end of the process that should have sent them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from riskd.notifications.service import NotificationService
from tests.unit.test_notifications.webhook import Webhook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it

ROOT = Path(__file__).parents[2]

SENDER = """
import sys
from pathlib import Path
from riskd.notifications.channels import Channel
from riskd.notifications.service import NotificationConfig, NotificationService

service = NotificationService(NotificationConfig((Channel(name="phone", url=sys.argv[2]),), Path(sys.argv[1])))
service.send_alert("101", "locked until 17:00", severity="critical")
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_during_delivery_delays_the_notification_only(tmp_path: Path) -> None:
    """Killed while the service has not answered, riskd sends the same notification at its next start."""
    with Webhook() as webhook:
        webhook.hang.clear()
        channel = webhook.channel()
        with subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SENDER, str(tmp_path / "outbox"), channel.url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
        ) as process:
            first = webhook.next(20)
            process.send_signal(signal.SIGKILL)
            process.wait()
        webhook.hang.set()

        service = NotificationService(webhook.config(tmp_path / "outbox"))
        service.start()
        assert webhook.next().body == first.body
        assert service.flush(5)
        service.close()
    assert list((tmp_path / "outbox").glob("*")) == []

"""A start after a disk that took the accounts' files and refused the journal."""

import io
from datetime import UTC, datetime
from pathlib import Path

from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.daemon.logs import start_logs
from riskd.daemon.runtime import Runtime, RuntimeSettings
from riskd.notifications.service import NotificationConfig
from riskd.storage.state_store import JsonStateStore
from tests.support.desk import Desk

NOWHERE = "http://127.0.0.1:1"


async def test_no_number_is_given_twice(tmp_path: Path) -> None:
    """The accounts' files know of more steps than the journal: what happens next comes after all of them."""
    store = JsonStateStore(tmp_path)
    desk = Desk({"MaxContracts": {"max_contracts": 4}})
    store.save(desk.state, 44)
    store.close()
    logs = start_logs(now=lambda: datetime.now(UTC), stream=io.StringIO())
    broker = ProjectXSettings(
        rest_url=NOWHERE, user_hub_url=NOWHERE, market_hub_url=NOWHERE, username="trader", api_key="key"
    )
    notifications = NotificationConfig(channels=(), outbox=tmp_path / "outbox")
    settings = RuntimeSettings(state_dir=tmp_path, rules={}, broker=broker, notifications=notifications)
    runtime = Runtime(settings, logs.logger)
    try:
        assert runtime.event_bus.last_seq == 44
    finally:
        runtime.abandon()
        logs.close()

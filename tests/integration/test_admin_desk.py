"""Requests to a running daemon, as files in its state directory."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from riskd.app.admin import app
from riskd.app.releasing import NotAsked, ask_for_release
from riskd.daemon.admin_desk import FOLDER, AdminDesk
from riskd.daemon.instance import SingleInstance
from riskd.domain.commands import Alert
from tests.support.daemon import ACCOUNT, Daemon, running

LOSS = {"DailyRealizedLoss": {"limit": "-500.00"}}
NOW = datetime(2026, 3, 10, tzinfo=UTC)


@asynccontextmanager
async def serving(daemon: Daemon, state_dir: Path) -> AsyncIterator[None]:
    """Let a daemon answer requests until the block ends."""
    desk = AdminDesk(state_dir, daemon.runtime, daemon.logs.logger)
    daemon.runtime.listen(desk.heard)
    task = asyncio.create_task(desk.run())
    await asyncio.sleep(0)  # what was asked before this is refused
    try:
        with SingleInstance(state_dir, now=NOW):
            yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def release(state_dir: Path, account: str = ACCOUNT) -> Result:
    """Run `riskd-admin release` beside the daemon."""
    words = ["release", account, "--state-dir", str(state_dir)]
    return await asyncio.to_thread(CliRunner().invoke, app, words)


async def test_a_daily_limit_is_released_by_nobody(tmp_path: Path) -> None:
    """The admin is told when it ends; nothing changes, and it is journalled and told."""
    state_dir = tmp_path / "state"
    async with running(tmp_path, LOSS) as daemon, serving(daemon, state_dir):
        control = daemon.gateway.control
        control.fill(int(ACCOUNT), "ES", "buy", 1, Decimal("5800.00"))
        control.fill(int(ACCOUNT), "ES", "sell", 1, Decimal("5780.00"))
        await daemon.until(lambda: daemon.state.locked)

        result = await release(state_dir)

        assert result.exit_code == 1
        assert "refused: locked until 2026-03-10 17:00 CT by DailyRealizedLoss" in result.stderr
        assert daemon.state.locked
        told = [c.text for c in daemon.commands if isinstance(c, Alert) and c.kind == "release_refused"]
        assert len(told) == 1


async def test_an_account_that_is_unknown_is_named_with_its_neighbours(tmp_path: Path) -> None:
    """A mistyped account changes nothing and makes no account up."""
    state_dir = tmp_path / "state"
    async with running(tmp_path, LOSS) as daemon, serving(daemon, state_dir):
        result = await release(state_dir, "1O1")
        assert (result.exit_code, result.stdout) == (1, "")
        assert 'riskd knows no account "1O1"' in result.stderr
        assert "it knows 101" in result.stderr
        assert list(daemon.runtime.state_manager.accounts) == [ACCOUNT]


async def test_what_was_asked_while_nobody_listened_is_refused(tmp_path: Path) -> None:
    """An old request is not carried out by the next start; whoever may still wait is told to ask again."""
    state_dir = tmp_path / "state"
    folder = state_dir / FOLDER
    folder.mkdir(parents=True)
    (folder / "old.request.json").write_text('{"ask":"release","account":"101","by":"yesterday"}', encoding="utf-8")
    async with running(tmp_path, LOSS) as daemon, serving(daemon, state_dir):
        await release(state_dir)
        texts = [c.text for c in daemon.commands if isinstance(c, Alert)]
        assert not [text for text in texts if "yesterday" in text]
        (answer,) = folder.iterdir()
        assert "riskd was starting" in answer.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "not json", '{"ask":"unlock","account":"101","by":"me"}', "[" * 100_000, "\xff"])
async def test_a_request_that_is_none_is_answered_with_a_refusal(tmp_path: Path, text: str) -> None:
    """Whatever is written there stops neither the daemon nor the next request."""
    state_dir = tmp_path / "state"
    async with running(tmp_path, LOSS) as daemon, serving(daemon, state_dir):
        await release(state_dir)
        (state_dir / FOLDER / "bad.request.json").write_bytes(text.encode("latin-1"))
        assert (await release(state_dir)).exit_code == 1
        answer = json.loads((state_dir / FOLDER / "bad.answer.json").read_bytes())
        assert answer["done"] is False
        assert "cannot be read" in answer["text"]


def test_without_a_running_riskd_nothing_is_asked(tmp_path: Path) -> None:
    """No daemon, no request left behind for a later one; a missing folder is not made."""
    missing = tmp_path / "nowhere"
    result = CliRunner().invoke(app, ["release", ACCOUNT, "--state-dir", str(missing)])
    assert result.exit_code == 2
    assert "no riskd runs on" in result.stderr
    assert not missing.exists()


def test_a_riskd_that_does_not_answer_is_said_and_the_request_taken_back(tmp_path: Path) -> None:
    """A daemon of another version, or one that hangs, leaves no wish behind."""
    (tmp_path / FOLDER).mkdir()
    with SingleInstance(tmp_path, now=NOW), pytest.raises(NotAsked, match="has been taken back"):
        ask_for_release(tmp_path, ACCOUNT, patience_s=0.1)
    assert list((tmp_path / FOLDER).iterdir()) == []

"""The configuration file of a running daemon, edited as people do it."""

import json
import signal
import sys
from pathlib import Path

import pytest

from riskd.simulator import SimulatedGateway
from tests.support.daemon import gateway_settings
from tests.support.process import daemon_process
from tests.support.webhook import webhook

CONFIG = Path(__file__).parents[1] / "fixtures" / "config.json"


@pytest.mark.e2e
async def test_an_edited_file_applies_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Half a file is refused in one line, a good one applies what is tighter and keeps the rest waiting."""
    file = tmp_path / "config.json"
    text = CONFIG.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    async with (
        SimulatedGateway(gateway_settings()) as gateway,
        webhook() as hook,
        daemon_process(gateway, file, tmp_path / "state", {"RISKD_WEBHOOK": hook.url}) as daemon,
    ):
        await daemon.line("ready")

        file.write_text(text[: len(text) // 2], encoding="utf-8")
        refused = await daemon.line("configuration refused")
        assert "one mistake and nothing of it applies" in str(refused["text"])
        await hook.containing("the changed configuration has one mistake")

        changed = json.loads(text)
        rules = changed["profiles"]["default"]["rules"]
        rules[0]["params"]["max_contracts"], rules[1]["params"]["limit"] = 3, "-900.00"
        file.write_text(json.dumps(changed, indent=2), encoding="utf-8")
        await daemon.line("rules", lambda line: "MaxContracts max_contracts 4 → 3" in str(line["text"]))
        await daemon.line(
            "rules",
            lambda line: (
                "waits until 2026-03-11 17:00 CT: DailyRealizedLoss limit -500.00 → -900.00" in str(line["text"])
            ),
        )
        assert await daemon.stop() == 0


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP on Windows")
async def test_a_hangup_reads_the_file_anew(tmp_path: Path) -> None:
    """Also where nothing has changed: the daemon says that it has looked."""
    async with (
        SimulatedGateway(gateway_settings()) as gateway,
        webhook() as hook,
        daemon_process(gateway, CONFIG, tmp_path, {"RISKD_WEBHOOK": hook.url}) as daemon,
    ):
        await daemon.line("ready")
        daemon.process.send_signal(signal.SIGHUP)

        await daemon.line("configuration taken over")
        assert await daemon.stop() == 0


@pytest.mark.e2e
async def test_odd_files_neither_stop_riskd_nor_silence_it(tmp_path: Path) -> None:
    """Damaged small files, a folder in the outbox, a `.env` in another encoding: each is told, none is in the way."""
    state, file = tmp_path / "state", tmp_path / "config.json"
    text = CONFIG.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    (state / "outbox" / "0.json").mkdir(parents=True)
    for name in ("broker.json", "witnesses.json", "riskd.running.json", "identity.json"):
        (state / name).write_bytes(b'{"broker":"\xff"}')
    async with (
        SimulatedGateway(gateway_settings()) as gateway,
        webhook() as hook,
        daemon_process(gateway, file, state, {"RISKD_WEBHOOK": hook.url}) as daemon,
    ):
        await daemon.line("ready")
        (tmp_path / ".env").write_bytes("RISKD_OTHER=1\n".encode("utf-16"))
        await hook.containing(".env:1: is not UTF-8 text; save it as UTF-8")

        (tmp_path / ".env").write_text("RISKD_OTHER=1\n", encoding="utf-8")
        file.write_text(text.replace('"max_contracts": 4', '"max_contracts": 3'), encoding="utf-8")
        await daemon.line("rules", lambda line: "MaxContracts max_contracts 4 → 3" in str(line["text"]))
        assert await daemon.stop() == 0

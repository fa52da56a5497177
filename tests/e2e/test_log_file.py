"""What riskd logged is still there when nobody kept what it printed."""

import json
import stat
import sys
from pathlib import Path

import pytest

from riskd.simulator import SimulatedGateway
from tests.support.daemon import gateway_settings
from tests.support.process import daemon_process
from tests.support.webhook import webhook

CONFIG = Path(__file__).parents[1] / "fixtures" / "config.json"


@pytest.mark.e2e
@pytest.mark.parametrize("logs", [None, "elsewhere"])
async def test_the_log_is_kept_in_a_file(tmp_path: Path, logs: str | None) -> None:
    """What is printed also stands in riskd.log, in the state directory or where `paths.logs` says, for its owner."""
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    config["paths"] = {} if logs is None else {"logs": logs}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    state = tmp_path / "state"
    async with (
        SimulatedGateway(gateway_settings()) as gateway,
        webhook() as hook,
        daemon_process(gateway, file, state, {"RISKD_WEBHOOK": hook.url}) as daemon,
    ):
        await daemon.line("ready")
        assert await daemon.stop() == 0
    folder = state / "logs" if logs is None else tmp_path / logs
    written = [json.loads(line) for line in (folder / "riskd.log").read_text(encoding="utf-8").splitlines()]
    assert written == daemon.lines
    if sys.platform != "win32":
        assert [stat.S_IMODE(path.stat().st_mode) for path in (state, folder)] == [0o700, 0o700]


@pytest.mark.e2e
async def test_a_log_file_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """A file where the folder should be: that is said, and riskd protects without it."""
    (tmp_path / "state" / "logs").parent.mkdir()
    (tmp_path / "state" / "logs").write_text("in the way", encoding="utf-8")
    async with (
        SimulatedGateway(gateway_settings()) as gateway,
        webhook() as hook,
        daemon_process(gateway, CONFIG, tmp_path / "state", {"RISKD_WEBHOOK": hook.url}) as daemon,
    ):
        said = await daemon.line("no log file")
        assert "paths.logs" in str(said["text"])
        await daemon.line("ready")
        assert await daemon.stop() == 0

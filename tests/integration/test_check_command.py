"""`riskd check`, asked beside a daemon that is running on the same files."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskd.app.main import app
from tests.support.daemon import ACCOUNT, running

RULES: dict[str, dict[str, object]] = {"MaxContracts": {"max_contracts": 4}, "DailyRealizedLoss": {"limit": "-500.00"}}


def run(state: Path, *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    result = CliRunner().invoke(app, ["check", *arguments, "--state-dir", str(state)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


async def test_it_knows_what_the_daemon_knows(tmp_path: Path) -> None:
    """With 2 MNQ held, 3 ES are one too many and 2 are not; what is asked leaves no trace."""
    async with running(tmp_path, RULES) as daemon:
        daemon.gateway.control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"))
        await daemon.until(lambda: daemon.quantity("MNQ") == 2)
        state, seq = tmp_path / "state", daemon.runtime.event_bus.last_seq
        before = sorted((path, path.stat().st_size) for path in state.rglob("*") if "journal" in str(path))

        code, said = await asyncio.to_thread(run, state, "buy", "3", "es", "--price", "5800")
        assert code == 1
        assert "MaxContracts would fire: MaxContracts limit exceeded: 5 contracts held, limit 4" in said
        assert "-> close_position 1 ES" in said

        code, said = await asyncio.to_thread(run, state, "buy", "2", "ES", "--price", "5800", "--account", ACCOUNT)
        assert (code, "no rule would fire" in said) == (0, True)
        assert "headroom of DailyRealizedLoss:" in said

        code, said = await asyncio.to_thread(run, state, "sell", "2", "MNQ", "--json")
        answer = json.loads(said)[0]
        assert (code, answer["position_after"], answer["symbol"]) == (0, 0, "MNQH6")
        assert (answer["account"], answer["fires"], answer["closed_by"]) == (ACCOUNT, [], [])

        assert before == sorted((path, path.stat().st_size) for path in state.rglob("*") if "journal" in str(path))
        assert daemon.runtime.event_bus.last_seq == seq
    code, said = run(tmp_path / "state", "buy", "3", "ES", "--price", "5800")
    assert (code, "MaxContracts would fire" in said) == (1, True)


async def test_what_cannot_be_answered_says_why(tmp_path: Path) -> None:
    """An unknown account, product, side or price, and a place where nothing was written."""
    async with running(tmp_path, RULES):
        pass
    state = tmp_path / "state"

    for arguments, complaint in (
        (("buy", "1", "MNQ", "--account", "102"), 'riskd knows no account "102"; did you mean "101"?; it knows 101'),
        (("buy", "1", "MNX", "--price", "1"), 'there is no product "MNX"; did you mean'),
        (("buy", "1", "MNQ"), "no price of MNQ is known; name one"),
        (("hold", "1", "MNQ"), '"hold" is neither buy nor sell'),
    ):
        code, said = run(state, *arguments)
        assert (code, complaint in said) == (2, True), said
    assert run(tmp_path / "nowhere", "buy", "1", "MNQ")[0] == 2


@pytest.mark.parametrize("price", ["x", "NaN", "Infinity"])
def test_a_price_is_a_number(tmp_path: Path, price: str) -> None:
    """Anything else is refused before anything is read."""
    code, said = run(tmp_path, "buy", "1", "MNQ", "--price", price)

    assert (code, "is no price" in said) == (2, True)

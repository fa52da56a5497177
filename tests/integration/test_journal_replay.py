"""Promise 1: the journal of a live run, put through a fresh core, gives the same commands byte for byte."""

from decimal import Decimal
from pathlib import Path

import msgspec

from riskd.engine.core import Core
from riskd.rules.registry import compile_rulebook
from riskd.storage.journal import read_journal, verify
from tests.support.daemon import ACCOUNT, running

RULES: dict[str, dict[str, object]] = {"MaxContracts": {"max_contracts": 4}, "DailyRealizedLoss": {"limit": "-500.00"}}


async def test_a_live_days_journal_replays_to_the_same_commands(tmp_path: Path) -> None:
    """A day with a trim, quotes, a lockout, a re-entry and the reset at 17:00 decides the same when replayed."""
    async with running(tmp_path, RULES) as daemon:
        control = daemon.gateway.control
        control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"))
        control.fill(int(ACCOUNT), "ES", "buy", 3, Decimal("5800.00"))
        await daemon.enforced(1)
        await daemon.priced("MNQ")
        for ticks in range(0, 800, 20):
            control.price("MNQ", Decimal("18000.00") - ticks * Decimal("0.25"))
        await daemon.priced("ES")
        control.price("ES", Decimal("5790.00"))
        await daemon.enforced(2)
        await daemon.until(lambda: daemon.state.flatten is None)
        control.order(int(ACCOUNT), "NQ", "buy", 1)
        await daemon.enforced(3)
        await daemon.until(lambda: daemon.state.flatten is None)
        await daemon.move_time("2026-03-10 17:00:00")
        await daemon.until(lambda: not daemon.state.locked)

    directory = tmp_path / "state" / "journal"
    assert verify(directory).breaks == ()
    core = Core(compile_rulebook)
    commands = 0
    for entry in read_journal(directory):
        core.state_manager.market.update({row.contract: row for row in entry.market})
        step = core.step(entry.envelope)
        assert msgspec.json.encode(step.commands) == msgspec.json.encode(entry.commands), entry.envelope
        commands += len(step.commands)
    assert commands > 10

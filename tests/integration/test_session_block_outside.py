from decimal import Decimal
from pathlib import Path

from riskd.rules.registry import compile_rulebook
from riskd.rules.session_block_outside import SessionBlockOutsideRule
from tests.support.daemon import ACCOUNT, running
from tests.support.rule_builders import closed_per_root, ct, fill, view

FREE = Decimal(0)


def test_session_block_outside_allowed_hours() -> None:
    """Session Monday to Friday 08:30-15:00: what is bought on Friday at 16:00 is closed."""
    rule = SessionBlockOutsideRule(
        params={
            "allowed_days": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
            "allowed_times": [{"start": "08:30", "end": "15:00"}],
        }
    )
    at = ct("2025-10-17 16:00:00")
    event = fill("MNQ", 2, at=at)
    state = view(at=at).including(event)

    violation = rule.evaluate(event, state)

    assert violation is not None
    assert "outside allowed session" in violation.message
    assert closed_per_root(violation) == {"MNQ": 2}
    assert rule.get_enforcement_action(violation).action_type == "close_position"


def test_the_session_is_heard_first() -> None:
    """Loaded through the registry, the session stands before the lockouts and the size limits."""
    spec = """{"rules": [
        {"rule": "MaxContracts", "params": {"max_contracts": 4}},
        {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}},
        {"rule": "SessionBlockOutside", "params": {"preset": "RTH"}}]}"""

    rulebook = compile_rulebook("A1", spec)

    assert rulebook.faults == ()
    assert [entry.rule_id for entry in rulebook.entries] == ["SessionBlockOutside", "DailyRealizedLoss", "MaxContracts"]


async def test_daily_reset_at_5pm_ct(tmp_path: Path) -> None:
    """Realized -500 and locked out: at 17:00 Chicago time both are gone."""
    async with running(tmp_path, {"DailyRealizedLoss": {"limit": "-500.00"}}, start="2025-10-17 14:00") as daemon:
        control, manager = daemon.gateway.control, daemon.runtime.state_manager
        control.fill(int(ACCOUNT), "ES", "buy", 1, Decimal("5810.00"), fee=FREE, commission=FREE)
        control.fill(int(ACCOUNT), "ES", "sell", 1, Decimal("5800.00"), fee=FREE, commission=FREE)
        await daemon.until(lambda: manager.is_locked_out(ACCOUNT) and daemon.state.flatten is None)
        assert manager.realized_pnl_today(ACCOUNT, daemon.runtime.clock.now()) == Decimal("-500.00")
        assert manager.lockout_until(ACCOUNT) == ct("2025-10-17 17:00")

        await daemon.move_time("2025-10-17 16:59:59")
        assert manager.is_locked_out(ACCOUNT)
        await daemon.move_time("2025-10-17 17:00:00")
        await daemon.until(lambda: not manager.is_locked_out(ACCOUNT))

        assert manager.realized_pnl_today(ACCOUNT, daemon.runtime.clock.now()) == Decimal("0.00")
        assert manager.lockout_until(ACCOUNT) is None

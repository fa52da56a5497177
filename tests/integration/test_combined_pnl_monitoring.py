"""P0-2: realized and open P&L together reach the daily limit."""

from decimal import Decimal
from pathlib import Path

from riskd.domain.calendar import next_reset
from tests.support.daemon import ACCOUNT, running

FREE = Decimal(0)


async def test_combined_pnl_triggers_lockout(tmp_path: Path) -> None:
    """-850 realized and -100 open are left alone; at -200 open the account is flattened and locked until 17:00."""
    async with running(tmp_path, {"DailyRealizedLoss": {"limit": "-1000.00"}}) as daemon:
        control, manager = daemon.gateway.control, daemon.runtime.state_manager
        control.fill(int(ACCOUNT), "ES", "buy", 1, Decimal("5817.00"), fee=FREE, commission=FREE)
        control.fill(int(ACCOUNT), "ES", "sell", 1, Decimal("5800.00"), fee=FREE, commission=FREE)
        control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"), fee=FREE, commission=FREE)
        await daemon.until(lambda: daemon.quantity("MNQ") == 2)
        assert manager.realized_pnl_today(ACCOUNT, daemon.runtime.clock.now()) == Decimal("-850.00")

        await daemon.priced("MNQ")
        control.price("MNQ", Decimal("17975.00"))
        await daemon.until(lambda: daemon.view.combined_exposure == Decimal("-950.00"))
        assert not manager.is_locked_out(ACCOUNT)

        control.price("MNQ", Decimal("17950.00"))
        await daemon.enforced()

        assert manager.get_position_count(ACCOUNT) == 0
        assert manager.is_locked_out(ACCOUNT)
        assert manager.lockout_until(ACCOUNT) == next_reset(daemon.runtime.clock.now())
        assert daemon.broker_quantity("MNQ") == 0

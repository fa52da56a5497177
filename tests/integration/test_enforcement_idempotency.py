"""P0-3: however often something is asked or reported, the broker sees one close."""

from decimal import Decimal
from pathlib import Path

from tests.support.daemon import ACCOUNT, running

NO_RULES: dict[str, dict[str, object]] = {}


async def test_idempotency_duplicate_close_position(tmp_path: Path) -> None:
    """Two requests to close one position, the second before the first is answered: one close at the broker."""
    async with running(tmp_path, {"MaxContracts": {"max_contracts": 10}}) as daemon:
        control = daemon.gateway.control
        control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"))
        await daemon.until(lambda: daemon.quantity("MNQ") == 2)
        position = control.contract_id("MNQ")

        daemon.runtime.enforcement_engine.close_position(ACCOUNT, position, reason="Test")
        daemon.runtime.enforcement_engine.close_position(ACCOUNT, position, reason="Test duplicate")
        await daemon.until(lambda: daemon.quantity("MNQ") == 0)

        assert len(control.requests("closeContract")) == 1


async def test_idempotency_rapid_fire_events(tmp_path: Path) -> None:
    """A hundred prices beyond the limit lead to one close, one episode and one action."""
    async with running(tmp_path, {"DailyRealizedLoss": {"limit": "-200.00"}}) as daemon:
        control = daemon.gateway.control
        control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"))
        await daemon.until(lambda: daemon.quantity("MNQ") == 2)

        await daemon.priced("MNQ")
        for _ in range(100):
            control.price("MNQ", Decimal("17937.50"))
        await daemon.enforced()
        await daemon.until(lambda: daemon.state.flatten is None)

        assert daemon.runtime.enforcement_engine.actions_executed == 1
        assert len(daemon.state.episodes) == 1
        assert len(control.requests("closeContract")) == 1

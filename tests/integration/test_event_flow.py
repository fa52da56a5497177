"""P0-1: a fill's way through the daemon, from the broker's message to the closed position."""

from decimal import Decimal
from pathlib import Path

from riskd.domain.violations import ActionType
from tests.support.daemon import ACCOUNT, running


async def test_max_contracts_full_flow(tmp_path: Path) -> None:
    """Two contracts held and two bought against a limit of two: the two in excess are closed at the broker."""
    async with running(tmp_path, {"MaxContracts": {"max_contracts": 2}}) as daemon:
        control = daemon.gateway.control
        control.fill(int(ACCOUNT), "MNQ", "buy", 2, Decimal("18000.00"))
        control.fill(int(ACCOUNT), "ES", "buy", 2, Decimal("5800.00"))

        await daemon.enforced()
        await daemon.until(lambda: daemon.runtime.state_manager.get_position_count(ACCOUNT) == 2)

        engine = daemon.runtime.enforcement_engine
        assert engine.actions_executed == 1
        assert engine.last_action is not None
        assert engine.last_action.action_type == ActionType.CLOSE_POSITION
        assert engine.last_action.quantity == 2
        assert (daemon.broker_quantity("MNQ"), daemon.broker_quantity("ES")) == (2, 0)
        assert len(control.requests("closeContract")) == 1

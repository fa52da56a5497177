"""Exactness, owed whenever it is quiet: riskd's figures are those of the exchange's own trades, to the last digit."""

from datetime import timedelta
from typing import Final

from riskd.domain.instruments import symbol_of_contract
from riskd.engine.core import Core
from tests.simulation.judge import Judge
from tests.simulation.truth import day_of
from tests.simulation.verdict import Broken
from tests.simulation.world import World

QUIET: Final = timedelta(seconds=5)
_TELLABLE: Final = {"positions": "", "R": "realized", "N": "net"}
"""What a scenario can ask for, and by which word."""


class Exactness:
    """Compares riskd with the truth at quiet moments."""

    def __init__(self, world: World, judge: Judge) -> None:
        self._venue = world.venue
        self._truth = world.truth
        self._judge = judge
        self.compared = 0

    def compare(self, account: int, core: Core) -> None:
        """Compare one account; the caller says that it is quiet."""
        truth, state = self._truth.of(account), core.state_manager.accounts[str(account)]
        now = self._venue.now
        view = core.state_manager.view(str(account), now)
        held = {contract: quantity for contract, quantity in truth.held.items() if quantity}
        self._same(account, "positions", held, {c: p.quantity for c, p in state.positions.items()})
        orders = {str(order.id) for order in self._venue.live_orders(account)}
        self._same(account, "orders", orders, set(state.orders))
        if not self._judge.costs_known(account, truth):
            return  # no report of its trades has carried a commission yet
        if not truth.day(day_of(now)).voided:
            # Where half a round trip was taken back nobody's figure is right, and riskd judges the worse.
            self._same(account, "R", truth.realized(day_of(now)), view.realized_pnl_today)
        net = self._judge.wrongs.net(account)
        if net is not None:
            self._same(account, "N", net, view.net_pnl)
        self.compared += 1

    def _same(self, account: int, what: str, true: object, believed: object) -> None:
        if true != believed:
            wanted = f"state {account} {_told(what, true)}" if what in _TELLABLE else ""
            raise Broken("exact", f"{what} is {true}, riskd says {believed}", account=account, wanted=wanted)


def _told(what: str, true: object) -> str:
    """Return a true figure as a scenario writes it."""
    if isinstance(true, dict):
        return " ".join(f"{symbol_of_contract(contract)}{quantity:+d}" for contract, quantity in true.items()) or "flat"
    return f"{_TELLABLE[what]}={true}"

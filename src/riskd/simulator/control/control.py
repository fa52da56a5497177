"""What the broker's clients can't do: by hand, or by a plan of faults.

The calls listed in `control.http` are also HTTP calls of the same name below the control URL.
Contracts are named by product (MNQ: the front month), by ticker (MNQZ6) or by id.
"""

from riskd.simulator.control.faults import FaultDesk
from riskd.simulator.control.hand import Hand
from riskd.simulator.faults.rules import FaultFile, FaultRule
from riskd.simulator.gateway.gateway import Gateway


class Control(Hand):
    """Everything that can be done to a running gateway."""

    def __init__(self, gateway: Gateway) -> None:
        """Act on a gateway; nothing goes wrong by itself until faults are planned."""
        super().__init__(gateway)
        self.fault_desk = FaultDesk(self, gateway)

    def faults(self, faults: tuple[FaultRule, ...] = (), *, seed: int = 1) -> None:
        """Put a plan of faults in force from now on, instead of the one before; none: all is well."""
        self.fault_desk.load(FaultFile(faults=faults, seed=seed))

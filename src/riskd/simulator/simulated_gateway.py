"""The simulated gateway: a broker for its clients, and for tests a hand that does what no client can."""

from aiohttp import web

from riskd.simulator.control.control import Control
from riskd.simulator.control.http import ControlServer
from riskd.simulator.gateway.gateway import Gateway
from riskd.simulator.gateway.settings import GatewaySettings


class SimulatedGateway(Gateway):
    """A broker whose market, links and faults can be steered: by `control` here, or by HTTP below `control_url`."""

    def __init__(self, settings: GatewaySettings | None = None) -> None:
        """Set a gateway up; `start` or the context manager opens it."""
        super().__init__(settings)
        self.control = Control(self)
        self.faults = self.control.fault_desk
        self.rest.fault = self.faults.handling
        self.carrier.deliveries = self.faults.deliveries
        self.carrier.seen_quote = self.faults.seen_quote
        self.kernel.strikes = self.faults.strike
        self.kernel.next_strike = self.faults.next_at

    @property
    def control_url(self) -> str:
        """Return the base of the control calls."""
        return f"{self.rest_url}/control"

    def prepare(self) -> None:
        """Open the accounts and the market, and let the faults of the settings begin."""
        super().prepare()
        self.faults.load(self.settings.faults)

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered on the port, the control calls included."""
        return [*super().routes(), *ControlServer(self.control).routes()]

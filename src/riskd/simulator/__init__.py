"""A simulated ProjectX gateway: a real server on 127.0.0.1 in front of a sans-I/O exchange.

`SimulatedGateway` is the server; `Exchange` alone is enough for a simulation without sockets.
"""

from riskd.simulator.exchange import Exchange
from riskd.simulator.gateway import SimulatedGateway
from riskd.simulator.settings import GatewaySettings, account

__all__ = ["Exchange", "GatewaySettings", "SimulatedGateway", "account"]

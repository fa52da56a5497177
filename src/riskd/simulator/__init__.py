"""A simulated ProjectX gateway: a real server on 127.0.0.1 in front of a sans-I/O exchange.

`SimulatedGateway` is the server; `Exchange` alone is enough for a simulation without sockets.
"""

from riskd.simulator.exchange.admission import ModifyOrder, PlaceOrder
from riskd.simulator.exchange.booking import Fill
from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.exchange.exchange import Exchange, Reply
from riskd.simulator.gateway.api import Shape
from riskd.simulator.gateway.settings import GatewaySettings, account
from riskd.simulator.market.tape import Walk
from riskd.simulator.simulated_gateway import SimulatedGateway

__all__ = [
    "Exchange",
    "ExchangeOptions",
    "Fill",
    "GatewaySettings",
    "ModifyOrder",
    "PlaceOrder",
    "Reply",
    "Shape",
    "SimulatedGateway",
    "Walk",
    "account",
]

"""The hand of a test on the gateway, which is also the hand of its faults."""

from riskd.simulator.control.links import LinkControl
from riskd.simulator.control.market import MarketControl
from riskd.simulator.control.orders import OrderControl
from riskd.simulator.control.watching import WatchControl


class Hand(OrderControl, MarketControl, LinkControl, WatchControl):
    """Moves the market, trades by hand, breaks connections, decides outcomes, waits."""

"""The hand of a test on the gateway: what the broker's clients can't do.

The calls listed in `control.http` are also HTTP calls of the same name below the control URL.
Contracts are named by product (MNQ: the front month), by ticker (MNQZ6) or by id.
"""

from riskd.simulator.control.links import LinkControl
from riskd.simulator.control.market import MarketControl
from riskd.simulator.control.orders import OrderControl
from riskd.simulator.control.watching import WatchControl


class Control(OrderControl, MarketControl, LinkControl, WatchControl):
    """Moves the market, trades by hand, breaks connections, decides outcomes, waits."""

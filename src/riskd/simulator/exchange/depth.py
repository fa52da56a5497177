"""The order book's levels as the hub shows them: made up, but the same for the same price.

The exchange matches against the best prices only; the levels behind them are for clients to read.
"""

from datetime import datetime
from decimal import Decimal

from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.events import DepthEvent
from riskd.simulator.exchange.model import Quote, Side

LEVELS = 60
_LARGEST = 47


def level_size(price: Decimal) -> int:
    """Return how many contracts rest at a price; a number's hash is the same in every process."""
    return 1 + hash(price) % _LARGEST


def snapshot(contract: Contract, quote: Quote, at: datetime) -> list[DepthEvent]:
    """Return the whole book from the best prices outwards; empty before the first quote."""
    levels: list[DepthEvent] = []
    for side, best in ((Side.SELL, quote.ask), (Side.BUY, quote.bid)):
        if best is None:
            continue
        for level in range(LEVELS):
            price = best - side.sign * level * contract.tick_size
            levels.append(DepthEvent(contract.id, at, price, level_size(price), side))
    return levels

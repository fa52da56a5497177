"""Which resting orders a price fills, and at what price.

A stop is triggered by a print at or beyond it, or by the opposite side of the book reaching it; a
limit order by the opposite side of the book reaching it, or by a print beyond it.
"""

from decimal import Decimal
from typing import assert_never

import msgspec

from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.market_state import MarketBook
from riskd.simulator.exchange.model import Order, OrderType, PriceUpdate, Quote, Side


class Verdict(msgspec.Struct, frozen=True):
    """What a price does to a resting order: `order` as it is now, filled at `price` if any."""

    order: Order
    price: Decimal | None = None


def judge(order: Order, change: PriceUpdate, market: MarketBook, contract: Contract) -> Verdict:
    """Return what a price change does to a resting order."""
    quote = market.quote(order.contract_id)
    match order.type:
        case OrderType.MARKET:
            return Verdict(order, market.touch(order.contract_id, order.side))
        case OrderType.LIMIT | OrderType.JOIN_BID | OrderType.JOIN_ASK:
            return Verdict(order, _limit_price(order, change, quote))
        case OrderType.STOP:
            return Verdict(order, _stop_price(order, change, market))
        case OrderType.STOP_LIMIT:
            return _stop_limit(order, change, quote)
        case OrderType.TRAILING_STOP:
            moved = trail(order, quote.last, contract)
            return Verdict(moved, _stop_price(moved, change, market))
        case _:
            assert_never(order.type)


def trail(order: Order, last: Decimal | None, contract: Contract) -> Order:
    """Return a trailing stop moved after a favourable price; it never moves back."""
    if last is None or order.trail_distance is None or order.stop_price is None:
        return order
    distance = abs(order.trail_distance) * contract.tick_size
    if order.side is Side.SELL:
        level = max(order.stop_price, last - distance)
    else:
        level = min(order.stop_price, last + distance)
    return order if level == order.stop_price else msgspec.structs.replace(order, stop_price=level)


def marketable_at(order: Order, market: MarketBook) -> Decimal | None:
    """Return the price at which a new limit order fills at once; None when it rests."""
    if order.limit_price is None or order.type is not OrderType.LIMIT:
        return None
    touch = market.touch(order.contract_id, order.side)
    if touch is None:
        return None
    within = touch <= order.limit_price if order.side is Side.BUY else touch >= order.limit_price
    return touch if within else None


def _limit_price(order: Order, change: PriceUpdate, quote: Quote) -> Decimal | None:
    limit = order.limit_price
    if limit is None:
        return None
    opposite = quote.ask if order.side is Side.BUY else quote.bid
    if opposite is not None and not _beyond(order.side, opposite, limit):
        return limit
    printed = change.last
    if printed is None:
        return None
    through = _beyond(order.side, limit, printed)
    return limit if through or (opposite is None and printed == limit) else None


def _beyond(side: Side, price: Decimal, limit: Decimal) -> bool:
    """Return whether a price is worse than a limit for this side."""
    return price > limit if side is Side.BUY else price < limit


def _stop_price(order: Order, change: PriceUpdate, market: MarketBook) -> Decimal | None:
    if not _is_triggered(order, change):
        return None
    touch = market.touch(order.contract_id, order.side)
    return touch if touch is not None else order.stop_price


def _is_triggered(order: Order, change: PriceUpdate) -> bool:
    stop = order.stop_price
    if stop is None:
        return False
    if order.side is Side.BUY:
        return _reaches(change.last, stop) or _reaches(change.bid, stop)
    return _reaches(stop, change.last) or _reaches(stop, change.ask)


def _reaches(upper: Decimal | None, lower: Decimal | None) -> bool:
    return upper is not None and lower is not None and upper >= lower


def _stop_limit(order: Order, change: PriceUpdate, quote: Quote) -> Verdict:
    if not order.triggered:
        if not _is_triggered(order, change):
            return Verdict(order)
        order = msgspec.structs.replace(order, triggered=True)
    return Verdict(order, _limit_price(order, change, quote))

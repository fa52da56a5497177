"""The market table's rows: the last believable price of each contract.

Hub quotes are partial, so every field has its own age. A quote that cannot be true (off the tick grid, zero, crossed)
is not used; one that strays from its own bid and ask is used only when a second update or a quarter of a second
confirms it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.events import QuoteReported
from riskd.domain.instruments import Instrument

CONFIRM_AFTER: Final = timedelta(milliseconds=250)


class Quote(msgspec.Struct, frozen=True, omit_defaults=True):
    """The prices of one contract as riskd believes them.

    Units: points. ``mark`` is the price that P&L uses; ``doubted`` one that waits for confirmation since
    ``doubted_at``.
    Shape: ``quoted`` is False while only fills have given a price; ``silent`` is set when the feed has gone stale.
    """

    contract: str
    at: datetime
    mark: Decimal | None = None
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    doubted: Decimal | None = None
    doubted_at: datetime | None = None
    quoted: bool = False
    silent: bool = False

    def price(self, quantity: int, *, bid_ask: bool) -> Decimal | None:
        """Return the mark of a position: the last price, or the side it would close on."""
        if not bid_ask:
            return self.mark
        side = self.bid if quantity > 0 else self.ask
        return side if side is not None else self.mark


Market = Mapping[str, Quote]


def usable(price: Decimal | None, instrument: Instrument) -> bool:
    """Tell whether a price can be true at all: finite, on the tick grid, of a possible sign."""
    if price is None or not price.is_finite():
        return False
    if price <= 0 and not instrument.may_be_negative:
        return False
    return price % instrument.tick_size == 0


def quoted(
    row: Quote | None, quote: QuoteReported, instrument: Instrument, *, at: datetime, band: Decimal
) -> Quote | None:
    """Return the row after a quote, or None when nothing in the quote was usable.

    Units: ``band`` in points, how far the mark may lie outside bid and ask and still be believed.
    Source: rules.md "Believable prices".
    """
    last = quote.last if usable(quote.last, instrument) else None
    bid = quote.bid if usable(quote.bid, instrument) else None
    ask = quote.ask if usable(quote.ask, instrument) else None
    if last is None and bid is None and ask is None:
        return None
    old = row or Quote(contract=quote.contract, at=at)
    new_bid = bid if bid is not None else old.bid
    new_ask = ask if ask is not None else old.ask
    if new_bid is not None and new_ask is not None and new_bid > new_ask:
        # One side moved without the other: trust the side that is new; where both are, the quote is crossed and void.
        if bid is not None and ask is not None:
            return None
        new_bid, new_ask = (new_bid, None) if bid is not None else (None, new_ask)
    new_last = last if last is not None else old.last
    candidate = _mark(new_last, new_bid, new_ask, last_is_new=last is not None)
    fresh = Quote(contract=old.contract, at=at, mark=old.mark, last=new_last, bid=new_bid, ask=new_ask, quoted=True)
    if candidate is None:
        return fresh
    if _within(candidate, fresh, old, band) or _confirms(candidate, old, at=at, band=band):
        return msgspec.structs.replace(fresh, mark=candidate)
    return msgspec.structs.replace(fresh, doubted=candidate, doubted_at=at)


def _mark(last: Decimal | None, bid: Decimal | None, ask: Decimal | None, *, last_is_new: bool) -> Decimal | None:
    if last is None:
        return (bid + ask) / 2 if bid is not None and ask is not None else bid if bid is not None else ask
    if last_is_new:
        return last
    if bid is not None and last < bid:
        return bid
    return ask if ask is not None and last > ask else last


def _within(candidate: Decimal, fresh: Quote, old: Quote, band: Decimal) -> bool:
    low = fresh.bid if fresh.bid is not None else old.mark
    high = fresh.ask if fresh.ask is not None else old.mark
    return (low is None or candidate >= low - band) and (high is None or candidate <= high + band)


def _confirms(candidate: Decimal, old: Quote, *, at: datetime, band: Decimal) -> bool:
    if old.doubted is None or old.doubted_at is None:
        return False
    return abs(candidate - old.doubted) <= band or at - old.doubted_at >= CONFIRM_AFTER


def settled(row: Quote, at: datetime) -> Quote:
    """Return the row with a doubted price believed once it has stood for long enough."""
    if row.doubted is None or row.doubted_at is None or at - row.doubted_at < CONFIRM_AFTER:
        return row
    return msgspec.structs.replace(row, mark=row.doubted, doubted=None, doubted_at=None)


def filled(row: Quote | None, contract: str, price: Decimal, at: datetime) -> Quote | None:
    """Return the row after a fill, which marks a contract that has no live quote; None where it changes nothing.

    Shape: ``at`` is when it was filled; one that comes late or again does not bring an old price back.
    """
    if row is not None and ((row.quoted and not row.silent) or at < row.at):
        return None
    old = row or Quote(contract=contract, at=at)
    return msgspec.structs.replace(old, mark=price, last=price, at=at, doubted=None, doubted_at=None)

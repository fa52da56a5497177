"""The market table's rows: the last believable price of each contract.

Hub quotes are partial, so every field has its own age. A quote that cannot be true (off the tick grid, zero, crossed)
is not used; one that strays from its own bid and ask is used only when a second update or a quarter of a second
confirms it, and one beyond a day's price limit only when the feed keeps saying so.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.events import QuoteReported
from riskd.domain.instruments import Instrument

CONFIRM_AFTER: Final = timedelta(milliseconds=250)
"""How long a doubted price must stand to be believed without a second update."""

DAILY_LIMIT: Final = Decimal("0.20")
"""The furthest share by which a day may move a price.

Source: CME's price limits of equity index futures: 7 % outside regular hours; 7, 13 and 20 % within them.
"""

BEYOND_LIMIT_AFTER: Final = timedelta(seconds=1)
"""How long a price beyond the day's limit must be said again and again, so that riskd is not blind for ever."""

_UPDATES: Final = 2
_UPDATES_BEYOND_LIMIT: Final = 3
_TICKS_NEAR_ZERO: Final = 500
_MOST_DIGITS: Final = 12

_replace: Final = msgspec.structs.replace


class Doubt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price that waits for confirmation.

    Shape: ``updates`` that agreed on it; it is believed at ``until`` when nothing contradicts it before;
    None while only a second update could make it so.
    """

    price: Decimal
    since: datetime
    until: datetime | None
    updates: int = 1


class Quote(msgspec.Struct, frozen=True, omit_defaults=True):
    """The prices of one contract as riskd believes them.

    Units: points. ``mark`` is the price that P&L uses; ``last``, ``bid`` and ``ask`` are what was heard,
    ``believed_bid`` and ``believed_ask`` the sides that a position may be valued at.
    Shape: ``quoted`` is False while only fills have given a price; ``silent`` is set when the feed has gone stale.
    """

    contract: str
    at: datetime
    mark: Decimal | None = None
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    believed_bid: Decimal | None = None
    believed_ask: Decimal | None = None
    mark_doubt: Doubt | None = None
    bid_doubt: Doubt | None = None
    ask_doubt: Doubt | None = None
    quoted: bool = False
    silent: bool = False

    @property
    def doubted(self) -> bool:
        """Tell whether any of its prices waits for confirmation."""
        return self.mark_doubt is not None or self.bid_doubt is not None or self.ask_doubt is not None

    @property
    def settles_at(self) -> datetime | None:
        """Return when the first of its doubted prices has stood for long enough, None when none is doubted."""
        doubts = (self.mark_doubt, self.bid_doubt, self.ask_doubt)
        return min((doubt.until for doubt in doubts if doubt is not None and doubt.until is not None), default=None)

    def price(self, quantity: int, *, bid_ask: bool) -> Decimal | None:
        """Return the mark of a position: the last price, or the side it would close on."""
        if not bid_ask:
            return self.mark
        side = self.believed_bid if quantity > 0 else self.believed_ask
        return side if side is not None else self.mark


Market = Mapping[str, Quote]


def usable(price: Decimal | None, instrument: Instrument) -> bool:
    """Tell whether a price can be true at all: finite, on the tick grid, of a possible sign and size."""
    if price is None or not price.is_finite() or price.adjusted() > _MOST_DIGITS:
        return False
    if price <= 0 and not instrument.may_be_negative:
        return False
    return price % instrument.tick_size == 0


class _Judge:
    """What one quote's prices are held against."""

    def __init__(self, instrument: Instrument, *, at: datetime, band: Decimal, counts: bool) -> None:
        self.band = band
        self._at = at
        self._counts = counts
        # Near zero a share says nothing: crude oil went from 10 to -37 within hours.
        self._least = instrument.tick_size * _TICKS_NEAR_ZERO if instrument.may_be_negative else instrument.tick_size

    def near(self, price: Decimal, known: Decimal | None, other: Decimal | None = None) -> bool:
        """Tell whether a price lies within the band of one that is believed."""
        if known is not None and abs(price - known) <= self.band:
            return True
        return other is not None and abs(price - other) <= self.band

    def far(self, price: Decimal, known: Decimal | None) -> bool:
        """Tell whether a price lies beyond the day's limit, reckoned from what is believed."""
        return known is not None and abs(price - known) > max(abs(known) * DAILY_LIMIT, self._least)

    def doubt(self, price: Decimal, old: Doubt | None, *, known: Decimal | None) -> Doubt | None:
        """Return the doubt about a straying price, None when it is confirmed."""
        beyond = self.far(price, known)
        wait, needed = (BEYOND_LIMIT_AFTER, _UPDATES_BEYOND_LIMIT) if beyond else (CONFIRM_AFTER, _UPDATES)
        agrees = old is not None and (not self.far(price, old.price) if beyond else self.near(price, old.price))
        if old is None or not agrees:
            return Doubt(price=price, since=self._at, until=None if beyond else self._at + wait)
        updates = old.updates + 1 if self._counts else old.updates
        if updates >= needed or self._at >= old.since + wait:
            return None
        until = None if beyond and updates < _UPDATES else old.since + wait
        return Doubt(price=price, since=old.since, until=until, updates=updates)


def quoted(
    row: Quote | None, quote: QuoteReported, instrument: Instrument, *, at: datetime, band: Decimal, counts: bool = True
) -> Quote | None:
    """Return the row after a quote, or None when nothing in the quote was usable.

    Units: ``band`` in points, how far the mark may lie outside bid and ask and still be believed.
    Shape: ``counts`` False for a further part of one conflated quote, which cannot confirm what the first part said.
    Source: rules.md "Believable prices".
    """
    last = quote.last if usable(quote.last, instrument) else None
    bid = quote.bid if usable(quote.bid, instrument) else None
    ask = quote.ask if usable(quote.ask, instrument) else None
    if last is None and bid is None and ask is None:
        return None
    if bid is not None and ask is not None and bid > ask:
        return None
    old = row or Quote(contract=quote.contract, at=at)
    heard = _heard(old, last, bid, ask, at)
    judge = _Judge(instrument, at=at, band=band, counts=counts)
    marked = _marked(heard, old, judge, last_is_new=last is not None)
    bid_now, bid_doubt = _side(heard.bid, old.believed_bid, old.bid_doubt, marked.mark, judge, is_new=bid is not None)
    ask_now, ask_doubt = _side(heard.ask, old.believed_ask, old.ask_doubt, marked.mark, judge, is_new=ask is not None)
    if bid_now is not None and ask_now is not None and bid_now > ask_now:
        # One believed side has been overtaken by the other; what was heard last tells which of them is old.
        bid_now, ask_now = bid_now if bid_now == heard.bid else None, ask_now if ask_now == heard.ask else None
    return _replace(marked, believed_bid=bid_now, believed_ask=ask_now, bid_doubt=bid_doubt, ask_doubt=ask_doubt)


def _heard(old: Quote, last: Decimal | None, bid: Decimal | None, ask: Decimal | None, at: datetime) -> Quote:
    new_bid = bid if bid is not None else old.bid
    new_ask = ask if ask is not None else old.ask
    if new_bid is not None and new_ask is not None and new_bid > new_ask:
        # One side moved without the other: trust the side that is new.
        new_bid, new_ask = (new_bid, None) if bid is not None else (None, new_ask)
    new_last = last if last is not None else old.last
    return Quote(contract=old.contract, at=at, mark=old.mark, last=new_last, bid=new_bid, ask=new_ask, quoted=True)


def _marked(heard: Quote, old: Quote, judge: _Judge, *, last_is_new: bool) -> Quote:
    candidate = _mark(heard.last, heard.bid, heard.ask, last_is_new=last_is_new)
    if candidate is None:
        return heard
    if _within(candidate, heard, old, judge):
        return _replace(heard, mark=candidate)
    doubt = judge.doubt(candidate, old.mark_doubt, known=old.mark)
    return _replace(heard, mark_doubt=doubt) if doubt is not None else _replace(heard, mark=candidate)


def _mark(last: Decimal | None, bid: Decimal | None, ask: Decimal | None, *, last_is_new: bool) -> Decimal | None:
    if last is None:
        return (bid + ask) / 2 if bid is not None and ask is not None else bid if bid is not None else ask
    if last_is_new:
        return last
    if bid is not None and last < bid:
        return bid
    return ask if ask is not None and last > ask else last


def _within(candidate: Decimal, heard: Quote, old: Quote, judge: _Judge) -> bool:
    """Tell whether a price may be believed at once.

    Shape: where nothing at all is known, a price that stands alone has nothing to lie within.
    """
    if judge.far(candidate, old.mark):
        return False
    bid = old.believed_bid if heard.bid is not None and judge.far(heard.bid, old.mark) else heard.bid
    ask = old.believed_ask if heard.ask is not None and judge.far(heard.ask, old.mark) else heard.ask
    if old.mark is None and sum(price is not None for price in (heard.last, bid, ask)) < _UPDATES:
        return False
    low = bid if bid is not None else old.mark if old.mark is not None else ask
    high = ask if ask is not None else old.mark if old.mark is not None else bid
    return (low is None or candidate >= low - judge.band) and (high is None or candidate <= high + judge.band)


def _side(
    heard: Decimal | None,
    believed: Decimal | None,
    doubt: Doubt | None,
    mark: Decimal | None,
    judge: _Judge,
    *,
    is_new: bool,
) -> tuple[Decimal | None, Doubt | None]:
    """Return the believed price of one side, and the doubt about what was heard of it."""
    if heard is None:
        return believed, None
    if judge.near(heard, mark, believed):
        return heard, None
    if not is_new:
        return believed, doubt
    still = judge.doubt(heard, doubt, known=mark)
    return (heard, None) if still is None else (believed, still)


def settled(row: Quote, at: datetime) -> Quote:
    """Return the row with the doubted prices believed that have stood for long enough."""
    mark, bid, ask = row.mark_doubt, row.bid_doubt, row.ask_doubt
    if mark is not None and mark.until is not None and at >= mark.until:
        row = _replace(row, mark=mark.price, mark_doubt=None)
    if bid is not None and bid.until is not None and at >= bid.until:
        row = _replace(row, believed_bid=bid.price, bid_doubt=None)
    if ask is not None and ask.until is not None and at >= ask.until:
        row = _replace(row, believed_ask=ask.price, ask_doubt=None)
    return row


def filled(row: Quote | None, contract: str, price: Decimal, at: datetime) -> Quote | None:
    """Return the row after a fill, which marks a contract that has no live quote; None where it changes nothing.

    Shape: ``at`` is when it was filled; one that comes late or again does not bring an old price back.
    """
    if row is not None and ((row.quoted and not row.silent) or at < row.at):
        return None
    old = row or Quote(contract=contract, at=at)
    return _replace(old, mark=price, last=price, at=at, mark_doubt=None)

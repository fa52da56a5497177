"""The market as the exchange sees it: quotes, and whether a contract trades."""

from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.hours import phase_at
from riskd.simulator.exchange.model import Phase, PriceUpdate, Quote, Side

_UNKNOWN = Quote()


class MarketBook:
    """Quotes per contract, and phases: by timetable, or as set by hand."""

    def __init__(self, *, exchange_hours: bool) -> None:
        """Start without any price; `exchange_hours` False keeps every market open."""
        self.exchange_hours = exchange_hours
        self._quotes: dict[str, Quote] = {}
        self._last_is_newest: set[str] = set()
        self._fill_marks: dict[str, Decimal] = {}
        self._phases: dict[str, Phase] = {}
        self._phase_of_all: Phase | None = None

    def quote(self, contract_id: str) -> Quote:
        """Return the last known prices, all None before the first."""
        return self._quotes.get(contract_id, _UNKNOWN)

    def quoted(self) -> list[str]:
        """Return the contracts that have had a price."""
        return list(self._quotes)

    def update(self, change: PriceUpdate) -> Quote:
        """Merge a partial change into the known prices and return the result."""
        known = self._quotes.get(change.contract_id, _UNKNOWN)
        last = change.last
        traded = last is not None
        merged = Quote(
            last=last if last is not None else known.last,
            bid=change.bid if change.bid is not None else known.bid,
            ask=change.ask if change.ask is not None else known.ask,
            open=known.open if known.open is not None or not traded else last,
            high=_further(known.high, last, up=True),
            low=_further(known.low, last, up=False),
            volume=known.volume + change.size,
        )
        self._quotes[change.contract_id] = merged
        if change.bid is not None or change.ask is not None:
            self._last_is_newest.discard(change.contract_id)
        elif traded:
            self._last_is_newest.add(change.contract_id)
        return merged

    def start_day(self) -> None:
        """Forget the figures of the trading day that ended; the prices stay."""
        for contract_id, quote in self._quotes.items():
            self._quotes[contract_id] = msgspec.structs.replace(quote, open=None, high=None, low=None, volume=0)

    def mark_by_fill(self, contract_id: str, price: Decimal) -> None:
        """Remember a fill's price for a contract that nobody has quoted."""
        self._fill_marks[contract_id] = price

    def touch(self, contract_id: str, side: Side) -> Decimal | None:
        """Return the price a market order on this side meets; None when there is no price.

        A print beyond a bid or ask that is older than itself has taken that bid or ask away.
        """
        quote = self.quote(contract_id)
        best = quote.ask if side is Side.BUY else quote.bid
        if best is None:
            return quote.last if quote.last is not None else self._fill_marks.get(contract_id)
        if quote.last is None or contract_id not in self._last_is_newest:
            return best
        return max(best, quote.last) if side is Side.BUY else min(best, quote.last)

    def last(self, contract_id: str) -> Decimal | None:
        """Return the last price, else the middle of what is known, else the last fill's."""
        quote = self.quote(contract_id)
        if quote.last is not None:
            return quote.last
        return quote.bid if quote.bid is not None else self._fill_marks.get(contract_id)

    def set_phase(self, contract_id: str | None, phase: Phase | None) -> None:
        """Open, close or halt one contract, or all (None); phase None returns to the timetable."""
        if contract_id is None:
            self._phase_of_all = phase
            self._phases.clear()
        elif phase is None:
            self._phases.pop(contract_id, None)
        else:
            self._phases[contract_id] = phase

    def phase(self, contract: Contract, at: datetime) -> Phase:
        """Return what a contract's market does at a moment."""
        by_hand = self._phases.get(contract.id, self._phase_of_all)
        if by_hand is not None:
            return by_hand
        return phase_at(contract.product.hours, at) if self.exchange_hours else Phase.OPEN


def _further(known: Decimal | None, price: Decimal | None, *, up: bool) -> Decimal | None:
    if known is None or price is None:
        return known if price is None else price
    return max(known, price) if up else min(known, price)

"""What positions are worth by the prices that have reached riskd, by the judge's own reading of the rules."""

from decimal import Decimal

from riskd.domain.events import QuoteReported


class Prices:
    """The mark of each contract: the last price, held inside bid and ask when those are newer."""

    def __init__(self) -> None:
        self.marks: dict[str, Decimal] = {}
        self._last: dict[str, Decimal] = {}

    def quoted(self, quote: QuoteReported) -> None:
        """Take a true quote."""
        contract = quote.contract
        if quote.last is not None:
            self._last[contract] = self.marks[contract] = quote.last
            return
        last = self._last.get(contract)
        if quote.bid is None or quote.ask is None:
            return
        if last is None:
            self.marks[contract] = (quote.bid + quote.ask) / 2
        else:
            self.marks[contract] = min(max(last, quote.bid), quote.ask)

    def forget(self) -> None:
        """Forget everything: riskd has begun anew."""
        self.marks.clear()
        self._last.clear()

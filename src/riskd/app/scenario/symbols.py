"""Symbols as a scenario writes them: a root stands for the month that is in front when the scenario begins."""

from datetime import datetime

from riskd.domain.instruments import PRODUCTS, contract_of_symbol
from riskd.simulator.exchange.contracts import ContractBook


class Symbols:
    """The contracts of one scenario; a root means the same month from its first line to its last."""

    def __init__(self, begins_at: datetime) -> None:
        """Fix the front months at this time."""
        self._at = begins_at
        self._book = ContractBook()

    def contract(self, symbol: str) -> str:
        """Return the contract id of a root or of a symbol with its month."""
        if symbol in PRODUCTS:
            return self._book.front(symbol, self._at).id
        return contract_of_symbol(symbol)

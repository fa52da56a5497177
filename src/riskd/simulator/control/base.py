"""What the parts of the control share: the gateway, its time, and names as a trader writes them."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from riskd.simulator.exchange.contracts import MONTH_CODES
from riskd.simulator.exchange.model import Account, Order

if TYPE_CHECKING:
    from riskd.simulator.gateway.gateway import SimulatedGateway

HubChoice: TypeAlias = Literal["user", "market", "all"]


class ControlError(Exception):
    """A control call that makes no sense here; the text says why."""


class ControlBase:
    """A hand on a gateway."""

    def __init__(self, gateway: "SimulatedGateway") -> None:
        """Act on a gateway."""
        self._gateway = gateway
        self._exchange = gateway.exchange

    def contract_id(self, name: str) -> str:
        """Return the id of a contract given by product, by ticker or by id."""
        book = self._exchange.books.contracts
        if name.startswith("CON."):
            contract = book.find(name)
        elif book.product(name) is not None:
            contract = book.front(name, self._gateway.clock.now())
        else:
            contract = book.find(_id_of_ticker(name, self._code_root(name), self._gateway.clock.now().year))
        if contract is None:
            raise ControlError(f"no contract {name!r}: use a product (MNQ), a ticker or an id")
        return contract.id

    def _code_root(self, ticker: str) -> str:
        stem = ticker.rstrip("0123456789")[:-1]
        product = self._exchange.books.contracts.product(stem)
        return product.root if product is not None else "?"

    def _now(self) -> datetime:
        """Return the gateway's time, with all done whose time has come."""
        self._gateway.kernel.catch_up()
        return self._gateway.clock.now()

    def _known_account(self, account: int) -> Account:
        known = self._exchange.books.accounts.get(account)
        if known is None:
            raise ControlError(f"no account {account}")
        return known

    def _order(self, order_id: int) -> Order:
        order = self._exchange.books.orders.get(order_id)
        if order is None:
            raise ControlError(f"no order {order_id}")
        return order

    def _trade(self, trade_id: int) -> None:
        if trade_id not in self._exchange.books.trades:
            raise ControlError(f"no trade {trade_id}")


def _id_of_ticker(ticker: str, root: str, year: int) -> str:
    digits = ticker[len(ticker.rstrip("0123456789")) :]
    month = ticker[: len(ticker) - len(digits)][-1:]
    if month not in MONTH_CODES or not digits:
        return "?"
    two_digits = int(digits) if len(digits) > 1 else _nearest_year(int(digits), year) % 100
    return f"CON.F.US.{root}.{month}{two_digits:02}"


def _nearest_year(digit: int, year: int) -> int:
    """Return the year with a last digit that is nearest to a year."""
    return min(range(year - 5, year + 6), key=lambda each: (each % 10 != digit, abs(each - year)))

"""What the parts of the control share: the gateway, its time, and names as a trader writes them."""

from datetime import datetime

from riskd.simulator.exchange.model import Account, Order
from riskd.simulator.gateway.gateway import Gateway


class ControlError(Exception):
    """A control call that makes no sense here; the text says why."""


class ControlBase:
    """A hand on a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        """Act on a gateway."""
        self._gateway = gateway
        self._exchange = gateway.exchange

    def contract_id(self, name: str) -> str:
        """Return the id of a contract given by product, by ticker or by id."""
        book = self._exchange.books.contracts
        try:
            return book.named(name, self._gateway.clock.now()).id
        except KeyError:
            raise ControlError(f"no contract {name!r}: use a product (MNQ), a ticker (MNQZ6) or an id") from None

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

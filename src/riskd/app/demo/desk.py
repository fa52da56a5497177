"""The broker's side of the demo: its clock, its market, the trader's clicks, and its own books."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.app.demo.prices import ES, MNQ, Mood, Prices, Quote
from riskd.app.demo.setup_files import ACCOUNT
from riskd.domain.calendar import day_start, market_open, trading_day
from riskd.simulator import SimulatedGateway
from riskd.simulator.control.orders import Placed, SideName
from riskd.simulator.gateway.request_log import Received

ZERO: Final = Decimal(0)
PRODUCTS: Final = (ES, MNQ)


class CloseReceived(msgspec.Struct, frozen=True):
    """A close request as the broker received it; ``quantity`` None for all that is held."""

    symbol: str
    quantity: int | None


class _CloseBody(msgspec.Struct, rename="camel"):
    contract_id: str
    size: int | None = None


class Desk:
    """One account at the simulated broker, whose time goes on only when it is told to.

    All figures come from the broker's own books, never from riskd.
    """

    def __init__(self, gateway: SimulatedGateway, prices: Prices) -> None:
        self._gateway = gateway
        self._control = gateway.control
        self._prices = prices
        self.quotes: dict[str, Quote] = {}
        self.steps: dict[str, int] = dict.fromkeys(PRODUCTS, 0)

    @property
    def now(self) -> datetime:
        """Return the broker's time."""
        return self._gateway.clock.now()

    # --- time and market ---------------------------------------------------------------------------------------

    def advance(self, passed: timedelta) -> None:
        """Let time pass."""
        self._control.time(now=self.now + passed)

    def advance_to(self, moment: datetime) -> None:
        """Let time pass until a moment."""
        self._control.time(now=moment)

    def move(self, mood: Mood) -> tuple[Quote, ...]:
        """Return the market's next prices, none while the exchange has closed."""
        return self._prices.step(mood) if market_open(self.now) else ()

    def settle(self) -> None:
        """Let the market be calm around where it is."""
        self._prices.settle()

    def show(self, quote: Quote) -> None:
        """Give the market a price."""
        before = self.quotes.get(quote.product)
        if before is not None and quote.last != before.last:
            self.steps[quote.product] = 1 if quote.last > before.last else -1
        self.quotes[quote.product] = quote
        self._control.quote(quote.product, last=quote.last, bid=quote.bid, ask=quote.ask, size=quote.size)

    # --- the trader's clicks -----------------------------------------------------------------------------------

    def at_market(self, side: SideName, size: int, product: str) -> Placed:
        """Place a market order as in the broker's web page."""
        return self._control.order(ACCOUNT, product, side, size)

    def bid_below(self, size: int, product: str, *, ticks: int) -> Decimal:
        """Place a limit order to buy below the market and return its price."""
        price = self.quotes[product].bid - ticks * Decimal("0.25")
        self._control.order(ACCOUNT, product, "buy", size, type="limit", limit=price)
        return price

    def bid_that_fills(self, size: int, product: str) -> Decimal:
        """Place a limit order just below the market and let the market trade through it at once; return its price.

        No message can reach the broker in between: a cancel comes too late, whoever sends it.
        """
        price = self.bid_below(size, product, ticks=1)
        self.show(self._prices.dip(product, 3))
        return price

    # --- the broker's books ------------------------------------------------------------------------------------

    def held(self) -> dict[str, int]:
        """Return the signed quantity of each product held."""
        sizes = {product: self._control.position(ACCOUNT, product) for product in PRODUCTS}
        return {product: size for product, size in sizes.items() if size}

    def nothing_left(self) -> bool:
        """Tell whether the account is flat and no order of it works."""
        return not self.held() and not self._gateway.exchange.read.open_orders(ACCOUNT)

    def net_today(self) -> Decimal:
        """Return the day's net P&L by the cash of today's trades and the last prices.

        Units: USD, fees and commissions included.
        """
        books, since = self._gateway.exchange.books, day_start(trading_day(self.now))
        total = ZERO
        for trade in books.trades.values():
            if trade.created_at >= since and not trade.voided:
                paid = books.contract(trade.contract_id).value(trade.price * trade.size)
                total -= paid * trade.side.sign + trade.fees + trade.commissions
        return total + self._worth(self.held())

    def _worth(self, held: Mapping[str, int]) -> Decimal:
        books = self._gateway.exchange.books
        return sum(
            (
                books.contract(self._control.contract_id(product)).value(self.quotes[product].last * size)
                for product, size in held.items()
            ),
            ZERO,
        )

    def closes_received(self) -> list[CloseReceived]:
        """Return every close that the broker was asked for, whole or in part, in order."""
        return [self._close(request) for request in self._control.requests("closeContract")]

    def cancels_received(self) -> list[str]:
        """Return the ids of the orders that the broker was asked to cancel."""
        bodies = [request.json for request in self._control.requests("Order/cancel")]
        return [str(body["orderId"]) for body in bodies if isinstance(body, dict)]

    def orders_received(self) -> int:
        """Return how many orders came in by the programming interface: riskd never places one."""
        return len(self._control.requests("Order/place"))

    def _close(self, request: Received) -> CloseReceived:
        body = msgspec.json.decode(request.body, type=_CloseBody)
        product = self._gateway.exchange.books.contract(body.contract_id).product
        return CloseReceived(product.code, body.size)

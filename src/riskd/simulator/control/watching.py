"""Looking at the gateway, and waiting for what happens there."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.simulator.control.base import ControlBase
from riskd.simulator.control.links import CallName
from riskd.simulator.exchange.model import Account, Order, Trade
from riskd.simulator.faults.rules import HubChoice
from riskd.simulator.gateway.hold import HeldCall
from riskd.simulator.gateway.request_log import Received

_PATIENCE_S = 5.0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that the exchange holds."""

    now: datetime
    accounts: list[Account]
    positions: dict[int, dict[str, int]]
    orders: list[Order]
    trades: list[Trade]
    prices: dict[str, dict[str, Decimal | None]]
    connections: dict[str, int]
    held: list[dict[str, object]]


class WatchControl(ControlBase):
    """Tells what the exchange holds and what was asked of it; the waits poll nothing."""

    def state(self) -> State:
        """Return everything the exchange holds."""
        books = self._exchange.books
        positions: dict[int, dict[str, int]] = {each: {} for each in books.accounts}
        for (owner, contract_id), holding in books.holdings.items():
            positions[owner][contract_id] = holding.size
        quotes = {each: books.market.quote(each) for each in books.market.quoted()}
        return State(
            now=self._now(),
            accounts=list(books.accounts.values()),
            positions=positions,
            orders=list(books.orders.values()),
            trades=list(books.trades.values()),
            prices={each: {"last": quote.last, "bid": quote.bid, "ask": quote.ask} for each, quote in quotes.items()},
            connections={each.name: len(each.connections) for each in self._gateway.hubs("all")},
            held=[
                {"number": each.number, "call": each.call, "body": each.body}
                for each in self._gateway.rest.hold.waiting
            ],
        )

    def requests(self, call: str | None = None, *, after: int = 0) -> list[Received]:
        """Return the REST requests of a call (all: None), those after a number."""
        return self._gateway.log.find(call, after=after)

    def position(self, account: int, contract: str) -> int:
        """Return the signed size an account holds of a contract."""
        return self._exchange.books.held(account, self.contract_id(contract))

    async def wait_request(self, call: str, *, count: int = 1, after: int = 0, within: float = _PATIENCE_S) -> Received:
        """Return the `count`-th request of a call once it has come."""
        log = self._gateway.log
        await self.wait_until(lambda: len(log.find(call, after=after)) >= count, within=within)
        return log.find(call, after=after)[count - 1]

    async def wait_answered(
        self, call: str, *, count: int = 1, after: int = 0, within: float = _PATIENCE_S
    ) -> Received:
        """Return the `count`-th request of a call once it has been answered."""
        log = self._gateway.log

        def answered() -> list[Received]:
            return [entry for entry in log.find(call, after=after) if entry.status]

        await self.wait_until(lambda: len(answered()) >= count, within=within)
        return answered()[count - 1]

    async def wait_held(self, call: CallName | None = None, *, count: int = 1, within: float = _PATIENCE_S) -> HeldCall:
        """Return the `count`-th withheld request (of a call) once it waits."""

        def held() -> list[HeldCall]:
            return [each for each in self._gateway.rest.hold.waiting if call in {None, each.call}]

        await self.wait_until(lambda: len(held()) >= count, within=within)
        return held()[count - 1]

    async def wait_flat(self, account: int, *, within: float = _PATIENCE_S) -> None:
        """Return once an account holds nothing and nothing of it works."""

        def flat() -> bool:
            books = self._exchange.books
            holds = any(owner == account for owner, _ in books.holdings)
            return not holds and not self._exchange.read.open_orders(account)

        await self.wait_until(flat, within=within)

    async def wait_position(self, account: int, contract: str, size: int, *, within: float = _PATIENCE_S) -> None:
        """Return once an account holds a signed size of a contract."""
        await self.wait_until(lambda: self.position(account, contract) == size, within=within)

    async def wait_connected(self, hub: HubChoice = "all", *, count: int = 1, within: float = _PATIENCE_S) -> None:
        """Return once so many clients have shaken hands with each hub."""

        def connected() -> bool:
            return all(each.ready_count() >= count for each in self._gateway.hubs(hub))

        await self.wait_until(connected, within=within)

    async def wait_disconnected(self, hub: HubChoice = "all", *, within: float = _PATIENCE_S) -> None:
        """Return once no client is connected to a hub."""

        def deserted() -> bool:
            return not any(each.connections for each in self._gateway.hubs(hub))

        await self.wait_until(deserted, within=within)

    async def wait_subscribed(self, target: str, key: int | str | None = None, *, within: float = _PATIENCE_S) -> None:
        """Return once somebody subscribed to an event (of an account id or a contract)."""
        known = self.contract_id(key) if isinstance(key, str) else key
        await self.wait_until(lambda: self._gateway.is_wanted(target, known), within=within)

    async def wait_until(self, condition: Callable[[], bool], *, within: float = _PATIENCE_S) -> None:
        """Return once a condition holds; it is looked at whenever anything happened."""
        await self._gateway.bell.until(condition, within=within)

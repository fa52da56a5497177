"""projectx-sdk as a puppet."""

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.e2e.clients.puppet import KINDS, Price, Refused, Strings, number, run, text

sdk: Any = importlib.import_module("projectx_sdk.client")
errors: Any = importlib.import_module("projectx_sdk.exceptions")

_T = TypeVar("_T")
_HERE = "simulated"


def _or_refused(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except errors.ProjectXError as error:
        raise Refused(str(error)) from error


class ProjectXSdk:
    """Its client. It blocks, so what it does while a hub talks is done in a thread."""

    def __init__(self, where: dict[str, str], strings: Strings) -> None:
        self._where = where
        self._strings = strings
        self._client: Any = None

    async def log_in(self) -> list[int]:
        """Log in and return the accounts."""
        where, client = self._where, sdk.ProjectXClient
        # Its hubs are looked up by the name of the firm, and there is no argument for them.
        client.USER_HUB_URLS[_HERE] = where["user_hub_url"].replace("http", "ws", 1)
        client.MARKET_HUB_URLS[_HERE] = where["market_hub_url"].replace("http", "ws", 1)
        self._client = client(
            username=where["username"], api_key=where["api_key"], environment=_HERE, base_url=where["rest_url"]
        )
        return [each.id for each in self._client.accounts.search()]

    async def contract(self, product: str) -> list[str]:
        """Find a product; return its contract's id, tick size and tick value."""
        [found] = self._client.contracts.search(product)
        return [found.id, str(found.tick_size), str(found.tick_value)]

    async def bars(self, contract: str, count: int) -> list[str]:
        """Return the times of so many five-minute bars, as they came."""
        now = datetime.now(UTC)
        bars = self._client.history.retrieve_bars(contract, now - timedelta(hours=2), now, unit_number=5, limit=count)
        return [each.timestamp.isoformat() for each in bars]

    async def listen(self, account: int, contract: str) -> None:
        """Open both hubs and subscribe to everything of an account and a contract."""
        await asyncio.to_thread(self._listen, account, contract)

    def _listen(self, account: int, contract: str) -> None:
        heard, realtime = self._strings.heard, self._client.realtime
        realtime.start()
        realtime.user.subscribe_accounts(lambda *raw: heard("account", raw))
        realtime.user.subscribe_orders(account, lambda *raw: heard("order", raw))
        realtime.user.subscribe_positions(account, lambda *raw: heard("position", raw))
        realtime.user.subscribe_trades(account, lambda *raw: heard("trade", raw))
        realtime.market.subscribe_quotes(contract, lambda *raw: heard("quote", raw))
        realtime.market.subscribe_trades(contract, lambda *raw: heard("print", raw))
        realtime.market.subscribe_market_depth(contract, lambda *raw: heard("depth", raw))

    async def place(self, account: int, contract: str, **terms: Any) -> int:
        """Place an order and return its id; brackets by its general call, for its own knows none."""
        kind, orders = terms["kind"], self._client.orders
        if "stop_ticks" in terms:
            body = {
                "accountId": account,
                "contractId": contract,
                "type": KINDS[kind],
                "side": terms["side"],
                "size": terms["size"],
                "stopLossBracket": {"ticks": terms["stop_ticks"], "type": 4},
                "takeProfitBracket": {"ticks": terms["target_ticks"], "type": 1},
            }
            return int(_or_refused(lambda: self._client.post("Order/place", json=body))["orderId"])
        price = number(terms, "price")
        return int(
            _or_refused(
                lambda: orders.place(
                    account,
                    contract,
                    KINDS[kind],
                    terms["side"],
                    terms["size"],
                    limit_price=price if kind == "limit" else None,
                    stop_price=price if kind == "stop" else None,
                    trail_price=price if kind == "trailing" else None,
                    custom_tag=terms.get("tag"),
                )
            )
        )

    async def move_limit(self, account: int, order: int, price: Price) -> None:
        """Change the price of a limit order."""
        _or_refused(lambda: self._client.orders.modify(account, order, limit_price=float(price)))

    async def cancel(self, account: int, order: int) -> None:
        """Cancel an order."""
        _or_refused(lambda: self._client.orders.cancel(account, order))

    async def working(self, account: int) -> list[list[Any]]:
        """Return the open orders: id, stop price, limit price."""
        orders = self._client.orders.search_open(account)
        return [[each.id, text(each.stop_price), text(each.limit_price)] for each in orders]

    async def held(self, account: int) -> list[int]:
        """Return the sizes of the open positions."""
        return [each.size for each in self._client.positions.search_open(account)]

    async def close(self, account: int, contract: str, size: int | None) -> None:
        """Close a position, or a part of it."""
        positions = self._client.positions
        if size is None:
            _or_refused(lambda: positions.close_contract(account, contract))
        else:
            _or_refused(lambda: positions.partial_close_contract(account, contract, size))

    async def earned(self, account: int) -> list[Price | None]:
        """Return the profit of every trade, newest first."""
        trades = self._client.trades.search(account, datetime.now(UTC) - timedelta(minutes=5))
        return [text(each.profit_and_loss) for each in trades]


if __name__ == "__main__":
    strings = Strings()
    run(ProjectXSdk(json.loads(sys.argv[1]), strings), strings)

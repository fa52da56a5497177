"""topstep-client-py as a puppet."""

import asyncio
import importlib
import json
import sys
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.e2e.clients.puppet import KINDS, Price, Refused, Strings, number, run, text

topstep: Any = importlib.import_module("topstep")
realtime: Any = importlib.import_module("topstep.realtime")
models: Any = importlib.import_module("topstep.models.order")

_T = TypeVar("_T")


async def _or_refused(call: Awaitable[_T]) -> _T:
    try:
        return await call
    except topstep.APIError as error:
        raise Refused(str(error)) from error


class TopstepClientPy:
    """Its client; its hubs are made by hand, because the client points them at the real gateway only."""

    def __init__(self, where: dict[str, str], strings: Strings) -> None:
        self._where = where
        self._strings = strings
        self._client: Any = None

    async def log_in(self) -> list[int]:
        """Log in, have the token renewed and return the accounts."""
        where = self._where
        self._client = await topstep.TopstepClient.create(
            where["username"], where["api_key"], base_url=where["rest_url"]
        )
        await self._client.refresh_token()
        return [each.id for each in await self._client.accounts.search()]

    async def contract(self, product: str) -> list[str]:
        """Find a product; return its contract's id, tick size and tick value."""
        found = await self._client.contracts.search(product)
        known = await self._client.contracts.search_by_id(found[0].id)
        return [known.id, str(known.tick_size), str(known.tick_value)]

    async def bars(self, contract: str, count: int) -> list[str]:
        """Return the times of so many five-minute bars, as they came."""
        now = datetime.now(UTC)
        early = now - timedelta(hours=2)
        bars = await self._client.history.retrieve_bars(contract, early, now, unit_number=5, limit=count)
        return [each.timestamp.isoformat() for each in bars]

    async def listen(self, account: int, contract: str) -> None:
        """Open both hubs and subscribe to everything of an account and a contract."""
        heard = self._strings.heard
        user = realtime.UserHub(self._client.token, hub_url=self._where["user_hub_url"])
        market = realtime.MarketHub(self._client.token, hub_url=self._where["market_hub_url"])
        user.on_account(lambda *raw: heard("account", raw))
        user.on_order(lambda *raw: heard("order", raw))
        user.on_position(lambda *raw: heard("position", raw))
        user.on_trade(lambda *raw: heard("trade", raw))
        market.on_quote(lambda *raw: heard("quote", raw))
        market.on_trade(lambda *raw: heard("print", raw))
        market.on_depth(lambda *raw: heard("depth", raw))
        for hub in (user, market):
            # It says that it is connected before its handshake is done.
            opened = asyncio.Event()
            hub.on_open(opened.set)
            await hub.connect()
            await opened.wait()
        await user.subscribe_all(account)
        await market.subscribe_all(contract)

    async def place(self, account: int, contract: str, **terms: Any) -> int:
        """Place an order and return its id."""
        kind = terms["kind"]
        request = models.PlaceOrderRequest(
            accountId=account,
            contractId=contract,
            type=KINDS[kind],
            side=terms["side"],
            size=terms["size"],
            limitPrice=number(terms, "price") if kind == "limit" else None,
            stopPrice=number(terms, "price") if kind == "stop" else None,
            trailPrice=number(terms, "price") if kind == "trailing" else None,
            customTag=terms.get("tag"),
            stopLossBracket={"ticks": terms["stop_ticks"], "type": 4} if "stop_ticks" in terms else None,
            takeProfitBracket={"ticks": terms["target_ticks"], "type": 1} if "target_ticks" in terms else None,
        )
        return int(await _or_refused(self._client.orders.place(request)))

    async def move_limit(self, account: int, order: int, price: Price) -> None:
        """Change the price of a limit order."""
        await _or_refused(self._client.orders.modify(account, order, limit_price=float(price)))

    async def cancel(self, account: int, order: int) -> None:
        """Cancel an order."""
        await _or_refused(self._client.orders.cancel(account, order))

    async def working(self, account: int) -> list[list[Any]]:
        """Return the open orders: id, stop price, limit price."""
        orders = await self._client.orders.search_open(account)
        return [[each.id, text(each.stop_price), text(each.limit_price)] for each in orders]

    async def held(self, account: int) -> list[int]:
        """Return the sizes of the open positions."""
        return [each.size for each in await self._client.positions.search_open(account)]

    async def close(self, account: int, contract: str, size: int | None) -> None:
        """Close a position, or a part of it."""
        positions = self._client.positions
        if size is None:
            await _or_refused(positions.close(account, contract))
        else:
            await _or_refused(positions.partial_close(account, contract, size))

    async def earned(self, account: int) -> list[Price | None]:
        """Return the profit of every trade, newest first."""
        trades = await self._client.trades.search(account, datetime.now(UTC) - timedelta(minutes=5))
        return [text(each.profit_and_loss) for each in trades]


if __name__ == "__main__":
    strings = Strings()
    run(TopstepClientPy(json.loads(sys.argv[1]), strings), strings)

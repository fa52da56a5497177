"""project-x-py as a puppet."""

import importlib
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.e2e.clients.puppet import KINDS, Price, Refused, Strings, number, run, text

sdk: Any = importlib.import_module("project_x_py")
models: Any = importlib.import_module("project_x_py.models")
buses: Any = importlib.import_module("project_x_py.event_bus")
exceptions: Any = importlib.import_module("project_x_py.exceptions")

_T = TypeVar("_T")
_KINDS_OF_EVENT = {
    "account_update": "account",
    "order_update": "order",
    "position_update": "position",
    "trade_execution": "trade",
    "quote_update": "quote",
    "market_trade": "print",
    "market_depth": "depth",
}


async def _or_refused(call: Awaitable[_T]) -> _T:
    try:
        return await call
    except exceptions.ProjectXError as error:
        raise Refused(str(error)) from error


class _Desk:
    """What the library binds to one account: a session and its two managers."""

    def __init__(self, session: Any) -> None:
        self.session = session
        bus = buses.EventBus()
        self.orders = sdk.OrderManager(session, bus)
        self.positions = sdk.PositionManager(session, bus)


class ProjectXPy:
    """Its client, one for each account, because its orders go to the account it was opened with."""

    def __init__(self, where: dict[str, str], strings: Strings) -> None:
        self._where = where
        self._strings = strings
        self._config = models.ProjectXConfig(
            api_url=f"{where['rest_url']}/api",
            realtime_url=where["rest_url"],
            user_hub_url=where["user_hub_url"],
            market_hub_url=where["market_hub_url"],
            requests_per_minute=600,
        )
        self._desks: dict[int, _Desk] = {}
        self._realtime: Any = None

    async def log_in(self) -> list[int]:
        """Log in, once for each account, and return the accounts."""
        first = await self._session(None)
        assert await first.ping()
        accounts = await first.list_accounts()
        for each in accounts:
            self._desks[each.id] = _Desk(await self._session(each.name))
        return list(self._desks)

    async def _session(self, account: str | None) -> Any:
        where = self._where
        session = sdk.ProjectX(where["username"], where["api_key"], config=self._config, account_name=account)
        await session.__aenter__()
        await session.authenticate()
        return session

    def _any(self) -> Any:
        return next(iter(self._desks.values())).session

    async def contract(self, product: str) -> list[str]:
        """Find a product; return its contract's id, tick size and tick value."""
        found = await self._any().get_instrument(product)
        return [found.id, str(found.tickSize), str(found.tickValue)]

    async def bars(self, contract: str, count: int) -> list[str]:
        """Return the times of so many five-minute bars, as they came."""
        now = datetime.now(UTC)
        early = now - timedelta(hours=2)
        found = await self._any().get_bars(contract, interval=5, unit=2, limit=count, start_time=early, end_time=now)
        return [each.isoformat() for each in found["timestamp"]]

    async def listen(self, account: int, contract: str) -> None:
        """Open both hubs and subscribe to everything of an account and a contract."""
        token = self._desks[account].session.get_session_token()
        self._realtime = sdk.ProjectXRealtimeClient(token, str(account), config=self._config)
        for theirs, ours in _KINDS_OF_EVENT.items():
            await self._realtime.add_callback(theirs, self._hearing(ours))
        assert await self._realtime.connect()
        assert await self._realtime.subscribe_user_updates()
        assert await self._realtime.subscribe_market_data([contract])

    def _hearing(self, kind: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
        async def hear(raw: Any) -> None:
            self._strings.heard(kind, raw)

        return hear

    async def place(self, account: int, contract: str, **terms: Any) -> int:
        """Place an order and return its id."""
        kind, price = terms["kind"], number(terms, "price")
        placed = await _or_refused(
            self._desks[account].orders.place_order(
                contract,
                KINDS[kind],
                terms["side"],
                terms["size"],
                limit_price=price if kind == "limit" else None,
                stop_price=price if kind == "stop" else None,
                trail_price=price if kind == "trailing" else None,
                custom_tag=terms.get("tag"),
                stop_loss_bracket={"ticks": terms["stop_ticks"], "type": 4} if "stop_ticks" in terms else None,
                take_profit_bracket={"ticks": terms["target_ticks"], "type": 1} if "target_ticks" in terms else None,
            )
        )
        return int(placed.orderId)

    async def move_limit(self, account: int, order: int, price: Price) -> None:
        """Change the price of a limit order."""
        await _or_refused(self._desks[account].orders.modify_order(order, limit_price=float(price)))

    async def cancel(self, account: int, order: int) -> None:
        """Cancel an order."""
        await _or_refused(self._desks[account].orders.cancel_order(order))

    async def working(self, account: int) -> list[list[Any]]:
        """Return the open orders: id, stop price, limit price."""
        orders = await self._desks[account].orders.search_open_orders()
        return [[each.id, text(each.stopPrice), text(each.limitPrice)] for each in orders]

    async def held(self, account: int) -> list[int]:
        """Return the sizes of the open positions."""
        return [each.size for each in await self._desks[account].session.search_open_positions()]

    async def close(self, account: int, contract: str, size: int | None) -> None:
        """Close a position, or a part of it."""
        positions = self._desks[account].positions
        if size is None:
            answer = await positions.close_position_direct(contract)
        else:
            answer = await positions.partially_close_position(contract, size)
        if not answer["success"]:
            raise Refused(str(answer))

    async def earned(self, account: int) -> list[Price | None]:
        """Return the profit of every trade, newest first."""
        early = datetime.now(UTC) - timedelta(minutes=5)
        trades = await self._desks[account].session.search_trades(start_date=early)
        return [text(each.profitAndLoss) for each in trades]


if __name__ == "__main__":
    strings = Strings()
    run(ProjectXPy(json.loads(sys.argv[1]), strings), strings)

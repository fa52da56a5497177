"""A stranger's client library trades a whole session on the simulated gateway.

The library knows nothing of the gateway: what it accepts, it accepts because the protocol is right.
It needs Python 3.12; elsewhere, or where it is not installed, these tests are skipped.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway, account

sdk = pytest.importorskip("topstep_sdk", reason="topstep-sdk is not installed (needs Python 3.12)")

pytestmark = pytest.mark.e2e

_PRACTICE, _BRACKETS = 101, 102


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    """Open a gateway with an account in each bracket mode."""
    settings = GatewaySettings(
        accounts=(account(_PRACTICE), account(_BRACKETS, "combine", brackets="auto_oco")),
        quotes={"MNQ": Decimal(20000), "ES": Decimal(6700)},
    )
    async with SimulatedGateway(settings) as running:
        yield running


@pytest.fixture
async def client(gateway: SimulatedGateway) -> AsyncIterator[Any]:
    """Log the stranger's client in."""
    config = sdk.Config(
        username=gateway.username,
        api_key=gateway.api_key,
        rest_base_url=gateway.rest_url,
        user_hub_url=gateway.user_hub_url,
        market_hub_url=gateway.market_hub_url,
    )
    async with sdk.AsyncTopstepClient(config) as connected:
        yield connected


class Heard:
    """What a hub told the stranger's client, and a way to wait for it."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    async def note(self, kind: str, value: Any) -> None:
        """Keep one event."""
        self.events.append((kind, value))
        self._changed.set()

    def of(self, kind: str) -> list[Any]:
        """Return the events of a kind."""
        return [value for heard, value in self.events if heard == kind]

    async def until(self, kind: str, count: int = 1) -> None:
        """Wait for so many events of a kind."""
        async with asyncio.timeout(5):
            while len(self.of(kind)) < count:
                self._changed.clear()
                await self._changed.wait()


async def _listen(gateway: SimulatedGateway, client: Any, account_id: int) -> tuple[Any, Heard]:
    hub, heard = client.user_hub(), Heard()
    hub.on_account(lambda value: heard.note("account", value))
    hub.on_order(lambda value: heard.note("order", value))
    hub.on_position(lambda value: heard.note("position", value))
    hub.on_trade(lambda value: heard.note("trade", value))
    await hub.start()
    await hub.subscribe_accounts()
    await hub.subscribe_orders(account_id)
    await hub.subscribe_positions(account_id)
    await hub.subscribe_trades(account_id)
    await gateway.control.wait_subscribed("GatewayUserTrade", account_id)
    return hub, heard


async def test_it_logs_in_and_finds_accounts_contracts_and_bars(client: Any) -> None:
    """Everything a client reads before it trades comes in the shapes it expects."""
    now = datetime.now(UTC)

    assert await client.ping() == "pong"
    await client.authenticate()
    assert await client.validate()
    assert [each.id for each in await client.accounts.search()] == [_PRACTICE, _BRACKETS]
    found = await client.contracts.get_by_symbol("MNQ")
    assert (found.tick_size, found.tick_value) == (Decimal("0.25"), Decimal("0.5"))
    assert await client.contracts.search_by_id(found.id) == found
    assert len(await client.contracts.available()) == 51
    bars = await client.history.retrieve_bars(
        found.id,
        unit=sdk.AggregateBarUnit.MINUTE,
        unit_number=5,
        start_time=now - timedelta(hours=2),
        end_time=now,
        limit=10,
    )
    assert len(bars) == 10
    assert bars[0].t > bars[-1].t


async def test_it_trades_every_kind_of_order(gateway: SimulatedGateway, client: Any) -> None:
    """Market, limit, stop and trailing orders are placed, changed, cancelled and filled."""
    mnq = (await client.contracts.get_by_symbol("MNQ")).id
    orders, positions = client.orders, client.positions

    await orders.buy(_PRACTICE, mnq, 3, custom_tag="entry")
    limit = await orders.sell(_PRACTICE, mnq, 1, type=sdk.OrderType.LIMIT, limit_price=Decimal(20100))
    stop = await orders.sell(_PRACTICE, mnq, 1, type=sdk.OrderType.STOP, stop_price=Decimal(19900))
    trailing = await orders.sell(_PRACTICE, mnq, 1, type=sdk.OrderType.TRAILING_STOP, trail_price=Decimal(19950))
    await orders.modify(_PRACTICE, limit, limit_price=Decimal(20050))
    assert [each.id for each in await orders.search_open(_PRACTICE)] == [limit, stop, trailing]
    await orders.cancel(_PRACTICE, stop)
    gateway.control.price("MNQ", Decimal(20050))
    gateway.control.price("MNQ", Decimal("19999.75"))

    states = {each.id: each for each in (await orders.query(_PRACTICE)).orders}
    assert states[limit].status == sdk.OrderStatus.FILLED
    assert states[stop].status == sdk.OrderStatus.CANCELLED
    assert states[trailing].status == sdk.OrderStatus.FILLED
    assert [each.size for each in await positions.search_open(_PRACTICE)] == [1]
    await positions.close(_PRACTICE, mnq)
    assert await positions.search_open(_PRACTICE) == []
    trades = await client.trades.search(_PRACTICE, start_timestamp=datetime.now(UTC) - timedelta(minutes=5))
    earned = [each.profit_and_loss for each in trades]
    assert earned == [Decimal(-1), Decimal(-1), Decimal("99.5"), None]


async def test_it_closes_a_position_in_part_and_in_whole(gateway: SimulatedGateway, client: Any) -> None:
    """A partial close leaves the rest, a close of too much is refused, close_all ends flat."""
    es = (await client.contracts.get_by_symbol("ES")).id
    await client.orders.buy(_PRACTICE, es, 4)

    await client.positions.partial_close(_PRACTICE, es, 1)
    with pytest.raises(sdk.APIError) as refused:
        await client.positions.partial_close(_PRACTICE, es, 4)
    await client.positions.close_all(_PRACTICE)

    assert refused.value.error_code == 5
    assert gateway.control.position(_PRACTICE, "ES") == 0


async def test_it_brackets_an_entry_where_the_account_allows(gateway: SimulatedGateway, client: Any) -> None:
    """An Auto OCO account gets a stop and a target; the target's fill cancels the stop."""
    mnq = (await client.contracts.get_by_symbol("MNQ")).id
    with pytest.raises(sdk.APIError, match="Position Brackets"):
        await client.orders.buy(_PRACTICE, mnq, 1, stop_loss_ticks=40)

    await client.orders.buy(_BRACKETS, mnq, 1, stop_loss_ticks=40, take_profit_ticks=80)
    legs = await client.orders.search_open(_BRACKETS)
    assert [(each.stop_price, each.limit_price) for each in legs] == [
        (Decimal("19990.25"), None),
        (None, Decimal("20020.25")),
    ]
    gateway.control.price("MNQ", Decimal("20020.50"))

    assert await client.orders.search_open(_BRACKETS) == []
    assert await client.positions.search_open(_BRACKETS) == []


async def test_it_hears_the_account_and_comes_back_after_a_drop(gateway: SimulatedGateway, client: Any) -> None:
    """Orders, trades, positions and accounts arrive, again after the connection was cut."""
    hub, heard = await _listen(gateway, client, _PRACTICE)
    mnq = gateway.control.contract_id("MNQ")

    await client.orders.buy(_PRACTICE, mnq, 2)
    await heard.until("position")
    gateway.control.disconnect("user")
    await gateway.control.wait_until(lambda: not gateway.is_wanted("GatewayUserTrade", _PRACTICE), within=5)
    await gateway.control.wait_subscribed("GatewayUserTrade", _PRACTICE, within=10)
    await client.positions.close(_PRACTICE, mnq)
    await heard.until("position", 2)
    await heard.until("account", 2)
    await hub.stop()

    assert [each.size for each in heard.of("position")] == [2, 0]
    assert [int(each.status) for each in heard.of("order")] == [6, 2, 6, 2]
    assert len({each.id for each in heard.of("trade")}) == 2


async def test_it_hears_the_market(gateway: SimulatedGateway, client: Any) -> None:
    """Quotes, trades and depth arrive as the library models them."""
    hub, heard = client.market_hub(), Heard()
    hub.on_quote(lambda _, value: heard.note("quote", value))
    hub.on_trade(lambda _, value: heard.note("print", value))
    hub.on_depth(lambda _, value: heard.note("depth", value))
    mnq = gateway.control.contract_id("MNQ")
    await hub.start()
    await hub.subscribe_quotes(mnq)
    await hub.subscribe_trades(mnq)
    await hub.subscribe_depth(mnq)
    await gateway.control.wait_subscribed("GatewayDepth", "MNQ")

    gateway.control.walk("MNQ", per_second=200)
    for kind in ("quote", "print", "depth"):
        await heard.until(kind, 5)
    await hub.stop()

    assert all(each.price % Decimal("0.25") == 0 for each in heard.of("print"))

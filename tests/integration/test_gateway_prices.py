"""Recorded and generated prices behind a running gateway."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from riskd.simulator import ExchangeOptions, GatewaySettings, SimulatedGateway, Walk
from riskd.simulator.exchange.products import PRODUCTS
from riskd.simulator.market.recordings import PriceFileError
from tests.integration.gateway_client import BareClient

_START = datetime(2018, 5, 7, 13, 30, tzinfo=UTC)
_ES_TICKS = Path(__file__).parents[3] / "shared/data/price-esm8-ticks-2018-05-07/esm8_trades.csv.gz"
_STILL = Decimal(0)


def _ticks(folder: Path, *prices: str) -> Path:
    path = folder / "es.csv.gz"
    with gzip.open(path, "wt") as lines:
        lines.write("ts_utc,price\n")
        for second, price in enumerate(prices):
            lines.write(f"{(_START + timedelta(seconds=second)).isoformat()},{price}\n")
    return path


async def test_a_recording_plays_at_its_own_time(tmp_path: Path) -> None:
    """What comes before the start is the past: known prices and bars, but no fills."""
    files = {"ES": _ticks(tmp_path, "2670", "2671", "2672", "2669")}
    settings = GatewaySettings(price_files=files, start=_START + timedelta(seconds=1.5), speed=_STILL)
    async with SimulatedGateway(settings) as gateway, BareClient(gateway) as client:
        control = gateway.control
        before = control.state().prices["CON.F.US.EP.M18"]["last"]
        stop = control.order(101, "ES", "sell", 1, type="stop", stop=Decimal("2669.50")).order_id
        control.time(now=_START + timedelta(seconds=3))
        bars = await client.call(
            "History/retrieveBars",
            contractId="CON.F.US.EP.M18",
            live=False,
            startTime=_START.isoformat(),
            endTime=(_START + timedelta(minutes=1)).isoformat(),
            unit=1,
            unitNumber=1,
            limit=10,
            includePartialBar=True,
        )
        order = next(each for each in control.state().orders if each.id == stop)

    assert before == Decimal(2671)
    assert (order.filled_price, order.updated_at) == (Decimal(2669), _START + timedelta(seconds=3))
    assert [each["c"] for each in bars["bars"]] == [2669, 2672, 2671, 2670]


@pytest.mark.slow
async def test_a_recording_begins_now_when_time_is_real(tmp_path: Path) -> None:
    """Old prices are moved to the present and keep their distances."""
    files = {"ES": _ticks(tmp_path, "2670", "2671")}
    async with SimulatedGateway(GatewaySettings(price_files=files)) as gateway:
        control, now = gateway.control, gateway.clock.now()
        front = control.contract_id("ES")

        await control.wait_until(lambda: gateway.exchange.books.market.last(front) == 2671)

        assert timedelta(seconds=0.9) < gateway.clock.now() - now < timedelta(seconds=3)


@pytest.mark.parametrize(
    ("name", "start", "why"),
    [
        ("ES", _START + timedelta(days=1), "end at 2018-05-07T13:30:00.*before the start"),
        ("XX", _START, "no product 'XX' is listed"),
    ],
)
async def test_a_recording_that_cannot_play_is_refused(tmp_path: Path, name: str, start: datetime, why: str) -> None:
    """One sentence before anything opens."""
    files = {name: _ticks(tmp_path, "2670")}

    with pytest.raises(PriceFileError, match=why):
        async with SimulatedGateway(GatewaySettings(price_files=files, start=start)):
            pytest.fail("the gateway opened")


async def test_one_price_is_enough_to_start_with(tmp_path: Path) -> None:
    """A recording that ends where it begins has not ended before the start."""
    files = {"ES": _ticks(tmp_path, "2670")}

    async with SimulatedGateway(GatewaySettings(price_files=files, start="first price")) as gateway:
        last = gateway.exchange.books.market.last(gateway.control.contract_id("ES"))

    assert last == 2670


async def test_every_product_can_be_generated_and_traded() -> None:
    """All 51 markets walk on their grids, and a round trip in each costs fees and its spread."""
    settings = GatewaySettings(
        walks={product.code: Walk(per_second=1) for product in PRODUCTS},
        start=_START,
        speed=_STILL,
        options=ExchangeOptions(repeat_accounts=(0, 0)),
    )
    async with SimulatedGateway(settings) as gateway:
        control = gateway.control
        control.time(now=_START + timedelta(seconds=30))
        refused = []
        for product in PRODUCTS:
            entered = control.order(101, product.code, "buy", 1)
            left = control.order(101, product.code, "sell", 1)
            if not (entered.accepted and left.accepted):
                refused.append(product.code)
        state = control.state()

    paid = sum((each.cash for each in state.trades), Decimal(0))
    assert refused == []
    assert len(state.trades) == 2 * len(PRODUCTS)
    assert state.accounts[0].balance == Decimal(50_000) + paid


async def test_trading_hours_are_kept_where_wanted() -> None:
    """At 16:00 in Chicago the market closes, resting day orders expire; at 17:00 it is open."""
    start = datetime(2026, 11, 18, 21, 59, tzinfo=UTC)
    settings = GatewaySettings(
        start=start,
        speed=_STILL,
        quotes={"MNQ": Decimal(20000)},
        options=ExchangeOptions(exchange_hours=True, orders_expire_daily=True),
    )
    async with SimulatedGateway(settings) as gateway:
        control = gateway.control
        resting = control.order(101, "MNQ", "buy", 1, type="limit", limit=Decimal(19000)).order_id
        control.time(now=start + timedelta(minutes=1))
        closed = control.order(101, "MNQ", "buy", 1)
        control.time(now=start + timedelta(minutes=61))
        reopened = control.order(101, "MNQ", "buy", 1)
        states = {each.id: each.status for each in control.state().orders}

    assert (closed.accepted, closed.code) == (False, 5)
    assert reopened.accepted
    assert states[resting] == 4


@pytest.mark.slow
@pytest.mark.recorded
@pytest.mark.skipif(not _ES_TICKS.exists(), reason=f"no recorded prices at {_ES_TICKS}")
async def test_a_stop_in_a_real_tape_fills_at_the_tick_that_reaches_it() -> None:
    """A few independent lines over the file find the same print as the exchange."""
    with gzip.open(_ES_TICKS, "rt") as lines:
        next(lines)
        rows = [line.strip().split(",") for line in lines]
    first = next(row for row in rows if Decimal(row[1]) <= Decimal("2668.50"))

    settings = GatewaySettings(price_files={"ES": _ES_TICKS}, start="first price", speed=_STILL)
    async with SimulatedGateway(settings) as gateway:
        control = gateway.control
        stop = control.order(101, "ES", "sell", 1, type="stop", stop=Decimal("2668.50")).order_id
        control.time(now=datetime(2018, 5, 7, 17, tzinfo=UTC))
        order = next(each for each in control.state().orders if each.id == stop)

    assert order.updated_at == datetime.fromisoformat(first[0])
    assert order.filled_price == Decimal(first[1])

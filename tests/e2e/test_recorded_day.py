"""Recorded days and prices through the live gateway and daemon, over sockets."""

import csv
import gzip
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from riskd.app.exports.fills import read_export
from riskd.domain.calendar import trading_day
from riskd.domain.events import Fill
from riskd.domain.instruments import symbol_of_contract
from riskd.simulator import SimulatedGateway
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, running, settings_for, started
from tests.support.recorded import recorded

LIMIT = Decimal("-500.00")
RULES = {"DailyRealizedLoss": {"limit": str(LIMIT)}}
FREE = Decimal(0)


def day_of(path: Path, day: str) -> list[Fill]:
    """Return the fills of one recorded TradingDay in order."""
    export = read_export(str(path), path.read_bytes())
    return [fill for fill in export.fills if str(trading_day(fill.at)) == day]


def breaching_fill(fills: list[Fill]) -> int:
    """Return the index of the fill at which flat-to-flat P&L plus the open lots at the last fill's price reaches -500.

    Reckoned from cash alone: what was paid and received, and what is held at the price of the fill.
    """
    cash, held = Decimal(0), 0
    for index, fill in enumerate(fills):
        sign = 1 if fill.side == "buy" else -1
        cash -= sign * fill.quantity * fill.price
        held += sign * fill.quantity
        if 2 * (cash + held * fill.price) <= LIMIT:
            return index
    raise AssertionError("the recorded day never reaches the limit")


def booked(daemon: Daemon, trade: str) -> bool:
    """Tell whether a trade has reached the account."""
    return trade in daemon.state.fills


def seen(daemon: Daemon, contract: str, price: Decimal) -> bool:
    """Tell whether a price has been judged."""
    return daemon.state.locked or daemon.runtime.state_manager.market[contract].last == price


@pytest.mark.e2e
async def test_a_recorded_day_is_locked_at_the_same_fill(tmp_path: Path) -> None:
    """The day of 2026-03-16, its fills injected at their prices with no quotes between, locks where arithmetic says."""
    fills = day_of(recorded("tsx-live-orders", "orders_live_2026-03.csv"), "2026-03-16")
    expected = breaching_fill(fills)
    symbol = symbol_of_contract(fills[0].contract)

    async with SimulatedGateway(gateway_settings("2026-03-16 00:30")) as gateway:
        gateway.control.matching(on=False, closes_fill=False)
        async with started(settings_for(gateway, tmp_path / "state", RULES), gateway) as daemon:
            locked_at = None
            for index, fill in enumerate(fills):
                await daemon.move_time(max(fill.at, gateway.clock.now()))
                placed = gateway.control.fill(
                    int(ACCOUNT), symbol, fill.side.value, fill.quantity, fill.price, fee=FREE, commission=FREE
                )
                trade = str(placed.trade_ids[0])
                await daemon.until(partial(booked, daemon, trade))
                if daemon.state.locked:
                    locked_at = index
                    break

            assert locked_at == expected
            assert expected == 7


@pytest.mark.e2e
async def test_a_tick_file_breaches_at_the_tick_that_arithmetic_names(tmp_path: Path) -> None:
    """Recorded ES ticks move the market against a long position: the lock comes at the tick where 50 a point says."""
    path = recorded("price-esm8-ticks-2018-05-07", "esm8_trades.csv.gz")
    with gzip.open(path, "rt") as lines:
        prices = [Decimal(row["price"]) for row in csv.DictReader(lines)]
    entry = max(prices[:5000])
    start = prices.index(entry)
    drop = Decimal("2.50")
    expected = next(i for i in range(start, len(prices)) if prices[i] <= entry - drop)
    limit = str(-drop * 50 * 3)

    async with running(tmp_path, {"DailyRealizedLoss": {"limit": limit}}) as daemon:
        control = daemon.gateway.control
        control.matching(on=False, closes_fill=True)
        control.fill(int(ACCOUNT), "ES", "buy", 3, entry, fee=FREE, commission=FREE)
        await daemon.until(lambda: daemon.quantity("ES") == 3)
        await daemon.priced("ES")
        contract = control.contract_id("ES")
        ticks_to_lock = None
        for index in range(start, len(prices)):
            if index > start and prices[index] == prices[index - 1]:
                continue
            control.price("ES", prices[index])
            await daemon.until(partial(seen, daemon, contract, prices[index]))
            if daemon.state.locked:
                ticks_to_lock = index
                break

        assert ticks_to_lock == expected
        await daemon.enforced()
        assert daemon.broker_quantity("ES") == 0

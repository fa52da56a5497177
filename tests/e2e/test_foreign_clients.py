"""Three more libraries of strangers trade the same session on the simulated gateway, each in its own environment.

Their requirements exclude each other, so none of them can be installed beside riskd. The fourth,
topstep-sdk, can: test_foreign_client.py.
"""

import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.gateway.connection import HangUp
from tests.e2e.clients.stranger import RefusedError, Stranger, working_with

PRACTICE, BRACKETS = 101, 102
BUY, SELL = 0, 1
LIBRARIES = (
    pytest.param(
        "project-x-py",
        marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="project-x-py needs Python 3.12"),
    ),
    "projectx-sdk",
    "topstep-client-py",
)
RESUBSCRIBES = {"project-x-py", "projectx-sdk"}
HEARS_AGAIN = {"project-x-py"}
"""The others are deaf after a drop: one never subscribes again, one drops its own handlers."""

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    """Open a gateway with an account in each bracket mode."""
    settings = GatewaySettings(
        accounts=(account(PRACTICE), account(BRACKETS, "combine", brackets="auto_oco")),
        quotes={"MNQ": Decimal(20000), "ES": Decimal(6700)},
    )
    async with SimulatedGateway(settings) as running:
        yield running


async def log_in(stranger: Stranger) -> str:
    """Log the library in and let it find what it needs before it trades; return the contract."""
    assert await stranger.ask("log_in") == [PRACTICE, BRACKETS]
    contract, tick_size, tick_value = await stranger.ask("contract", product="MNQ")
    assert (Decimal(tick_size), Decimal(tick_value)) == (Decimal("0.25"), Decimal("0.5"))
    bars = await stranger.ask("bars", contract=contract, count=10)
    assert len(set(bars)) == 10
    return str(contract)


async def listen(stranger: Stranger, gateway: SimulatedGateway, contract: str) -> None:
    """Let the library hear everything of the practice account and the contract."""
    await stranger.ask("listen", account=PRACTICE, contract=contract)
    for target in ("GatewayUserOrder", "GatewayUserPosition", "GatewayUserTrade"):
        await gateway.control.wait_subscribed(target, PRACTICE)
    await gateway.control.wait_subscribed("GatewayUserAccount")
    for target in ("GatewayQuote", "GatewayTrade", "GatewayDepth"):
        await gateway.control.wait_subscribed(target, contract)


async def trade(stranger: Stranger, gateway: SimulatedGateway, contract: str) -> None:
    """Place, change, cancel and fill every kind of order, then close in part and in whole."""

    async def place(kind: str, side: int, size: int, **terms: object) -> int:
        order = await stranger.ask(
            "place", account=PRACTICE, contract=contract, kind=kind, side=side, size=size, **terms
        )
        return int(order)

    await place("market", BUY, 3, tag="entry")
    limit = await place("limit", SELL, 1, price="20100")
    stop = await place("stop", SELL, 1, price="19900")
    trailing = await place("trailing", SELL, 1, price="19950")
    await stranger.ask("move_limit", account=PRACTICE, order=limit, price="20050")
    assert [each[0] for each in await stranger.ask("working", account=PRACTICE)] == [limit, stop, trailing]
    await stranger.ask("cancel", account=PRACTICE, order=stop)
    gateway.control.price("MNQ", Decimal(20050))
    gateway.control.price("MNQ", Decimal("19999.75"))
    assert await stranger.ask("working", account=PRACTICE) == []

    await place("market", BUY, 2)
    assert await stranger.ask("held", account=PRACTICE) == [3]
    await stranger.ask("close", account=PRACTICE, contract=contract, size=1)
    assert await stranger.ask("held", account=PRACTICE) == [2]
    with pytest.raises(RefusedError):
        await stranger.ask("close", account=PRACTICE, contract=contract, size=5)
    await stranger.ask("close", account=PRACTICE, contract=contract, size=None)
    assert await stranger.ask("held", account=PRACTICE) == []
    with pytest.raises(RefusedError):
        await place("market", BUY, 1, tag="entry")


async def bracket(stranger: Stranger, gateway: SimulatedGateway, contract: str) -> None:
    """Bracket an entry where the account allows it, and be refused where it does not."""
    gateway.control.price("MNQ", Decimal(20000))
    terms = {
        "contract": contract,
        "kind": "market",
        "side": BUY,
        "size": 1,
        "stop_ticks": -40,
        "target_ticks": 80,
    }
    with pytest.raises(RefusedError, match="Position Brackets"):
        await stranger.ask("place", account=PRACTICE, **terms)
    await stranger.ask("place", account=BRACKETS, **terms)
    legs = [[price and Decimal(price) for price in leg[1:]] for leg in await stranger.ask("working", account=BRACKETS)]
    assert legs == [[Decimal(19990), None], [None, Decimal(20020)]]
    gateway.control.price("MNQ", Decimal("20020.25"))
    assert await stranger.ask("working", account=BRACKETS) == []
    assert await stranger.ask("held", account=BRACKETS) == []


@pytest.mark.parametrize("library", LIBRARIES)
async def test_a_stranger_trades_a_whole_session(gateway: SimulatedGateway, tmp_path: Path, library: str) -> None:
    """It logs in, reads, trades, brackets, closes, and hears all of it from both hubs."""
    async with working_with(library, gateway, tmp_path) as stranger:
        contract = await log_in(stranger)
        await listen(stranger, gateway, contract)
        await trade(stranger, gateway, contract)
        await bracket(stranger, gateway, contract)
        earned = await stranger.ask("earned", account=PRACTICE)
        gateway.control.walk("MNQ", per_second=200)
        for kind in ("quote", "print", "depth"):
            await stranger.until_heard(kind, 5)

    assert gateway.control.position(PRACTICE, "MNQ") == 0
    assert [profit and Decimal(profit) for profit in earned] == [0, -1, None, -1, Decimal("99.5"), None]
    assert [each["status"] for each in stranger.heard("order")][:2] == [6, 2]
    assert [each["size"] for each in stranger.heard("position")] == [3, 2, 1, 3, 2, 0]
    assert stranger.heard("trade")
    assert stranger.heard("account")


@pytest.mark.parametrize("how", [HangUp.CLEAN, HangUp.ABORT])
@pytest.mark.parametrize("library", LIBRARIES)
async def test_a_stranger_comes_back_after_a_drop(
    gateway: SimulatedGateway, tmp_path: Path, library: str, how: HangUp
) -> None:
    """It connects again, with an id of before or a new one, and subscribes again where the library does so at all."""
    async with working_with(library, gateway, tmp_path) as stranger:
        contract = await log_in(stranger)
        await listen(stranger, gateway, contract)
        gateway.control.disconnect("user", how)
        await gateway.control.wait_until(lambda: not gateway.is_wanted("GatewayUserTrade", PRACTICE))
        await gateway.control.wait_connected("user", within=30)
        if library in RESUBSCRIBES:
            await gateway.control.wait_subscribed("GatewayUserTrade", PRACTICE, within=30)
        if library in HEARS_AGAIN:
            await stranger.ask("place", account=PRACTICE, contract=contract, kind="market", side=BUY, size=1)
            await stranger.until_heard("position")

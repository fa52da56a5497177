"""The demo's day under one fault at a time: it still ends locked and flat, or a person has been told that it cannot.

`make test` runs the ten that tell most with one seed, `make test-all` each fault with twenty.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import pytest

from riskd.domain.commands import Alert, ClosePosition, Severity
from riskd.simulator import SimulatedGateway
from riskd.simulator.faults import rules as fault
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, settings_for, started

RULES: Final[Mapping[str, Mapping[str, object]]] = {
    "MaxContracts": {"max_contracts": 4},
    "DailyRealizedLoss": {"limit": "-500.00"},
}
CLOSES: Final = ("closeContract", "partialCloseContract")
WITHIN_S: Final = 45.0
SEEDS: Final = range(1, 21)
TELLING: Final = (
    "close answered 503",
    "close silent, not done",
    "close silent, done",
    "connection lost after the close",
    "close rejected",
    "lost events",
    "every trade lost",
    "positions lag",
    "user hub drops",
    "REST down",
)

FAULTS: Final[Mapping[str, fault.FaultRule]] = {
    "slow answers": fault.Latency(ms=(20.0, 300.0), answer=True),
    "close answered 503": fault.HttpError(calls=CLOSES, status=503, times=2),
    "close answered 429": fault.HttpError(calls=CLOSES, status=429, retry_after=1, times=2),
    "close answered 401": fault.HttpError(calls=CLOSES, status=401, times=1),
    "close silent, not done": fault.NoAnswer(calls=CLOSES, how="silent", applied=False, times=1),
    "close silent, done": fault.NoAnswer(calls=CLOSES, how="silent", applied=True, times=1),
    "connection lost before the close": fault.NoAnswer(calls=CLOSES, how="dropped", applied=False, times=1),
    "connection lost after the close": fault.NoAnswer(calls=CLOSES, how="dropped", applied=True, times=1),
    "close rejected": fault.Rejected(calls=CLOSES, code=5, times=4),
    "slow close": fault.SlowClose(ms=(100.0, 800.0)),
    "close fills in part": fault.PartialFill(part=1, times=2),
    "late events": fault.LateEvent(ms=(20.0, 400.0), probability=0.5),
    "lost events": fault.LostEvent(probability=0.3),
    "every trade lost": fault.LostEvent(events=("GatewayUserTrade",)),
    "every position lost": fault.LostEvent(events=("GatewayUserPosition",)),
    "duplicated events": fault.DuplicatedEvent(probability=0.7),
    "reordered events": fault.ReorderedEvent(probability=0.7),
    "garbage prices": fault.GarbagePrice(probability=0.2),
    "frozen prices": fault.FrozenPrices(every_s=(0.3, 1.0), for_s=(60.0, 60.0)),
    "voided trades": fault.VoidTrade(every_s=(0.2, 0.8), from_s=1.0, times=2),
    "positions lag": fault.PositionsLag(every_s=(0.1, 0.5), for_s=(5.0, 5.0)),
    "user hub drops": fault.Disconnect(hub="user", every_s=(0.3, 1.5), until_s=6.0),
    "market hub drops": fault.Disconnect(hub="market", every_s=(0.3, 1.5), until_s=6.0),
    "both hubs down": fault.HubDown(hub="all", every_s=(0.3, 1.0), for_s=(1.0, 2.0), until_s=4.0),
    "REST down": fault.RestDown(every_s=(0.3, 1.0), for_s=(0.5, 1.5), until_s=4.0),
    "half-open sockets": fault.HalfOpen(hub="user", every_s=(0.5, 1.0), until_s=1.5),
    "logged out": fault.Logout(every_s=(0.5, 1.0), until_s=1.5),
    "tokens expire": fault.ExpireTokens(every_s=(0.3, 1.0), until_s=2.0),
}


def told_that_it_cannot(daemon: Daemon) -> bool:
    """Tell whether a critical alert says that riskd cannot do what it wants."""
    return any(isinstance(c, Alert) and c.kind == "error_state" for c in daemon.commands)


def flat(daemon: Daemon) -> bool:
    """Tell whether riskd believes in, and the broker has, a flat account with nothing working."""
    state = daemon.state
    ours = state.locked and not state.positions and not state.orders
    return ours and all(daemon.broker_quantity(product) == 0 for product in ("MNQ", "ES", "NQ"))


@asynccontextmanager
async def falling_market(daemon: Daemon) -> AsyncIterator[None]:
    """Let MNQ fall by two points, thirty times a second, for as long as the block lasts."""

    async def fall() -> None:
        price = Decimal("18000.00")
        while True:
            price -= 2
            daemon.gateway.control.price("MNQ", price)
            await asyncio.sleep(0.03)

    market = asyncio.create_task(fall())
    try:
        yield
    finally:
        market.cancel()


async def the_day(daemon: Daemon, rule: fault.FaultRule, seed: int) -> None:
    """Trade the demo's day with one fault at work.

    Errors: TimeoutError when a trim, a flatten or the lockout does not come to its end.
    """
    control = daemon.gateway.control
    control.faults((rule,), seed=seed)
    control.order(int(ACCOUNT), "MNQ", "buy", 2)
    control.order(int(ACCOUNT), "ES", "buy", 3)
    await daemon.until(lambda: daemon.broker_quantity("ES") == 2, within_s=WITHIN_S)
    async with falling_market(daemon):
        await daemon.until(lambda: flat(daemon), within_s=WITHIN_S)
    control.order(int(ACCOUNT), "NQ", "buy", 1)
    await daemon.until(lambda: closing(daemon, control.contract_id("NQ")), within_s=WITHIN_S)
    await daemon.until(lambda: flat(daemon), within_s=WITHIN_S)


def closing(daemon: Daemon, contract: str) -> bool:
    """Tell whether riskd has asked for a contract to be closed."""
    return any(isinstance(c, ClosePosition) and c.contract == contract for c in daemon.commands)


async def run_day(tmp_path: Path, name: str, seed: int) -> None:
    """Run one day under one fault and check what must hold whatever the fault."""
    settings = msgspec.structs.replace(gateway_settings(), speed=Decimal(1), seed=seed)
    async with SimulatedGateway(settings) as gateway:
        ours = settings_for(gateway, tmp_path / "state", RULES)
        broker = dataclasses.replace(
            ours.broker,
            command_timeout_s=0.4,
            safety_poll_s=1.0,
            refused_login_retry_s=0.5,
            # A quiet hub is no fault; only a dead socket must be found out before the test is over.
            hub_silence_s=2.0 if name == "half-open sockets" else 30.0,
            # As little patience with prices that stay away; the market of the test falls all the time.
            stale_after_s=1.0 if name == "frozen prices" else 10.0,
        )
        async with started(dataclasses.replace(ours, broker=broker), gateway) as daemon:
            try:
                await the_day(daemon, FAULTS[name], seed)
            except TimeoutError:
                assert told_that_it_cannot(daemon), daemon.state
            assert all(position >= 0 for position in lowest_positions(daemon)), "riskd flipped a long position"
            bugs = [c for c in daemon.commands if isinstance(c, Alert) and c.kind in {"bug", "invariant"}]
            assert bugs == []
            criticals = [c for c in daemon.commands if isinstance(c, Alert) and c.severity is Severity.CRITICAL]
            assert criticals


def lowest_positions(daemon: Daemon) -> list[int]:
    """Return per contract the lowest that the broker's trades ever brought the position to; the trader only bought."""
    held: dict[str, int] = {}
    lowest: dict[str, int] = {}
    for trade in daemon.gateway.control.state().trades:
        if trade.voided:
            continue
        sign = 1 if str(trade.side).lower().endswith(("buy", "0")) else -1
        held[trade.contract_id] = held.get(trade.contract_id, 0) + sign * trade.size
        lowest[trade.contract_id] = min(lowest.get(trade.contract_id, 0), held[trade.contract_id])
    return list(lowest.values())


@pytest.mark.e2e
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", TELLING)
async def test_the_day_under_one_fault(tmp_path: Path, name: str) -> None:
    """Under this fault the trim, the lockout, the flatten and the re-entry all come to their end."""
    await run_day(tmp_path, name, seed=1)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FAULTS)
async def test_the_day_under_one_fault_with_many_seeds(tmp_path: Path, name: str, seed: int) -> None:
    """As above for every fault, at twenty places and times."""
    await run_day(tmp_path, name, seed)

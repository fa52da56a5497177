"""From a breach to its end on the simulated gateway: what the trader's account goes through, the broker included.

The gateway is the one that riskd is tested with: an exchange that matches orders, in a process of its own. A trial
takes from the breach at the exchange until the exchange holds what is allowed, on the gateway's clock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Final

from benchmarks.enforcement_trials import CALM, LOSING, Kind, Plan
from benchmarks.pinning import pin_to
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.simulator import GatewaySettings, SimulatedGateway, account

OPENED: Final = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
_POLL_S: Final = 0.02


def serve(results: Connection, kind: Kind, plan: Plan, core: int | None) -> None:
    """Serve one riskd: say where, wait until told that it is armed, report the latencies in nanoseconds."""
    pin_to(core)
    asyncio.run(_serve(results, kind, plan))


async def _serve(results: Connection, kind: Kind, plan: Plan) -> None:
    settings = GatewaySettings(
        accounts=tuple(account(number) for number in plan.accounts),
        quotes={"MNQ": CALM, "ES": Decimal("5800.00")},
        start=OPENED,
        limits=None,
    )
    async with SimulatedGateway(settings) as gateway:
        results.send(
            ProjectXSettings(
                rest_url=gateway.rest_url,
                user_hub_url=gateway.user_hub_url,
                market_hub_url=gateway.market_hub_url,
                username=gateway.username,
                api_key=gateway.api_key,
                accounts=tuple(map(str, plan.accounts)),
            )
        )
        while not results.poll():  # noqa: ASYNC110 - a pipe from another process cannot ring the loop everywhere
            await asyncio.sleep(_POLL_S)
        results.recv()
        trial = _Exchange(gateway, plan.pause_s).trial(kind)
        samples = [await trial(plan.accounts[n % len(plan.accounts)]) for n in range(plan.warm_up + plan.trials)]
        results.send(samples[plan.warm_up :])


class _Exchange:
    def __init__(self, gateway: SimulatedGateway, pause_s: float) -> None:
        self._control = gateway.control
        self._pause_s = pause_s

    def trial(self, kind: Kind) -> Callable[[int], Awaitable[int]]:
        return self._fill_too_many if kind is Kind.FILL else self._lose

    async def _fill_too_many(self, account_id: int) -> int:
        """Hold 2 MNQ, buy 3 ES where 4 contracts are allowed, and wait until 2 ES are left."""
        control = self._control
        control.order(account_id, "MNQ", "buy", 2)
        await asyncio.sleep(self._pause_s)
        began_ns = time.perf_counter_ns()
        control.order(account_id, "ES", "buy", 3)
        await control.wait_position(account_id, "ES", 2)
        took_ns = time.perf_counter_ns() - began_ns
        await asyncio.sleep(self._pause_s)
        control.order(account_id, "ES", "sell", 2)
        control.order(account_id, "MNQ", "sell", 2)
        await asyncio.sleep(self._pause_s)
        return took_ns

    async def _lose(self, account_id: int) -> int:
        """Hold 1 MNQ, let it lose 60 USD where 50 are allowed, and wait until it is gone."""
        control = self._control
        control.price("MNQ", CALM)
        await asyncio.sleep(self._pause_s)
        control.order(account_id, "MNQ", "buy", 1)
        await asyncio.sleep(self._pause_s)
        began_ns = time.perf_counter_ns()
        control.price("MNQ", LOSING)
        await control.wait_position(account_id, "MNQ", 0)
        took_ns = time.perf_counter_ns() - began_ns
        await asyncio.sleep(self._pause_s)
        return took_ns

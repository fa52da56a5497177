"""From when on the slow poll reads an account's trades, and what a reading that fails does to the others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.links import Links
from riskd.adapters.projectx.reconciler import Reconciler
from riskd.adapters.projectx.roster import Roster
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.adapters.tasks import Tasks
from riskd.domain.commands import RequestSnapshot
from riskd.domain.events import SnapshotReported
from tests.integration.projectx_rig import Clock, Ear
from tests.integration.test_projectx_reads import START, Answer, good, reading, trade

SETTINGS = ProjectXSettings(
    rest_url="", user_hub_url="", market_hub_url="", username="u", api_key="k", retry_delays_s=(0.0, 0.01, 0.02)
)
ACCOUNT = {"id": 101, "name": "A", "balance": 50000, "canTrade": True, "isVisible": True, "simulated": True}


@asynccontextmanager
async def reconciling(
    answer: Answer, report: Callable[[SnapshotReported], None], *, overlap_s: float = 120.0
) -> AsyncIterator[tuple[Reconciler, Clock]]:
    """Yield a reconciler of a server that answers as the test says, and its clock."""
    clock, ear, tasks = Clock(), Ear(), Tasks()
    async with reading(answer) as (reads, notes, _):
        links = Links(ear.publish, notes, held=False)
        context = Context(
            replace(SETTINGS, trades_overlap_s=overlap_s), ear.publish, clock, ear.last_seq, notes, links, tasks
        )
        try:
            yield Reconciler(context, reads, Roster(()), report=report), clock
        finally:
            await tasks.close()


def nothing_held(_: str, __: dict[str, Any]) -> web.Response:
    """Answer as for one account that is flat."""
    return good(accounts=[ACCOUNT], orders=[], trades=[], positions=[])


async def test_trades_of_days_before_are_not_read_again() -> None:
    """The last trade seen was on Tuesday; on Thursday trades are read from a little before Thursday's beginning on."""
    asked: list[datetime] = []
    snapshots = list[SnapshotReported]()

    def answer(path: str, body: dict[str, Any]) -> web.Response:
        if path == "Trade/search":
            asked.append(datetime.fromisoformat(body["startTimestamp"]))
            return good(trades=[trade(1, START)] if asked[-1] <= START else [])
        return nothing_held(path, body)

    async with reconciling(answer, snapshots.append, overlap_s=60.0) as (reconciler, clock):
        clock.simulate(START + timedelta(minutes=1), 1)
        await reconciler.read_all("tuesday")
        clock.simulate(START + timedelta(days=2), 1)
        await reconciler.read_all("thursday")

    assert [[fill.trade_id for fill in each.fills] for each in snapshots] == [["1"], []]
    assert asked == [datetime(2026, 3, 16, 22, tzinfo=UTC), datetime(2026, 3, 18, 21, 59, tzinfo=UTC)]


class Stumbling:
    """A way to the core that fails on the first snapshots, as a mistake of riskd's would make it."""

    def __init__(self, times: int) -> None:
        """Fail so many times, and expect the event loop to be told of each."""
        self._left = times
        self.told: list[object] = []
        self.taken: asyncio.Queue[str] = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(lambda _, said: self.told.append(said["exception"]))

    def take(self, snapshot: SnapshotReported) -> None:
        """Take a snapshot."""
        if self._left:
            self._left -= 1
            raise LookupError("a mistake of riskd's")
        self.taken.put_nowait(snapshot.request_id)


async def test_an_account_is_read_on_request_after_a_reading_that_failed() -> None:
    """A mistake of riskd's costs the request that met it; those that wait behind it and all later ones are answered."""
    core = Stumbling(1)
    async with reconciling(nothing_held, core.take) as (reconciler, clock), asyncio.timeout(5):
        for number in ("one", "two"):
            reconciler.request(RequestSnapshot(account="101", request_id=number, since=clock.now()))
        assert await core.taken.get() == "two"
        reconciler.request(RequestSnapshot(account="101", request_id="three", since=clock.now()))
        assert await core.taken.get() == "three"
    assert [type(error) for error in core.told] == [LookupError]


async def test_an_account_is_read_in_doubt_after_a_reading_that_failed() -> None:
    """A mistake of riskd's does not leave the account in doubt for good."""
    core = Stumbling(1)
    async with reconciling(nothing_held, core.take) as (reconciler, _), asyncio.timeout(5):
        reconciler.doubt("101")
        while not core.told:  # noqa: ASYNC110 - the event loop has no event for it
            await asyncio.sleep(0)
        reconciler.doubt("101")
        assert await core.taken.get() == ""


class Unreadable101:
    """Two accounts, of which the first has an order that cannot be read until it is mended."""

    def __init__(self) -> None:
        """Begin with the order."""
        self.mended = False

    def answer(self, path: str, body: dict[str, Any]) -> web.Response:
        """Answer as such a gateway."""
        if path == "Account/search":
            return good(accounts=[ACCOUNT, ACCOUNT | {"id": 102, "name": "B"}])
        if path == "Order/v2/query" and body["filter"]["accountId"] == 101 and not self.mended:
            return good(orders=[{"accountId": 101}])
        return nothing_held(path, body)


async def test_an_account_that_cannot_be_read_holds_up_no_other() -> None:
    """The others are reconciled; it is named with the reason, and read again until it has been read."""
    gateway = Unreadable101()
    arrived: asyncio.Queue[str] = asyncio.Queue()
    async with (
        reconciling(gateway.answer, lambda s: arrived.put_nowait(s.account)) as (reconciler, _),
        asyncio.timeout(5),
    ):
        await reconciler.read_all("start")
        assert await arrived.get() == "102"
        assert reconciler.unread == {"101": "an order of account 101 cannot be read"}
        gateway.mended = True
        assert await arrived.get() == "101"
        assert reconciler.unread == {}


@pytest.mark.slow
async def test_the_slow_poll_goes_on_to_the_accounts_that_can_be_read() -> None:
    """Slow because two accounts are polled no more often than every eight seconds."""
    gateway = Unreadable101()
    gateway.mended = True
    arrived: asyncio.Queue[str] = asyncio.Queue()
    async with (
        reconciling(gateway.answer, lambda s: arrived.put_nowait(s.account)) as (reconciler, _),
        asyncio.timeout(30),
    ):
        await reconciler.read_all("start")
        assert [await arrived.get(), await arrived.get()] == ["101", "102"]
        gateway.mended = False
        polling = asyncio.create_task(reconciler.poll())
        assert await arrived.get() == "102"
        assert list(reconciler.unread) == ["101"]
        polling.cancel()

"""From when on the slow poll reads an account's trades."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from riskd.adapters.projectx.context import Context, Tasks
from riskd.adapters.projectx.links import Links
from riskd.adapters.projectx.reconciler import Reconciler
from riskd.adapters.projectx.roster import Roster
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.domain.events import SnapshotReported
from tests.integration.projectx_rig import Clock, Ear
from tests.integration.test_projectx_reads import START, good, reading, trade

SETTINGS = ProjectXSettings(rest_url="", user_hub_url="", market_hub_url="", username="u", api_key="k")
ACCOUNT = {"id": 101, "name": "A", "balance": 50000, "canTrade": True, "isVisible": True, "simulated": True}


async def test_trades_of_days_before_are_not_read_again() -> None:
    """The last trade seen was on Tuesday; on Thursday trades are read from a little before Thursday's beginning on."""
    asked: list[datetime] = []

    def answer(path: str, body: dict[str, Any]) -> web.Response:
        if path == "Trade/search":
            asked.append(datetime.fromisoformat(body["startTimestamp"]))
            return good(trades=[trade(1, START)] if asked[-1] <= START else [])
        return good(accounts=[ACCOUNT], orders=[], positions=[])

    clock, ear, snapshots = Clock(), Ear(), list[SnapshotReported]()
    async with reading(answer) as (reads, notes, _):
        context = Context(
            replace(SETTINGS, trades_overlap_s=60.0),
            ear.publish,
            clock,
            ear.last_seq,
            notes,
            Links(ear.publish, notes, held=False),
            Tasks(),
        )
        reconciler = Reconciler(context, reads, Roster(()), report=snapshots.append)
        clock.simulate(START + timedelta(minutes=1), 1)
        await reconciler.read_all("tuesday")
        clock.simulate(START + timedelta(days=2), 1)
        await reconciler.read_all("thursday")
        await context.tasks.close()

    assert [[fill.trade_id for fill in each.fills] for each in snapshots] == [["1"], []]
    assert asked == [datetime(2026, 3, 16, 22, tzinfo=UTC), datetime(2026, 3, 18, 21, 59, tzinfo=UTC)]

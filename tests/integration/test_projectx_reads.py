"""Reading a gateway whose answers are long, cut, half or wrong."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from riskd.adapters.projectx.budget import Budget, Purpose
from riskd.adapters.projectx.errors import GatewayError, Refused, Unreachable, Unreadable
from riskd.adapters.projectx.links import Links
from riskd.adapters.projectx.reads import Reads
from riskd.adapters.projectx.rest import Rest
from riskd.adapters.projectx.session import Session
from riskd.adapters.projectx.settings import ProjectXSettings
from tests.integration.projectx_rig import Ear, Notes

START = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
MNQ = "CON.F.US.MNQ.M26"
Answer = Callable[[str, dict[str, Any]], web.Response]


def good(**payload: object) -> web.Response:
    """Return a success."""
    return web.json_response({"success": True, "errorCode": 0, "errorMessage": None} | payload)


def trade(number: int, at: datetime) -> dict[str, Any]:
    """Return a half-turn as REST sends it."""
    stamp = at.isoformat(timespec="microseconds")
    return {
        "id": number,
        "accountId": 101,
        "contractId": MNQ,
        "creationTimestamp": stamp,
        "price": 20000.25,
        "profitAndLoss": None,
        "fees": 0.36,
        "side": number % 2,
        "size": 1,
        "voided": False,
        "orderId": number,
    }


@asynccontextmanager
async def reading(answer: Answer) -> AsyncIterator[tuple[Reads, Notes, list[datetime]]]:
    """Yield the reads of a logged-in session with a server that answers as the test says."""

    async def handle(request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        if request.path == "/api/Auth/loginKey":
            return good(token="t")
        return answer(request.path.removeprefix("/api/"), body)

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    settings = ProjectXSettings(
        rest_url=f"http://127.0.0.1:{port}", user_hub_url="", market_hub_url="", username="u", api_key="k"
    )
    notes, dates = Notes(), list[datetime]()
    rest = Rest(settings, Budget(), dates.append)
    try:
        session = Session(settings, rest, Links(Ear().publish, notes, held=False), notes)
        await session.login()
        yield Reads(session, notes, lambda: START), notes, dates
    finally:
        await rest.close()
        await runner.cleanup()


async def test_trades_beyond_one_answer_are_all_read() -> None:
    """A gateway that cuts its answers, newest first, is asked for the older part until nothing new comes."""
    # Several trades of one instant lie on each cut, and stamps are finer than the time that is asked for.
    everything = [trade(number, START + timedelta(milliseconds=number // 7)) for number in range(1300)]

    def answer(path: str, body: dict[str, Any]) -> web.Response:
        assert path == "Trade/search"
        until = body["endTimestamp"]
        rows = [t for t in everything if until is None or t["creationTimestamp"].replace("+00:00", "Z") <= until]
        return good(trades=rows[::-1][:500])

    async with reading(answer) as (reads, _, _):
        fills = await reads.fills("101", START, Purpose.READ)
    assert [f.trade_id for f in sorted(fills, key=lambda f: int(f.trade_id))] == [str(t["id"]) for t in everything]
    assert [f.at for f in fills] == sorted(f.at for f in fills)


ORDER = {"id": 1, "accountId": 101, "contractId": MNQ, "status": 1, "type": 1, "side": 0, "size": 1}
STOP = ORDER | {"id": 7, "type": 4, "side": 1, "stopPrice": 1e-20}


async def test_an_order_that_cannot_be_read_makes_the_answer_useless() -> None:
    """The row may be the very stop that protects a position: left out, the position would pass for naked."""
    async with reading(lambda *_: good(orders=[ORDER, STOP], totalCount=2)) as (reads, notes, _):
        with pytest.raises(Unreadable, match="an order of account 101 cannot be read"):
            await reads.orders("101", Purpose.READ)
        assert [name for level, name, _ in notes.lines if level == "error"] == ["row_unreadable"]


async def test_a_trade_that_cannot_be_read_makes_the_answer_useless() -> None:
    """Left out, its loss would be missing from the day's."""
    rows = [trade(1, START), {"accountId": 101}, None, trade(2, START)]
    async with reading(lambda *_: good(trades=rows)) as (reads, notes, _):
        with pytest.raises(Unreadable, match="a trade of account 101 cannot be read"):
            await reads.fills("101", START, Purpose.READ)
        assert [name for level, name, _ in notes.lines if level == "error"] == ["row_unreadable"] * 2


async def test_an_account_that_cannot_be_read_does_not_hide_the_others() -> None:
    """One odd row of a login is one line in the log; whoever is to be watched and not shown is told of elsewhere."""
    whole = {"id": 101, "name": "A", "balance": 50000, "canTrade": True}
    async with reading(lambda *_: good(accounts=[{"id": 102, "balance": "?"}, whole])) as (reads, notes, _):
        assert [listed.report.account for listed in await reads.accounts()] == ["101"]
        assert [name for level, name, _ in notes.lines if level == "error"] == ["row_unreadable"]


async def test_a_position_that_cannot_be_read_makes_the_answer_useless() -> None:
    """Without it the rest would pass for everything, and the account for flatter than it is."""
    async with reading(lambda *_: good(positions=[{"accountId": 101, "contractId": MNQ, "size": 2}])) as (reads, _, _):
        with pytest.raises(Unreadable, match="a position of account 101 cannot be read"):
            await reads.positions("101", Purpose.READ)


async def test_an_answer_for_another_account_is_useless() -> None:
    """Taken over, another account's position would be closed as if it were this one's."""
    other = {"id": 7, "accountId": 102, "contractId": MNQ, "type": 1, "size": 2, "averagePrice": 18000.0}
    async with reading(lambda *_: good(positions=[other])) as (reads, _, _):
        with pytest.raises(Unreadable, match="asked for account 101, the gateway answered for account 102"):
            await reads.positions("101", Purpose.READ)


async def test_orders_that_have_ended_are_no_working_orders() -> None:
    """Whatever list they come in, and an order of an unknown status may still fill."""
    order = {"id": 1, "accountId": 101, "contractId": MNQ, "type": 1, "side": 0, "size": 1}
    rows = [order | {"id": status, "status": status} for status in range(10)]
    async with reading(lambda *_: good(orders=rows)) as (reads, _, _):
        assert [o.order_id for o in await reads.orders("101", Purpose.READ)] == ["0", "1", "6", "7", "8", "9"]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"accounts": None, "orders": None, "trades": None, "positions": None},
        {"Accounts": [], "Orders": [], "Trades": [], "Positions": [{"accountId": 101, "contractId": MNQ, "size": 2}]},
    ],
    ids=["absent", "null", "under another name"],
)
async def test_a_success_without_its_list_is_no_answer(payload: dict[str, Any]) -> None:
    """A gateway that has nothing to show sends an empty list; no list at all must not pass for a flat account."""
    async with reading(lambda *_: good(**payload)) as (reads, _, _):
        for read in (
            lambda: reads.positions("101", Purpose.READ),
            lambda: reads.fills("101", START, Purpose.READ),
            lambda: reads.orders("101", Purpose.READ),
            reads.accounts,
        ):
            with pytest.raises(
                Unreadable, match=r"says that it succeeded and has no list of (positions|trades|orders|accounts)"
            ):
                await read()


async def test_lists_that_only_inform_may_be_missing() -> None:
    """Contracts are looked up one by one when they are needed, and a bar that is not there is no price."""
    async with reading(lambda *_: good(contracts=None)) as (reads, _, _):
        assert await reads.contracts() == []
        assert await reads.last_second(MNQ, START) is None


async def test_a_query_of_orders_without_its_list_is_asked_for_the_old_way() -> None:
    """The newer call's shape is known from few gateways; the older ones are there to be asked."""

    def answer(path: str, _: dict[str, Any]) -> web.Response:
        return good() if path == "Order/v2/query" else good(orders=[ORDER])

    async with reading(answer) as (reads, _, _):
        assert [o.order_id for o in await reads.orders("101", Purpose.READ)] == ["1"]


@pytest.mark.parametrize(
    ("response", "error", "clause"),
    [
        (lambda: web.Response(text="<html>"), Unreadable, "cannot be read"),
        (lambda: web.Response(text=""), Unreadable, "cannot be read"),
        (lambda: web.json_response({"positions": []}), Unreadable, "does not say whether"),
        (lambda: web.json_response({"success": False, "errorCode": 1}), Refused, "with error 1"),
        (lambda: web.json_response({"success": False, "errorCode": 1, "errorMessage": "No."}), Refused, "error 1: No."),
        (lambda: web.Response(status=404), Refused, "HTTP 404"),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), Refused, "HTTP 302"),
        (lambda: web.Response(status=502), Unreachable, "HTTP 502"),
    ],
)
async def test_every_wrong_answer_is_one_sentence(
    response: Callable[[], web.Response], error: type[GatewayError], clause: str
) -> None:
    """What is no proper answer raises one kind of error with a sentence for people."""
    async with reading(lambda *_: response()) as (reads, _, _):
        with pytest.raises(error, match=clause) as raised:
            await reads.positions("101", Purpose.READ)
    assert "\n" not in str(raised.value)


async def test_the_brokers_clock_is_heard_with_every_answer() -> None:
    """The Date header disciplines riskd's time; a broken one is ignored."""
    headers = iter(["Tue, 17 Mar 2026 15:00:07 GMT", "yesterday"])

    def answer(*_: object) -> web.Response:
        response = good(positions=[])
        response.headers["Date"] = next(headers)
        return response

    async with reading(answer) as (reads, _, dates):
        dates.clear()
        await reads.positions("101", Purpose.READ)
        await reads.positions("101", Purpose.READ)
        assert dates == [START + timedelta(seconds=7)]

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


async def test_a_row_that_cannot_be_read_does_not_hide_the_others() -> None:
    """A half trade or order is one line in the log, and its neighbours are read."""
    order = {"id": 1, "accountId": 101, "contractId": MNQ, "status": 1, "type": 1, "side": 0, "size": 1}

    def answer(path: str, _: dict[str, Any]) -> web.Response:
        if path == "Trade/search":
            return good(trades=[trade(1, START), {"accountId": 101}, None, trade(2, START)])
        return good(orders=[{"id": 2}, order], totalCount=2)

    async with reading(answer) as (reads, notes, _):
        assert [f.trade_id for f in await reads.fills("101", START, Purpose.READ)] == ["1", "2"]
        assert [o.order_id for o in await reads.orders("101", Purpose.READ)] == ["1"]
        assert [name for level, name, _ in notes.lines if level == "error"] == ["row_unreadable"] * 3


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


async def test_missing_arrays_are_empty_ones() -> None:
    """Null and nothing at all say that there is nothing."""
    async with reading(lambda *_: good(positions=None)) as (reads, _, _):
        assert await reads.positions("101", Purpose.READ) == ()
        assert await reads.fills("101", START, Purpose.READ) == ()
        assert await reads.orders("101", Purpose.READ) == ()
        assert await reads.accounts() == []
        assert await reads.contracts() == []


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
        response = good()
        response.headers["Date"] = next(headers)
        return response

    async with reading(answer) as (reads, _, dates):
        dates.clear()
        await reads.positions("101", Purpose.READ)
        await reads.positions("101", Purpose.READ)
        assert dates == [START + timedelta(seconds=7)]

"""The console script riskd-gateway as a process of its own."""

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
import msgspec
import pytest
from typer.testing import CliRunner

from riskd.app.gateway import app

_COMMAND = (sys.executable, "-c", "from riskd.app.gateway import main; main()")


async def _run(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*_COMMAND, *arguments, stdout=pipe, stderr=pipe)


@pytest.mark.slow
async def test_it_says_where_it_is_and_ends_on_ctrl_c() -> None:
    """One JSON line with all that a client needs; after Ctrl+C it ends well and in silence."""
    process = await _run("--json", "--accounts", "practice:7:1000,live:8", "--markets", "MNQ")
    assert process.stdout is not None

    ready = msgspec.json.decode(await process.stdout.readline())
    body = {"userName": ready["username"], "apiKey": ready["api_key"]}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{ready['rest_url']}/api/Auth/loginKey", json=body) as response,
    ):
        login = await response.json()
    process.send_signal(signal.SIGINT)
    rest, complaints = await process.communicate()

    assert login["success"]
    assert set(ready) == {
        "rest_url",
        "user_hub_url",
        "market_hub_url",
        "control_url",
        "username",
        "api_key",
        "accounts",
    }
    assert ready["accounts"] == [
        {"id": 7, "name": "PRAC-V2-000000-00000007", "kind": "practice"},
        {"id": 8, "name": "LIVE-000000-00000008", "kind": "live"},
    ]
    assert (process.returncode, rest, complaints) == (0, b"", b"")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--accounts", "x:1"), "is not KIND:ID[:BALANCE]"),
        (("--accounts", "practice:1,live:1"), "an id is given twice"),
        (("--start", "tomorrow"), "is not a time"),
        (("--start", "first price"), "there must be a price file"),
        (("--speed", "-1"), "is not a number from 0 up"),
        (("--markets", "XYZ"), "no product 'XYZ'"),
        (("--prices", "ES"), "is not PRODUCT=FILE"),
        (("--prices", "ES=absent.csv"), "absent.csv: no such file"),
        (("--faults", "absent.json"), "No such file"),
    ],
)
def test_a_wrong_option_is_told_in_one_sentence(arguments: tuple[str, ...], complaint: str) -> None:
    """What is wrong and what would be right, without a traceback."""
    ended = CliRunner().invoke(app, arguments)

    text = " ".join(ended.output.replace("│", " ").split())
    assert ended.exit_code != 0
    assert isinstance(ended.exception, SystemExit)
    assert complaint in text


@pytest.mark.slow
async def test_it_plays_a_price_file(tmp_path: Path) -> None:
    """Prices of a file arrive at the exchange, at the file's own time."""
    path = tmp_path / "ticks.csv"
    path.write_text("ts_utc,price\n2018-05-07T13:30:00Z,2670.50\n2018-05-07T13:30:00.2Z,2671\n")
    process = await _run("--json", "--markets", "", "--prices", f"ES={path}", "--start", "first price")
    assert process.stdout is not None

    ready = msgspec.json.decode(await process.stdout.readline())
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{ready['control_url']}/time", json={"now": "2018-05-07T14:00:00Z"}):
            pass
        async with http.get(f"{ready['control_url']}/state") as response:
            state = (await response.json())["result"]
    process.send_signal(signal.SIGINT)
    await process.communicate()

    assert state["prices"] == {"CON.F.US.EP.M18": {"last": "2671", "bid": "2671", "ask": "2671"}}

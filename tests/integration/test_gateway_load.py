"""What the gateway carries: ten times the busiest recorded minute, for fifty clients."""

import asyncio
import sys

import aiohttp
import msgspec
import psutil
import pytest

_BUSIEST_MINUTE = 8_278
_CLIENTS = 50
_SECONDS = 4.0
# Each change is a quote; a third of them are prints, which bring two levels, the others one.
_RECORDS_PER_CHANGE = 1 + 1 / 3 + (2 / 3 + 2 / 3)
_SUBSCRIPTIONS = ("ContractQuotes", "ContractTrades", "ContractMarketDepth")


@pytest.mark.slow
async def test_ten_times_the_peak_for_fifty_clients_takes_under_half_a_core() -> None:
    """Every client hears every record; the gateway's process stays under half a core."""
    command = ("-c", "from riskd.app.gateway import main; main()", "--json", "--markets", "")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    ready = msgspec.json.decode(await process.stdout.readline())
    try:
        records, share = await _load(ready, psutil.Process(process.pid))
    finally:
        process.terminate()
        await process.wait()

    wanted = 10 * _BUSIEST_MINUTE / 60 * _CLIENTS
    print(f"{records:.0f} records a second delivered, {share:.0%} of a core")  # noqa: T201 - the figure is the point of the test
    assert records > 0.8 * wanted
    assert share < 0.5


async def _load(ready: dict[str, str], process: psutil.Process) -> tuple[float, float]:
    heard = 0

    async def listen(http: aiohttp.ClientSession, token: str) -> None:
        nonlocal heard
        async with http.ws_connect(f"{ready['market_hub_url']}?access_token={token}") as socket:
            await socket.send_str('{"protocol":"json","version":1}\x1e')
            for topic in _SUBSCRIPTIONS:
                await socket.send_str(f'{{"type":1,"target":"Subscribe{topic}","arguments":["{contract}"]}}\x1e')
            async for frame in socket:
                heard += frame.data.count("\x1e")

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        body = {"userName": ready["username"], "apiKey": ready["api_key"]}
        async with http.post(f"{ready['rest_url']}/api/Auth/loginKey", json=body) as response:
            token = (await response.json())["token"]
        rate = 10 * _BUSIEST_MINUTE / 60 / _RECORDS_PER_CHANGE
        walk = {"contract": "MNQ", "per_second": rate}
        async with http.post(f"{ready['control_url']}/walk", json=walk):
            pass
        async with http.get(f"{ready['control_url']}/state") as response:
            contract = next(iter((await response.json())["result"]["prices"]))
        clients = [asyncio.create_task(listen(http, token)) for _ in range(_CLIENTS)]
        await asyncio.sleep(1.5)
        heard, before = 0, process.cpu_times()
        await asyncio.sleep(_SECONDS)
        after, total = process.cpu_times(), heard
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    used = after.user + after.system - before.user - before.system
    return total / _SECONDS, used / _SECONDS

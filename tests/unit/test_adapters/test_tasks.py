import asyncio
from typing import Any

import pytest

from riskd.adapters.tasks import Tasks


@pytest.fixture
async def complaints() -> list[dict[str, Any]]:
    """Return what the event loop was told of."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return told


async def test_work_that_fails_is_told_and_begun_again(complaints: list[dict[str, Any]]) -> None:
    """A defect in one of the adapter's tasks neither goes unnoticed nor ends what the task was for."""
    tasks, begun, again = Tasks(restart_s=0), 0, asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise ZeroDivisionError
        again.set()
        await asyncio.Event().wait()

    tasks.keep("poll", work)
    async with asyncio.timeout(5):
        await again.wait()
    await tasks.close()
    assert begun == 2
    assert [complaint["message"] for complaint in complaints] == ["riskd: poll failed; this is a defect of riskd"]


async def test_work_that_should_not_end_is_begun_again_when_it_does(complaints: list[dict[str, Any]]) -> None:
    """Even without an error."""
    tasks, again = Tasks(restart_s=0), asyncio.Event()
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 3:
            again.set()

    tasks.keep("poll", work)
    async with asyncio.timeout(5):
        await again.wait()
    await tasks.close()
    assert complaints == []


async def test_closing_ends_everything_for_good() -> None:
    """Nothing runs on, and nothing begins anew."""
    tasks, begun = Tasks(restart_s=0), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    tasks.keep("poll", work)
    tasks.once("look", work())
    await asyncio.sleep(0)
    await tasks.close()
    tasks.once("look", work())
    await asyncio.sleep(0)
    assert begun == 2
    assert [t for t in asyncio.all_tasks() if t.get_name().startswith("riskd")] == []

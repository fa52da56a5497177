"""Tasks that run beside each other, none of which may end unnoticed."""

import asyncio
from collections.abc import Callable, Coroutine


class Tasks:
    """The tasks of one owner, whose name they bear."""

    def __init__(self, owner: str = "riskd", *, restart_s: float = 1.0) -> None:
        """Begin with ``keep`` and ``once``; what should never end is begun again so long after it did."""
        self._owner = owner
        self._restart_s = restart_s
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def keep(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run something that should never end; should it fail, tell the loop and begin it again."""
        task = self._start(name, work())
        task.add_done_callback(lambda ended: self._again(name, work, ended))

    def once(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Run something to its end, if nothing is closed yet; should it fail, tell the loop."""
        if self._closed:
            work.close()
            return
        self._start(name, work).add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Cancel everything and wait for it."""
        self._closed = True
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self, name: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}: {name}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            message = f"{task.get_name()} failed; this is a defect of riskd"
            task.get_loop().call_exception_handler({"message": message, "exception": error, "task": task})

    def _again(self, name: str, work: Callable[[], Coroutine[None, None, None]], ended: asyncio.Task[None]) -> None:
        if not self._closed and not ended.cancelled():
            ended.get_loop().call_later(self._restart_s, self._restart, name, work)

    def _restart(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        if not self._closed:
            self.keep(name, work)

"""The last way to a price: the broker's one-second bars, asked for by REST where nothing comes by the hub.

A bar is what really traded, only late by its second and by the asking. It is reported like any other price; that the
hub is silent stays told.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec

from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.errors import GatewayError
from riskd.adapters.projectx.feed import Feed
from riskd.adapters.projectx.reads import Reads
from riskd.domain.events import QuoteReported

# One request at a time in two seconds, repeated at most twice, is 45 of the 50 that half a minute allows.
_EVERY_S: Final = 2.0
# A contract that nobody trades is asked about ever more rarely.
_LONGEST_PAUSE_S: Final = 15.0


class _Asked(msgspec.Struct):
    due_real: float
    pause_s: float


class Bars:
    """Asks for the prices that the hub does not bring."""

    def __init__(self, context: Context, reads: Reads, feed: Feed, *, report: Callable[[QuoteReported], None]) -> None:
        self._context = context
        self._reads = reads
        self._feed = feed
        self._report = report
        self._asked: dict[str, _Asked] = {}

    @property
    def _every_s(self) -> float:
        return min(_EVERY_S, self._feed.stale_after_s)

    async def keep(self) -> None:
        """Ask for ever, one contract at a time."""
        while True:
            await asyncio.sleep(self._every_s)
            contract = self._next()
            if contract is not None:
                await self._ask(contract)

    def _next(self) -> str | None:
        """Return the contract without a price that has waited longest to be asked about."""
        real = monotonic()
        without = self._feed.unpriced(self._context.clock.now(), real)
        new = _Asked(real, self._every_s)
        self._asked = {contract: self._asked.get(contract, new) for contract in without}
        due = [contract for contract, asked in self._asked.items() if asked.due_real <= real]
        return min(due, key=lambda contract: self._asked[contract].due_real, default=None)

    async def _ask(self, contract: str) -> None:
        since = self._feed.known_to(contract)
        if since is None:
            return
        bar = None
        try:
            bar = await self._reads.last_second(contract, since)
        except GatewayError as error:
            self._context.log.warning("bars_not_read", contract=contract, why=str(error))
        self._note(contract, found=bar is not None)
        if bar is not None:
            self._report(bar)

    def _note(self, contract: str, *, found: bool) -> None:
        asked = self._asked[contract]
        asked.pause_s = self._every_s if found else min(asked.pause_s * 2, _LONGEST_PAUSE_S)
        asked.due_real = monotonic() + asked.pause_s

"""What the hubs may have missed, read by REST: after every reconnect, on request, in doubt, and slowly all the time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Final

from riskd.adapters.projectx.budget import SHARE_OF_POLLS, WINDOW_S, Purpose
from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.errors import GatewayError, Refused, Unreadable
from riskd.adapters.projectx.reads import Reads
from riskd.adapters.projectx.roster import Roster
from riskd.domain.calendar import day_start, trading_day
from riskd.domain.commands import RequestSnapshot
from riskd.domain.events import AccountReported, Link, SnapshotReported

POLL: Final = ""
"""The request id of a snapshot that nobody asked for."""

_READS_PER_ACCOUNT: Final = 3
_FASTEST_POLL_S: Final = 2.0
_DOUBT_REST_S: Final = 5.0
_MOST_WAITING: Final = 4
_LONGEST_SLEEP_S: Final = 1.0
# One answer that makes no sense may be an accident; after so many the other accounts wait no longer.
_SENSELESS_ANSWERS: Final = 3


class Reconciler:
    """Reads accounts and reports them as snapshots.

    Shape: one account is read by one reader at a time, orders first, positions last. Trades are read from the last one
    that a reading found, and a little before, so that none can fall between two readings. ``unread`` says why the last
    reading of an account failed although the gateway answered.
    """

    def __init__(
        self, context: Context, reads: Reads, roster: Roster, *, report: Callable[[SnapshotReported], None]
    ) -> None:
        self._context = context
        self._reads = reads
        self._roster = roster
        self._report = report
        self._locks: dict[str, asyncio.Lock] = {}
        self._read_until: dict[str, datetime] = {}
        self._waiting: dict[str, deque[RequestSnapshot]] = {}
        self._doubted: set[str] = set()
        self._doubted_again: set[str] = set()
        self.unread: dict[str, str] = {}
        self.on_new_accounts: Callable[[tuple[str, ...]], None] = lambda _: None
        self.on_listed: Callable[[], None] = lambda: None

    def request(self, command: RequestSnapshot) -> None:
        """Answer a request of the core, not before its time."""
        waiting = self._waiting.setdefault(command.account, deque())
        waiting.append(command)
        if len(waiting) == 1:
            self._begin_answering(command.account)
        elif len(waiting) > _MOST_WAITING:
            # The gateway has not answered for long and the core has asked anew: the newest questions count. The first
            # is being read.
            dropped = waiting[1]
            del waiting[1]
            self._context.log.warning("snapshot_request_dropped", account=dropped.account, request=dropped.request_id)

    def doubt(self, account: str | None) -> None:
        """Read an account soon, or all where nobody knows whose it was: something about it could not be read."""
        for doubted in self._roster.watched() if account is None else (account,):
            self._doubted_again.add(doubted)
            if doubted not in self._doubted:
                self._doubted.add(doubted)
                self._context.tasks.once(f"doubt about {doubted}", self._settle(doubted))

    async def list_accounts(self, purpose: Purpose = Purpose.READ) -> tuple[str, ...]:
        """Read the list of accounts; return those that are new.

        Errors: GatewayError.
        """
        new = self._roster.take(await self._reads.accounts(purpose))
        self._context.links.up(Link.REST)
        self.on_listed()
        return new

    async def find_new(self) -> None:
        """Look for watched accounts that were not there before, trying for as long as it takes."""
        await self.persist(self._take_new)

    async def _take_new(self) -> None:
        if new := await self.list_accounts():
            self.on_new_accounts(new)

    async def read_all(self, request_id: str) -> None:
        """Report every watched account, trying for as long as it takes.

        Shape: one of which the gateway's answers make no sense holds up no other: it is read on after the return.
        """
        await self.persist(self.list_accounts)
        for account in self._roster.watched():
            read = partial(self._read, account, request_id, listed=self._roster.report(account))
            if not await self.persist(read, senseless=_SENSELESS_ANSWERS):
                self.doubt(account)

    async def poll(self) -> None:
        """Report everything slowly, for ever; faster while the user hub is down."""
        step_s = min(self._context.settings.safety_poll_s, _LONGEST_SLEEP_S)
        waited_s = 0.0
        while True:
            await asyncio.sleep(step_s)
            waited_s += step_s
            if waited_s >= self._pause_s():
                waited_s = 0.0
                await self._round()

    async def persist(self, read: Callable[[], Awaitable[object]], *, senseless: int | None = None) -> bool:
        """Do a reading again and again until it succeeds; return False after so many ``senseless`` answers instead."""
        nonsense = 0
        for failures in count(1):
            try:
                await read()
            except GatewayError as error:
                self._tell(error)
                nonsense += isinstance(error, Refused | Unreadable)
                if nonsense == senseless:
                    return False
                await asyncio.sleep(self._context.settings.retry_delay(failures))
            else:
                break
        return True

    def _tell(self, error: GatewayError) -> None:
        """Report a failed reading: as a lost link, or in the log where the gateway did answer."""
        if isinstance(error, Refused | Unreadable):
            self._context.log.error("read_failed", why=str(error))
        else:
            self._context.links.down(Link.REST, f"{error}; riskd keeps trying")

    def _pause_s(self) -> float:
        calls = 1 + _READS_PER_ACCOUNT * len(self._roster.watched())
        affordable_s = calls * WINDOW_S / SHARE_OF_POLLS
        wanted_s = self._context.settings.safety_poll_s
        if not self._context.links.is_up(Link.USER_HUB):
            wanted_s = min(wanted_s, _FASTEST_POLL_S)
        return max(wanted_s, affordable_s)

    async def _round(self) -> None:
        try:
            new = await self.list_accounts(Purpose.POLL)
            for account in self._roster.watched():
                await self._poll_one(account)
        except GatewayError as error:
            self._tell(error)
        else:
            if new:
                self.on_new_accounts(new)

    async def _poll_one(self, account: str) -> None:
        """Read an account once; an answer that makes no sense is no reason to leave out the others."""
        try:
            await self._read(account, POLL, listed=self._roster.report(account), purpose=Purpose.POLL)
        except (Refused, Unreadable) as error:
            self._tell(error)

    def _begin_answering(self, account: str) -> None:
        self._context.tasks.once(f"snapshot of {account}", self._answer_next(account))

    async def _answer_next(self, account: str) -> None:
        """Answer the request that has waited longest; a mistake of riskd's costs only the one that met it."""
        waiting = self._waiting[account]
        request = waiting[0]
        try:
            await self._until(request.not_before)
            await self.persist(partial(self._read, account, request.request_id, since=request.since))
        finally:
            waiting.popleft()
            if waiting:
                self._begin_answering(account)

    async def _until(self, at: datetime | None) -> None:
        clock = self._context.clock
        while at is not None and (delay_s := clock.delay_until(at)) > 0:  # noqa: ASYNC110 - the clock says how long
            # Not in one go: a simulated clock may leap meanwhile.
            await asyncio.sleep(min(delay_s, _LONGEST_SLEEP_S))

    async def _settle(self, account: str) -> None:
        try:
            while account in self._doubted_again:
                self._doubted_again.discard(account)
                await self.persist(partial(self._read, account, POLL))
                await asyncio.sleep(_DOUBT_REST_S)
        finally:
            self._doubted.discard(account)

    async def _read(
        self,
        account: str,
        request_id: str,
        *,
        since: datetime | None = None,
        listed: AccountReported | None = None,
        purpose: Purpose = Purpose.READ,
    ) -> None:
        async with self._locks.setdefault(account, asyncio.Lock()):
            asked_seq = self._context.last_seq()
            unread_since = self._unread_since(account)
            with self._noted(account):
                orders = await self._reads.orders(account, purpose)
                fills = await self._reads.fills(account, since or unread_since, purpose)
                positions = await self._reads.positions(account, purpose)
            if fills and (since is None or since <= unread_since):
                self._read_until[account] = fills[-1].at
        self._context.links.up(Link.REST)
        snapshot = SnapshotReported(
            account=account,
            asked_seq=asked_seq,
            positions=positions,
            orders=orders,
            fills=fills,
            request_id=request_id,
            balance=listed.balance if listed else None,
            can_trade=listed.can_trade if listed else None,
            name=listed.name if listed else None,
        )
        self._report(snapshot)

    @contextmanager
    def _noted(self, account: str) -> Iterator[None]:
        """Keep in mind why an account could not be read, until it is."""
        try:
            yield
        except (Refused, Unreadable) as error:
            self.unread[account] = str(error)
            raise
        self.unread.pop(account, None)

    def _unread_since(self, account: str) -> datetime:
        """Return from when trades may be unread: a little before the last one read, or the day's beginning.

        Shape: by the broker's own stamps, so that no difference between its clock and ours can hide a trade; never from
        further back than a little before the day, since what was booked days ago is no longer known by its trade id.
        """
        begin = day_start(trading_day(self._context.clock.now()))
        until = self._read_until.get(account)
        if until is None:
            return begin
        return max(until, begin) - timedelta(seconds=self._context.settings.trades_overlap_s)

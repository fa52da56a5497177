"""riskd's broker port, spoken with a ProjectX Gateway.

Two ways lead in: the hubs, whose events are published inside the read that brought them, and REST, which says after
every reconnect and every now and then what the hubs may have missed. One way leads out: the close channel, written to
inside the call that decided. The order at the start is: log in, list the accounts, connect both hubs, subscribe, read
the contracts, reconcile every account; only then is the user hub reported up.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from riskd.adapters.projectx import event_normalizer as normalizer
from riskd.adapters.projectx.budget import Budget, Purpose
from riskd.adapters.projectx.capabilities import Capabilities
from riskd.adapters.projectx.close_channel import CloseChannel
from riskd.adapters.projectx.commands import Commands
from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.event_normalizer import Malformed
from riskd.adapters.projectx.hubs import Hub
from riskd.adapters.projectx.instruments import Instruments
from riskd.adapters.projectx.links import Links
from riskd.adapters.projectx.log import Log
from riskd.adapters.projectx.market_side import MarketSide
from riskd.adapters.projectx.reads import Reads
from riskd.adapters.projectx.reconciler import Reconciler
from riskd.adapters.projectx.roster import Roster
from riskd.adapters.projectx.session import Session
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.adapters.projectx.user_side import UserSide
from riskd.adapters.tasks import Tasks
from riskd.domain.commands import BrokerCommand, RequestSnapshot
from riskd.domain.events import Link
from riskd.ports import Clock, Publish

START: Final = "start"
RECONNECT: Final = "reconnect"

# Somebody else's login may end ours, and ours theirs: do not fight over it at full speed.
_LOGOUTS_APART_S: Final = 60.0
_LOGOUT_REST_S: Final = 15.0


class ProjectXBroker:
    """One login at one gateway."""

    def __init__(
        self,
        settings: ProjectXSettings,
        *,
        publish: Publish,
        clock: Clock,
        last_seq: Callable[[], int],
        log: Log,
        on_listed: Callable[[], None] = lambda: None,
        stale_after_s: Callable[[], float] | None = None,
    ) -> None:
        """Prepare; nothing is sent before ``connect``.

        Shape: ``last_seq`` returns the seq of the last envelope that was processed; ``on_listed`` is called whenever
        the login's accounts have been read. ``stale_after_s`` returns how long prices may be silent at the moment,
        where that can change; else it is what ``settings`` say.
        """
        # aiohttp is most of the import time; whoever builds a broker needs it, the other commands do not.
        from riskd.adapters.projectx.rest import Rest  # noqa: PLC0415 - see above

        links = Links(publish, log, held=settings.on_this_machine)
        context = Context(settings, publish, clock, last_seq, log, links, Tasks("riskd projectx"))
        self._context = context
        self._budget = Budget()
        self._roster = Roster(settings.accounts)
        self._rest = Rest(settings, self._budget, self._observe)
        self._session = Session(settings, self._rest, links, log)
        self._session.on_token = self._use_token
        self._channel = CloseChannel(settings, may_ping=self._may_ping, on_date=self._observe)
        self._commands = Commands(context, self._channel, self._budget, roster=self._roster, session=self._session)
        reads = Reads(self._session, log, clock.now)
        self._instruments = Instruments(context, reads)
        self._market = MarketSide(
            context,
            reads,
            on_control=self._control,
            stale_after_s=stale_after_s or (lambda: settings.stale_after_s),
        )
        self._user = UserSide(
            context,
            self._roster,
            on_contract=self.watch,
            on_all_read=self._market.let_go,
            on_control=self._control,
            on_doubt=self._doubt,
            catch_up=self._catch_up,
        )
        self._reconciler = Reconciler(context, reads, self._roster, report=self._user.reconciled)
        self._reconciler.on_new_accounts = self._subscribe_new
        self._reconciler.on_listed = on_listed
        self._user_hub = Hub(Link.USER_HUB, settings.user_hub_url, self._user, context=context, session=self._session)
        self._market_hub = Hub(
            Link.MARKET_HUB, settings.market_hub_url, self._market, context=context, session=self._session
        )
        self._market.hub = self._market_hub
        self._reconciled = asyncio.Event()
        self._simulated = False
        self._time_settled = not settings.on_this_machine
        self._logged_out_at = float("-inf")

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the accounts that are watched and that the login can see."""
        return self._roster.watched()

    @property
    def missing_accounts(self) -> tuple[str, ...]:
        """Return the accounts that are to be watched and that the login does not show, or no longer shows."""
        return self._roster.missing()

    @property
    def unread_accounts(self) -> Mapping[str, str]:
        """Return the accounts that could not be read the last time although the gateway answered, and why."""
        return self._reconciler.unread

    @property
    def unnamed_accounts(self) -> tuple[str, ...]:
        """Return the accounts that the login can see and that were not named."""
        return self._roster.unnamed()

    @property
    def malformed(self) -> int:
        """Return how many payloads could not be read so far."""
        return self._user.malformed + self._market.malformed

    def capabilities(self, account: str) -> Capabilities:
        """Return what can be enforced on an account."""
        return self._roster.capabilities(account)

    async def connect(self) -> None:
        """Log in, subscribe and reconcile, then keep all three alive; return when first reconciled.

        Shape: a gateway that cannot be reached or refuses the login is reported and tried again, for ever.
        """
        self._channel.open()
        await self._session.login()
        await self._reconciler.persist(self._reconciler.list_accounts)
        if self.missing_accounts:
            self._context.log.error("accounts_unknown", accounts=self.missing_accounts, visible=self.accounts)
        tasks = self._context.tasks
        tasks.keep("user hub", self._user_hub.keep)
        tasks.keep("market hub", self._market_hub.keep)
        tasks.keep("token", self._session.keep_fresh)
        tasks.keep("safety poll", self._reconciler.poll)
        tasks.keep("feed watch", self._market.keep_watch)
        tasks.keep("bars", self._market.bars.keep)
        await self._reconciled.wait()
        await self._user_hub.tried.wait()
        await self._market_hub.tried.wait()

    def also_watch(self, accounts: tuple[str, ...]) -> None:
        """Watch these accounts as well; each is reported as soon as it was read."""
        self._roster.name(accounts)
        self._context.tasks.once("new accounts", self._find(accounts))

    async def _find(self, accounts: tuple[str, ...]) -> None:
        await self._reconciler.find_new()
        unknown = [account for account in accounts if account in self.missing_accounts]
        if unknown:
            self._context.log.error("accounts_unknown", accounts=unknown, visible=self.accounts)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._context.tasks.close()
        await self._channel.close()
        await self._rest.close()

    def execute(self, command: BrokerCommand) -> None:
        """Send one request now, in this call; its outcome comes back as a CommandEnded."""
        self._commands.execute(command)

    def request_snapshot(self, command: RequestSnapshot) -> None:
        """Start reading an account; the answer comes back as a SnapshotReported."""
        self._reconciler.request(command)

    def watch(self, contract: str) -> None:
        """Follow a contract's quotes for a while at least, and make sure that its record is known."""
        self._market.watch(contract)
        self._instruments.need(contract)

    async def _catch_up(self) -> None:
        # The hub has answered, so a simulated gateway would have said its time by now.
        self._time_settled = True
        self._context.links.release()
        first = not self._reconciled.is_set()
        if first:
            await self._reconciler.persist(self._instruments.learn_all)
        await self._reconciler.read_all(START if first else RECONNECT)
        self._reconciled.set()

    def _use_token(self) -> None:
        self._channel.authorize(self._session.token)
        self._user_hub.restart("riskd has a fresh token")
        self._market_hub.restart("riskd has a fresh token")

    def _doubt(self, account: str | None) -> None:
        self._reconciler.doubt(account)

    def _subscribe_new(self, accounts: tuple[str, ...]) -> None:
        for target, arguments in self._user.of_accounts(accounts):
            self._user_hub.call(target, *arguments)
        for account in accounts:
            self._reconciler.doubt(account)

    def _control(self, target: str, arguments: msgspec.Raw) -> None:
        """Act on what a hub says about itself; what riskd does not know is ignored."""
        if target == "GatewaySimulatedTime" and self._context.settings.on_this_machine:
            self._simulate(arguments)
        elif target == "GatewayLogout":
            self._context.tasks.once("logout", self._logged_out())

    def _simulate(self, arguments: msgspec.Raw) -> None:
        said = normalizer.read_simulated_time(arguments)
        if isinstance(said, Malformed):
            self._context.log.error("simulated_time_unreadable", why=said.why)
            return
        now, speed = said
        # The token was issued in the gateway's time, so the first word of that time is no leap.
        leapt_s = max((now - self._context.clock.now()).total_seconds(), 0) if self._simulated else 0.0
        self._simulated = True
        self._context.clock.simulate(now, speed)
        self._session.simulate(speed, leapt_s=leapt_s)

    async def _logged_out(self) -> None:
        loop, token = asyncio.get_running_loop(), self._session.token
        self._context.links.down(Link.LOGIN, "the gateway ended the login; somebody else may have used it")
        rested_s = loop.time() - self._logged_out_at
        self._logged_out_at = loop.time()
        if rested_s < _LOGOUTS_APART_S:
            await asyncio.sleep(_LOGOUT_REST_S)
        await self._session.replace(token)

    def _may_ping(self) -> bool:
        return self._budget.take(Purpose.POLL, asyncio.get_running_loop().time())

    def _observe(self, at: datetime) -> None:
        # On this machine a Date header may be a simulated clock's; the hubs say so before the first reconciliation.
        if self._time_settled and not self._simulated:
            self._context.clock.observe(at)

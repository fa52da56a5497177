"""riskd as something that runs on the machine: it is started, connects, polls, dies and is started again."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from riskd.domain.events import AnyEvent, ConnectionChanged, Fill, InstrumentReported, Link, QuoteReported
from riskd.domain.instruments import instrument
from riskd.engine.core import Core
from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.events import QuoteEvent
from tests.simulation.clocks import Machine
from tests.simulation.disk import Disk
from tests.simulation.faults import Fault
from tests.simulation.judge import Judge
from tests.simulation.process import Death, Process
from tests.simulation.requests import Fates, Requests
from tests.simulation.schedule import ms
from tests.simulation.world import World

QUIET_POLL: Final = timedelta(minutes=45)
_Done = Callable[[], None]


class Service:
    """The one riskd of a trial, through all its lives."""

    def __init__(self, world: World, disk: Disk, judge: Judge, contracts: Sequence[Contract], machine: Machine) -> None:
        self._world = world
        self._schedule = world.schedule
        self._venue = world.venue
        self._network = world.network
        self._plan = world.plan
        self._weather = world.weather
        self._calm = world.calm
        self._rng = world.rng("service")
        self._fates = Fates(world.weather, world.rng("requests"))
        self._disk = disk
        self._judge = judge
        self._contracts = contracts
        self._machine = machine
        self._process: Process | None = None
        self._requests: Requests | None = None
        self.deaths = 0
        self.busy = False

    @property
    def ready(self) -> bool:
        """Tell whether riskd is up, reconciled and armed."""
        return self._process is not None and self._process.ready

    @property
    def core(self) -> Core:
        """Return the core of the life that is on."""
        if self._process is None:
            raise LookupError("riskd is not running")
        return self._process.core

    # --- its lives ---------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start riskd."""
        rules = {str(account.number): account.limits.spec() for account in self._plan.accounts}
        process = Process(
            self._world, self._disk, rules, machine=self._machine, witness=self._judge, on_death=self._died
        )
        states = process.core.state_manager.accounts
        self._judge.replay.restarted(states)
        for account in self._plan.accounts:
            self._judge.lockouts.restarted(account.number, states.get(str(account.number)))
        self._judge.tell("riskd starts")
        self._process = process
        self._requests = Requests(self._world, process, fates=self._fates, judge=self._judge)
        self._schedule.after(ms(self._rng.uniform(300, 3000)), lambda: self._connect(process))

    def _connect(self, process: Process) -> None:
        if not process.alive:
            return
        if Fault.REST_DOWN in self._weather.blowing:
            self._schedule.after(ms(self._rng.uniform(500, 4000)), lambda: self._connect(process))
            return
        # Nothing is processed before the broker has said what time it is.
        process.clock.heard(self._schedule.now)
        if self._requests is not None:
            process.start(self._requests)
        self._network.connected(self)
        process.learn([_record(contract) for contract in self._contracts])
        for contract in self._contracts:
            self._requote(contract.id)
        self._read_all(lambda: self._arm(process))

    def _requote(self, contract: str) -> None:
        """Send what a new subscription is answered with: the prices as they are."""
        quote = self._venue.exchange.books.market.quote(contract)
        if quote.last is not None:
            now = self._schedule.now
            self._network.carry([QuoteEvent(contract, now, quote.last, quote.bid, quote.ask)])

    def _arm(self, process: Process) -> None:
        if process.alive:
            process.arm()
            self._wait_until_ready(process)
            self._schedule.after(self._plan.poll_every, lambda: self._poll(process))

    def _wait_until_ready(self, process: Process) -> None:
        if not process.alive:
            return
        if process.ready:
            self._calm.ready(self._schedule.now + timedelta(seconds=2))
            self._judge.tell("riskd is ready")
        else:
            self._schedule.after(timedelta(seconds=1), lambda: self._wait_until_ready(process))

    def kill(self, where: Death | None) -> None:
        """Let riskd die now, or in the middle of what it does next."""
        if self._process is None or not self._process.alive:
            return
        if where is None:
            self._process.alive = False
            self._died()
        else:
            self._process.dies = where

    def _died(self) -> None:
        self.deaths += 1
        self._process = self._requests = None
        self._network.disconnected()
        self._calm.down()
        self._disk.crash()
        self._judge.died()
        if self._weather.strikes(Fault.DAMAGED_STATE, 0.5):
            for account in self._plan.accounts:
                self._disk.damage(str(account.number))
        downtime = self._rng.choice((1, 1, 5, 30, 600))
        self._schedule.after(timedelta(seconds=downtime * self._rng.uniform(0.2, 1)), self.boot)

    # --- what it hears and reads -------------------------------------------------------------------------------

    def receive(self, event: AnyEvent, broker_at: datetime | None = None) -> None:
        """Hand an event to riskd, and let it read everything when its hub is back."""
        if self._process is None:
            return
        if isinstance(event, QuoteReported):
            self._judge.quoted(event)
        elif isinstance(event, Fill):
            self._judge.told_of(event)
        judged = self._process.ready
        self._process.receive(event, broker_at)
        if isinstance(event, ConnectionChanged):
            self._connection(event, judged=judged)

    def receive_garbage(self, quote: QuoteReported) -> None:
        """Hand over prices that cannot be; the judge does not believe them."""
        if self._process is not None:
            self._process.receive(quote, quote.at)

    def _connection(self, event: ConnectionChanged, *, judged: bool) -> None:
        if judged and self._process is not None and self._process.alive:
            self._judge.connection(event)
        if event.up:
            self._reconnected(event.link)

    def _reconnected(self, link: Link) -> None:
        if link is Link.USER_HUB:
            self._read_all(lambda: None)
        for contract in self._contracts:
            self._requote(contract.id)

    def _read_all(self, done: _Done) -> None:
        left = [str(account.number) for account in self._plan.accounts]

        def one_done(account: str) -> None:
            left.remove(account)
            if not left:
                done()

        for account in tuple(left):
            self._read(account, partial(one_done, account))

    def _read(self, account: str, done: _Done) -> None:
        if self._requests is not None:
            self._requests.read(account, "", None, done)

    def _poll(self, process: Process) -> None:
        if process.alive:
            self._read_all(lambda: None)
            pause = self._plan.poll_every if self.busy else QUIET_POLL
            self._schedule.after(pause, lambda: self._poll(process))


def _record(contract: Contract) -> InstrumentReported:
    product = contract.product
    return InstrumentReported(instrument(contract.id, tick_size=product.tick_size, tick_value=product.tick_value))

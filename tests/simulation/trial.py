"""One trial: a seed's days from the first evening to the last, with every checker watching."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from riskd.rules.contract import Compile
from riskd.rules.registry import compile_rulebook
from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.exchange.events import Event, OrderEvent, UserEvent
from riskd.simulator.exchange.exchange import Exchange
from riskd.simulator.exchange.model import Account, BracketMode, Order, OrderType, PriceUpdate
from tests.simulation import days
from tests.simulation.calm import Calm
from tests.simulation.clocks import Machine
from tests.simulation.disk import Disk, FileDisk, MemoryDisk
from tests.simulation.exactness import QUIET, Exactness
from tests.simulation.faults import Fault, Weather
from tests.simulation.judge import Judge
from tests.simulation.market import Market
from tests.simulation.network import Network
from tests.simulation.plan import Plan
from tests.simulation.requests import RECOVERY
from tests.simulation.schedule import Schedule, ms
from tests.simulation.service import Service
from tests.simulation.storms import Storms
from tests.simulation.traders import Trader
from tests.simulation.truth import Truth
from tests.simulation.venue import Venue
from tests.simulation.world import World

COMPARE_EVERY: Final = timedelta(minutes=2)


@dataclass(slots=True)
class Tally:
    """What a trial came to."""

    steps: int = 0
    commands: int = 0
    lockouts: int = 0
    trades: int = 0
    crashes: int = 0
    compared: int = 0
    wrongs: dict[str, int] = field(default_factory=dict)
    digest: str = ""


class Trial:
    """The world of one seed."""

    def __init__(
        self,
        plan: Plan,
        faults: frozenset[Fault],
        directory: Path | None = None,
        compile_rules: Compile = compile_rulebook,
    ) -> None:
        self.plan = plan
        self._traders: list[Trader] = []
        self._moved_at: dict[int, datetime] = {}
        self._accounts = [account.number for account in plan.accounts]
        self.world = world = self._world(faults, compile_rules)
        self.schedule = world.schedule
        self.judge = Judge(world)
        self.exactness = Exactness(world, self.judge)
        self.disk: Disk = FileDisk(directory) if directory else MemoryDisk(world.schedule)
        contracts = [world.venue.exchange.books.contracts.front(m, plan.starts_at) for m in plan.markets]
        self._markets = [Market(world, contract) for contract in contracts]
        self._traders = [Trader(world, account, [c.id for c in contracts]) for account in plan.accounts]
        machine = Machine(world.schedule)
        self.service = Service(world, self.disk, self.judge, contracts, machine)
        self._storms = Storms(world, self.service, machine)
        self._surprises = world.rng("surprises")

    def _world(self, faults: frozenset[Fault], compile_rules: Compile) -> World:
        exchange = self._exchange()
        schedule, weather, calm = Schedule(self.plan.starts_at), Weather(str(self.plan.seed), faults), Calm()
        return World(
            plan=self.plan,
            schedule=schedule,
            weather=weather,
            calm=calm,
            truth=Truth(),
            venue=Venue(schedule, exchange, self._hear),
            network=Network(schedule, weather, calm, self._rng("network"), exchange.books.orders.__getitem__),
            compile_rules=compile_rules,
        )

    def _rng(self, what: str) -> Random:
        return Random(f"{self.plan.seed}:{what}")

    def _exchange(self) -> Exchange:
        options = ExchangeOptions(exchange_hours=True, fill_chunk=self.plan.fill_chunk, repeat_accounts=(0, 1))
        exchange = Exchange(rng=self._rng("exchange"), options=options)
        for account in self.plan.accounts:
            brackets = BracketMode.AUTO_OCO if account.auto_oco else BracketMode.POSITION
            exchange.add_account(Account(id=account.number, name=f"PRAC-{account.number}", brackets=brackets))
        return exchange

    # --- what is heard of the exchange -------------------------------------------------------------------------

    def _hear(self, events: Iterable[Event]) -> None:
        events = tuple(events)
        for account, change in self.world.truth.note(events):
            self.judge.changed(account, change)
            for trader in self._traders:
                if trader.plan.copies == account and not change.voided:
                    trader.copy(change)
        self.world.network.carry(events)
        for event in events:
            if isinstance(event, UserEvent):
                self._moved_at[event.account_id] = self.schedule.now
            if isinstance(event, OrderEvent):
                self._go_on_filling(event.order)
        self.judge.look(sorted({event.account_id for event in events if isinstance(event, UserEvent)}))

    def _go_on_filling(self, order: Order) -> None:
        """Fill the rest of a market order that took a part of what it wants."""
        if order.type is OrderType.MARKET and order.working and order.fills_at is None:
            self.schedule.after(ms(80), lambda: self._nudge(order.contract_id))

    def _nudge(self, contract: str) -> None:
        quote = self.world.venue.exchange.books.market.quote(contract)
        if self.world.venue.trades(contract):
            self.world.venue.price(PriceUpdate(contract_id=contract, bid=quote.bid, ask=quote.ask))

    # --- the days ----------------------------------------------------------------------------------------------

    def run(self) -> Tally:
        """Let all days happen.

        Errors: Broken when a promise was.
        """
        start, end = self.plan.starts_at, self.plan.ends_at
        for market in self._markets:
            market.begin()
        self.service.boot()
        for closes_at, opens_at in days.closes(start, end):
            self.schedule.at(closes_at, partial(self._closed, opens_at))
        for reset_at in days.resets(start, end):
            self.schedule.at(reset_at, self._carry_over)
        for begins_at, ends_at in days.windows(start, end, self._rng("windows"), light=self.plan.light):
            self.schedule.at(begins_at, partial(self._trade, ends_at))
            self._storms.arrange(begins_at, ends_at)
        self.schedule.run(end)
        return self._tally()

    def _closed(self, opens_at: datetime) -> None:
        for account in self._accounts:
            self.world.calm.disturb(account, opens_at + RECOVERY)

    def _carry_over(self) -> None:
        """Note what positions are worth at 17:00, if riskd could know it."""
        known = self.service.ready and all(self.world.calm.certain(account) for account in self._accounts)
        self.judge.wrongs.carried_marks = dict(self.judge.prices.marks) if known else {}

    def _trade(self, until: datetime) -> None:
        self.service.busy = True
        for market in self._markets:
            market.pace(busy=True)
            if self._surprises.random() < 0.5:
                delay = timedelta(seconds=self._surprises.uniform(30, 300))
                self.schedule.after(delay, market.jump)
        for trader in self._traders:
            trader.trade(until)
        self.schedule.at(until, self._rest)
        self.schedule.after(COMPARE_EVERY, partial(self._compare, until + timedelta(minutes=10)))

    def _rest(self) -> None:
        self.service.busy = False
        for market in self._markets:
            market.pace(busy=False)

    # --- quiet moments -----------------------------------------------------------------------------------------

    def _compare(self, until: datetime) -> None:
        for account in self._accounts:
            if self.service.ready and self._is_quiet(account):
                self.exactness.compare(account, self.service.core)
        if self.schedule.now < until:
            self.schedule.after(COMPARE_EVERY, partial(self._compare, until))

    def _is_quiet(self, account: int) -> bool:
        now = self.schedule.now
        calm_since, moved_at = self.world.calm.since(account, now), self._moved_at.get(account)
        rested = moved_at is None or now - moved_at >= QUIET
        return calm_since is not None and now - calm_since >= QUIET and rested

    # --- the end -----------------------------------------------------------------------------------------------

    def _tally(self) -> Tally:
        self.disk.crash()
        return Tally(
            steps=len(self.judge.replay.lines),
            commands=self.judge.commands,
            lockouts=self.judge.lockouts.count,
            trades=sum(len(account.deals) for account in self.world.truth.accounts.values()),
            crashes=self.service.deaths,
            compared=self.exactness.compared,
            wrongs=self.judge.promptness.counted,
            digest=self.judge.digest,
        )

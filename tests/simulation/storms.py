"""Brings the faults about that do not come with a message or a request: lost hubs, crashes, halts, voided trades."""

from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final

from riskd.simulator.exchange.model import Phase
from tests.simulation.clocks import Machine
from tests.simulation.faults import Fault, Storm
from tests.simulation.process import Death
from tests.simulation.requests import RECOVERY
from tests.simulation.schedule import ms
from tests.simulation.service import Service
from tests.simulation.truth import day_of
from tests.simulation.world import World

_AFTER_LAG: Final = timedelta(seconds=4)


class Storms:
    """Arranges the storms of a trial."""

    def __init__(self, world: World, service: Service, machine: Machine) -> None:
        self._machine = machine
        self._schedule = world.schedule
        self._venue = world.venue
        self._network = world.network
        self._weather = world.weather
        self._calm = world.calm
        self._service = service
        self._accounts = [account.number for account in world.plan.accounts]
        self._storm: Storm | None = None

    def arrange(self, begins_at: datetime, ends_at: datetime) -> None:
        """Arrange for storms within a stretch of trading."""
        for storm in self._weather.storms(begins_at, ends_at):
            self._schedule.at(storm.begins_at, partial(self._begin, storm))
            self._schedule.at(storm.ends_at, partial(self._end, storm))

    def _begin(self, storm: Storm) -> None:
        self._storm = storm
        self._weather.begin(storm.faults)
        for fault in sorted(storm.faults):
            self._bring_about(fault, storm)

    def _end(self, storm: Storm) -> None:
        if self._storm is not storm:
            return
        if Fault.LAGGING_POSITIONS in storm.faults:
            self._venue.lag_positions(0)
        if Fault.HALTS in storm.faults:
            self._venue.halt(None)
        if storm.faults & {Fault.LAGGING_POSITIONS, Fault.HALTS, Fault.FROZEN_PRICES, Fault.REST_DOWN}:
            self._disturb(self._schedule.now + RECOVERY)
        self._weather.end()

    def _disturb(self, until: datetime) -> None:
        for account in self._accounts:
            self._calm.disturb(account, until)

    def _bring_about(self, fault: Fault, storm: Storm) -> None:
        rng = self._weather.draw(fault)
        match fault:
            case Fault.USER_HUB_DOWN:
                self._network.lose_user_hub(*_outage(rng))
            case Fault.MARKET_HUB_DOWN:
                noticed, back = _outage(rng)
                self._network.lose_market_hub(noticed, back)
                self._disturb(self._schedule.now + noticed + back + RECOVERY)
            case Fault.LAGGING_POSITIONS:
                self._venue.lag_positions(rng.randint(50, 1500))
                self._disturb(storm.ends_at + _AFTER_LAG)
            case Fault.HALTS:
                self._venue.halt(rng.choice((Phase.HALTED, Phase.PRE_OPEN)))
                self._disturb(storm.ends_at + RECOVERY)
            case Fault.FROZEN_PRICES | Fault.REST_DOWN:
                self._disturb(storm.ends_at + RECOVERY)
            case Fault.WALL_CLOCK:
                self._machine.wall_is_off_by = timedelta(hours=rng.choice((-30, -3, -1, 1, 3, 30)))
            case Fault.CRASHES:
                self._die_again(rng, storm)
            case Fault.VOIDED_TRADES:
                self._void_again(rng, storm)
            case _:
                pass

    def _die_again(self, rng: Random, storm: Storm) -> None:
        if self._schedule.now < storm.ends_at and Fault.CRASHES in self._weather.blowing:
            self._service.kill(rng.choice((None, *Death)))
            self._schedule.after(timedelta(seconds=rng.uniform(3, 60)), lambda: self._die_again(rng, storm))

    def _void_again(self, rng: Random, storm: Storm) -> None:
        if self._schedule.now >= storm.ends_at or Fault.VOIDED_TRADES not in self._weather.blowing:
            return
        account = rng.choice(self._accounts)
        trades = self._venue.trades_since(account, self._schedule.now - timedelta(minutes=30))
        today = [t for t in trades if not t.voided and day_of(t.created_at) == day_of(self._schedule.now)]
        if today:
            self._venue.void(rng.choice(today).id)
        self._schedule.after(timedelta(seconds=rng.uniform(5, 60)), lambda: self._void_again(rng, storm))


def _outage(rng: Random) -> tuple[timedelta, timedelta]:
    """Return how long it takes to notice, and how long to come back."""
    return ms(rng.choice((0, 50, 2000, 30_000))), timedelta(seconds=rng.choice((0.2, 1, 5, 30, 120)))

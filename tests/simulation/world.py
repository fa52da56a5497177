"""The parts of one trial's world that everything else in it hangs on."""

from dataclasses import dataclass
from random import Random

from riskd.rules.contract import Compile
from riskd.rules.registry import compile_rulebook
from tests.simulation.calm import Calm
from tests.simulation.faults import Weather
from tests.simulation.network import Network
from tests.simulation.plan import Plan
from tests.simulation.schedule import Schedule
from tests.simulation.truth import Truth
from tests.simulation.venue import Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Time, weather, the exchange, the way from it to riskd, and what is true."""

    plan: Plan
    schedule: Schedule
    weather: Weather
    calm: Calm
    truth: Truth
    venue: Venue
    network: Network
    compile_rules: Compile = compile_rulebook

    def rng(self, what: str) -> Random:
        """Return a stream of chance for one purpose, the same for every run of a seed."""
        return Random(f"{self.plan.seed}:{what}")

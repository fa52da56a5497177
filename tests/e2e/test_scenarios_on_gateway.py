"""The scenarios of the repository against the real daemon on the simulated gateway."""

from pathlib import Path

import pytest

from riskd.app.scenario.language import Happening, Scenario
from riskd.app.scenario.on_core import read_scenarios, setup_of
from riskd.app.scenario.rules import rules_of
from riskd.app.scenario.runner import run
from riskd.app.scenario.symbols import Symbols
from tests.e2e.gateway_facts import NOT_YET
from tests.e2e.gateway_world import GatewayWorld

ROOT = Path(__file__).parents[2]
SCENARIOS = [
    scenario
    for scenario in read_scenarios(sorted((ROOT / "scenarios").glob("*.scenario")))
    if not any(isinstance(step, Happening) and isinstance(step.fact, NOT_YET) for step in scenario.steps)
]


@pytest.mark.e2e
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{Path(s.file).stem}: {s.name}")
async def test_a_scenario_holds_on_the_gateway(scenario: Scenario, tmp_path: Path) -> None:
    """What holds on the bare core holds over sockets as well, line by line."""
    symbols = Symbols(scenario.begins_at)
    world = GatewayWorld(setup_of(scenario, rules_of(scenario, None)), symbols, tmp_path)
    result = await run(scenario, world, symbols)
    assert result.failures == ()

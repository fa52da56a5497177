"""Running scenario files on the bare core: from their text to the results."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from riskd.app.scenario.core_world import CoreWorld
from riskd.app.scenario.language import BalanceIs, CarriedIn, Fact, FillHappens, Happening, OrderAppears, Scenario
from riskd.app.scenario.parser import BadLine, UnreadableScenario, parse
from riskd.app.scenario.rules import rules_of
from riskd.app.scenario.runner import Result, run
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import Setup
from riskd.rules.registry import compile_rulebook


def read_scenarios(paths: Sequence[Path], *, default_rules: bool = False) -> list[Scenario]:
    """Read scenario files.

    Errors: UnreadableScenario with every line of every file that cannot be read, and every file that cannot.
    """
    found: list[Scenario] = []
    bad: list[BadLine] = []
    for path in paths:
        try:
            found.extend(parse(str(path), path.read_text(encoding="utf-8-sig"), default_rules=default_rules))
        except UnreadableScenario as error:
            bad.extend(error.bad)
        except UnicodeDecodeError:
            bad.append(BadLine(str(path), 1, "expected a text file in UTF-8"))
        except OSError as error:
            bad.append(BadLine(str(path), 1, f"expected a file that can be read: {error.strerror}"))
    if bad:
        raise UnreadableScenario(tuple(bad))
    return found


def setup_of(scenario: Scenario, rules: Mapping[str, str]) -> Setup:
    """Return what stands before the first line of a scenario."""
    facts = [step.fact for step in scenario.steps if isinstance(step, Happening) and step.fact is not None]
    return Setup(
        begins_at=scenario.begins_at,
        manual=scenario.manual,
        rules=rules,
        fees=scenario.fees,
        balances=_opening_balances(facts),
        carried=tuple(fact for fact in facts if isinstance(fact, CarriedIn)),
    )


def _opening_balances(facts: Sequence[Fact]) -> Mapping[str, Decimal]:
    """Return the balances that stand before anything else happens to their account."""
    found: dict[str, Decimal] = {}
    traded: set[str] = set()
    for fact in facts:
        match fact:
            case BalanceIs(account, balance) if account not in traded:
                found.setdefault(account, balance)
            case FillHappens(account=account) | OrderAppears(account=account):
                traded.add(account)
            case _:
                pass
    return found


async def run_on_core(scenario: Scenario, default: Path | None = None) -> Result:
    """Run one scenario against the bare core.

    Errors: UnreadableScenario when its rules cannot be used.
    """
    symbols = Symbols(scenario.begins_at)
    setup = setup_of(scenario, rules_of(scenario, default))
    return await run(scenario, CoreWorld(setup, compile_rulebook, symbols), symbols)

"""How scenarios went: a line each and every difference for people, all of it as JSON for programs."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.text import Text

from riskd.app.scenario.runner import Failure, Result


class FailureJson(msgspec.Struct, frozen=True):
    """A line that did not hold."""

    file: str
    line: int
    text: str
    expected: str
    actual: str


class ScenarioJson(msgspec.Struct, frozen=True):
    """One scenario."""

    file: str
    line: int
    name: str
    passed: bool
    failures: list[FailureJson]


class ScenariosJson(msgspec.Struct, frozen=True):
    """The whole answer."""

    passed: int
    failed: int
    scenarios: list[ScenarioJson]


def as_json(results: Sequence[Result]) -> bytes:
    """Return the answer for programs."""
    passed = sum(result.passed for result in results)
    answer = ScenariosJson(passed, len(results) - passed, [_scenario(result) for result in results])
    return msgspec.json.encode(answer)


def _scenario(result: Result) -> ScenarioJson:
    scenario = result.scenario
    failures = [FailureJson(f.file, f.line, f.text, f.expected, f.actual) for f in result.failures]
    return ScenarioJson(scenario.file, scenario.line, scenario.name, result.passed, failures)


def print_for_people(console: Console, results: Sequence[Result]) -> None:
    """Print each scenario's name and, where a line did not hold, what was expected there and what riskd did."""
    for result in results:
        mark = Text("ok    ", style="green") if result.passed else Text("FAILED", style="bold red")
        console.print(Text("  ").join([mark, Text(result.scenario.name)]), soft_wrap=True)
        for failure in result.failures:
            _print_failure(console, failure)
    failed = sum(not result.passed for result in results)
    count = f"{len(results)} scenario{'s' if len(results) != 1 else ''}"
    console.print(f"{count}, {failed} failed" if failed else f"{count}, all as expected")


def _print_failure(console: Console, failure: Failure) -> None:
    console.print(Text(f"  {failure.file}:{failure.line}: {failure.text}", style="dim"), soft_wrap=True)
    console.print(Text("    expected  ").append(failure.expected, style="green"), soft_wrap=True)
    console.print(Text("    actual    ").append(failure.actual, style="red"), soft_wrap=True)

"""``riskd scenario``: run scenario files against the bare core."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

_FAILED = 1
_UNREADABLE = 2


def scenario_command(
    files: Annotated[list[Path], typer.Argument(help="Scenario files; several scenarios may stand in one.")],
    *,
    rules: Annotated[
        Path | None, typer.Option(help="Rules of accounts without a rules line, a config.json or its rules alone.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run scenarios and tell every line that did not hold; exit with 1 if there was one, 2 if a file is unreadable."""
    from rich.console import Console

    from riskd.app.scenario import report
    from riskd.app.scenario.on_core import read_scenarios, run_on_core
    from riskd.app.scenario.parser import UnreadableScenario

    try:
        scenarios = read_scenarios(files, default_rules=rules is not None)
        results = [asyncio.run(run_on_core(scenario, rules)) for scenario in scenarios]
    except UnreadableScenario as unreadable:
        typer.echo(str(unreadable), err=True)
        raise typer.Exit(_UNREADABLE) from None
    if as_json:
        sys.stdout.write(report.as_json(results).decode() + "\n")
    else:
        report.print_for_people(Console(), results)
    if not all(result.passed for result in results):
        raise typer.Exit(_FAILED)

"""``riskd replay``: exported trading days through the core, with or without rules."""

import sys
from pathlib import Path
from typing import Annotated

import typer

_REFUSED = 2


def replay_command(
    files: Annotated[list[Path], typer.Argument(help="TopstepX Orders or Trades exports, or lists of fills (CSV).")],
    *,
    rules: Annotated[
        Path | None, typer.Option(help="Rules to judge the days by, a config.json or its rules alone.")
    ] = None,
    prices: Annotated[
        list[Path] | None, typer.Option(help="Prices between the fills: ticks, quotes or bars (CSV, also .gz).")
    ] = None,
    fees: Annotated[
        Path | None, typer.Option(help="USD per contract and side, for exports without fees (CSV: symbol,fee).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Reckon your exported days to the cent, and see what your rules would have done."""
    from rich.console import Console

    from riskd.app.replay import report
    from riskd.app.replay.run import ReplayRefused, replay

    try:
        results, book = replay(files, rules=rules, prices=prices or (), fees=fees)
    except ReplayRefused as refused:
        typer.echo(f"riskd replay: {refused}", err=True)
        raise typer.Exit(_REFUSED) from None
    if as_json:
        sys.stdout.write(report.as_json(results, book).decode() + "\n")
    else:
        report.print_for_people(Console(), results, book, judged=rules is not None)

"""``riskd replay``: exported trading days through the core, with or without rules."""

import sys
from pathlib import Path
from typing import Annotated

import typer

_REFUSED = 2
_NARROWEST = 80


def replay_command(
    files: Annotated[
        list[Path], typer.Argument(help="TopstepX Orders or Trades exports, lists of fills (CSV), or riskd's journal.")
    ],
    *,
    rules: Annotated[
        Path | None, typer.Option(help="Rules to judge the days by, a config.json or its rules alone.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Other rules: see what each would have saved or cost on the same days.")
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
    from riskd.app.replay.run import Asked, ReplayRefused, replay

    if against is not None and rules is None:
        raise typer.BadParameter("needs --rules as well: the rules to compare with", param_hint="--against")
    try:
        replayed = replay(Asked(days=files, rules=rules, against=against, prices=prices or (), fees=fees))
    except ReplayRefused as refused:
        typer.echo(f"riskd replay: {refused}", err=True)
        raise typer.Exit(_REFUSED) from None
    if as_json:
        sys.stdout.write(report.as_json(replayed).decode() + "\n")
    else:
        # A narrower terminal breaks the lines itself; a table that is made to fit would lose figures.
        report.print_for_people(Console(width=max(Console().width, _NARROWEST)), replayed, judged=rules is not None)

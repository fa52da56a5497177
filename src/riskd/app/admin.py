"""The console script `riskd-admin`: what only the person in charge of the limits may do."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from riskd.app.configuration.commands import config_app
from riskd.app.configuration.preset_commands import preset_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run riskd and change what it enforces.",
)
app.add_typer(config_app, name="config")
app.add_typer(preset_app, name="preset")


@app.command()
def run(
    *,
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path("config.json"),
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Where journal and accounts are kept [paths.state, else the user's state folder]."),
    ] = None,
    status_every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Log every account's figures this often, such as 10s.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json/--plain", help="Log as JSON lines, or readable [JSON unless on a terminal].")
    ] = not sys.stdout.isatty(),
    yes: Annotated[
        bool, typer.Option("--yes", help='Do not ask before an account is armed first; follow "arming" of the file.')
    ] = False,
) -> None:
    """Watch the accounts of a configuration and enforce their rules until stopped."""
    from riskd.app.running import Run, run_daemon

    asked = Run(
        config=config, state_dir=state_dir, status_every=status_every, as_json=json, ask=not yes and _on_terminal()
    )
    raise typer.Exit(run_daemon(asked))


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("CI") is None


def main() -> None:
    """Run the console script."""
    app()


if __name__ == "__main__":
    main()

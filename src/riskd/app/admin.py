"""The console script `riskd-admin`: what only the person in charge of the limits may do."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from riskd.app.configuration.commands import config_app
from riskd.app.configuration.preset_commands import preset_app

_OK: Final = 0
_REFUSED: Final = 1
_NOT_ASKED: Final = 2

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


@app.command()
def release(
    account: Annotated[str, typer.Argument(help="The account to release.")],
    *,
    config: Annotated[Path, typer.Option(help="The configuration, for where the state is.")] = Path("config.json"),
    state_dir: Annotated[
        Path | None, typer.Option(help="Where journal and accounts are kept [paths.state, else the user's own].")
    ] = None,
) -> None:
    """Release an account from the lockout of its drawdown, which is then counted anew from today's balance.

    Possible from the next 17:00 Chicago time on, when the account is flat and nothing else locks it; a lockout that
    ends by itself is never released. Exit with 1 where it is refused, 2 where riskd could not be asked.
    """
    from riskd.app.releasing import NotAsked, ask_for_release
    from riskd.app.state_place import state_dir_of

    try:
        answer = ask_for_release(state_dir or state_dir_of(config), account)
    except NotAsked as why:
        typer.echo(f"riskd-admin release: {why}", err=True)
        raise typer.Exit(_NOT_ASKED) from None
    typer.echo(f"account {account}: {answer.text}", err=not answer.done)
    raise typer.Exit(_OK if answer.done else _REFUSED)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("CI") is None


def main() -> None:
    """Run the console script."""
    app()


if __name__ == "__main__":
    main()

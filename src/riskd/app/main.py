"""The console script `riskd`: what a trader does without a running daemon."""

import typer

from riskd.app.configuration.commands import config_app
from riskd.app.demo.command import demo_command
from riskd.app.replay.command import replay_command
from riskd.app.scenario.command import scenario_command
from riskd.app.what_if.command import check_command

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Protect yourself from yourself: watch, replay and rehearse what riskd enforces.",
)
app.command("demo")(demo_command)
app.command("replay")(replay_command)
app.command("scenario")(scenario_command)
app.add_typer(config_app, name="config")
app.command("check")(check_command)


def main() -> None:
    """Run the command line."""
    app()

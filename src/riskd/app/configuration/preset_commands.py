"""``riskd-admin preset``: list, show and apply ready-made parts of a configuration."""

from pathlib import Path
from typing import Annotated

import typer

_REFUSED = 2

preset_app = typer.Typer(no_args_is_help=True, help="Ready-made trading hours and prop firms' account sizes.")


@preset_app.command("list")
def list_command() -> None:
    """List every preset, with the date on which it was last checked against its source."""
    from rich.console import Console
    from rich.table import Table

    from riskd.app.configuration.presets import rows
    from riskd.app.today import today

    table = Table("preset", "what", "checked", box=None, pad_edge=False)
    for row in rows(today()):
        checked = "" if row.checked is None else row.checked.isoformat()
        table.add_row(row.name, row.title, f"{checked} (old)" if row.stale else checked)
    Console().print(table)


@preset_app.command("show")
def show_command(name: Annotated[str, typer.Argument(help="A preset's name.")]) -> None:
    """Show one preset in full: its rules, where they come from and how old they are."""
    from riskd.app.configuration.presets import shown
    from riskd.app.today import today
    from riskd.config.firm_presets import UnknownPreset

    try:
        typer.echo(shown(name, today()))
    except UnknownPreset as error:
        _refuse(str(error))


@preset_app.command("apply")
def apply_command(
    name: Annotated[str, typer.Argument(help="A preset's name.")],
    *,
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path("config.json"),
    profile: Annotated[str, typer.Option(help="The profile to change; it is made where there is none.")] = "default",
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Put a preset into a profile of a configuration file, after showing what changes.

    A running riskd takes the file over as any other change: what is tighter at once, the rest when its time has come.
    While an account is locked nothing is written, unless admin_under_lockout is "allow".
    """
    from riskd.app.configuration.presets import CannotApply, change, write
    from riskd.app.configuration.under_lockout import assert_free
    from riskd.app.today import today
    from riskd.config.firm_presets import UnknownPreset

    try:
        assert_free(config)
        found = change(name, config, profile, today())
        difference = found.diff()
        typer.echo("\n".join(filter(None, (found.note, difference or f"{config}: nothing changes"))))
        if not difference or not (yes or typer.confirm("Write this?")):
            return
        write(found)
    except (CannotApply, UnknownPreset) as error:
        _refuse(str(error))
    typer.echo(f"{config} written")


def _refuse(text: str) -> None:
    typer.echo(f"riskd-admin preset: {text}", err=True)
    raise typer.Exit(_REFUSED) from None

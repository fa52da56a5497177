"""``riskd config`` and ``riskd-admin config``: check a configuration, and tell editors how one is written."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

_FOUND = 2

config_app = typer.Typer(no_args_is_help=True, help="Check a configuration, and help an editor to write one.")


@config_app.command("check")
def check_command(
    file: Annotated[Path, typer.Argument(help="The configuration file.")] = Path("config.json"),
    *,
    rules: Annotated[
        bool, typer.Option("--rules", help="The file only has to give rules; broker and accounts may be missing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List everything that is wrong with a file, then what looks suspicious; exit with 2 if riskd would refuse it."""
    from riskd.app.configuration.checking import check
    from riskd.app.today import today

    found = check(file, for_daemon=not rules, today=today())
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        for line in found.lines():
            typer.echo(line)
        typer.echo(f"{file}: {found.summary()}")
    if found.errors:
        raise typer.Exit(_FOUND)


@config_app.command("schema")
def schema_command(
    output: Annotated[Path | None, typer.Option(help="Write it to a file [to the terminal].")] = None,
) -> None:
    """Give the JSON schema of a configuration, for the "$schema" key that editors complete and check by."""
    from riskd.config.schema import config_schema

    text = json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"riskd config schema: {output}: {error.strerror}", err=True)
        raise typer.Exit(_FOUND) from None
    typer.echo(f'{output} written; name it in config.json: "$schema": "./{output.name}"')

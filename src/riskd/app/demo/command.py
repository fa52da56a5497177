"""``riskd demo``: the command, its options and its exit codes."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from riskd.app.demo.failure import DemoFailed
    from riskd.app.demo.run import Asked
    from riskd.app.demo.scene import Show
    from riskd.app.demo.summary import Report

_FAILED = 1
_REFUSED = 2


def demo_command(
    *,
    fast: Annotated[bool, typer.Option("--fast", help="Do not wait for anybody to read along: a few seconds.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print nothing but the summary, as one line of JSON.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Decides prices, fills and times: the same seed, the same day.")] = 1,
    rules: Annotated[
        Path | None, typer.Option(help="Play your own MaxContracts and DailyRealizedLoss from a config.json.")
    ] = None,
) -> None:
    """Watch riskd protect an account from a stubborn trader for one simulated day.

    Nothing real is touched: the broker is simulated on this machine, only riskd is the real one. It takes a good
    minute; Ctrl+C ends it at any time and leaves nothing behind.
    """
    from riskd.app.demo.failure import DemoFailed
    from riskd.app.demo.lifetime import Interrupted
    from riskd.app.demo.limits import Limits, limits_from
    from riskd.app.demo.run import Asked

    try:
        limits = limits_from(rules) if rules is not None else Limits()
    except DemoFailed as refused:
        typer.echo(f"riskd demo: {refused}", err=True)
        raise typer.Exit(_REFUSED) from None
    try:
        good = _play(Asked(limits=limits, seed=seed, fast=fast), as_json=as_json)
    except Interrupted as interrupted:
        typer.echo(f"riskd demo: ended by {interrupted}; nothing is left behind", err=True)
        raise typer.Exit(interrupted.exit_code) from None
    except DemoFailed as failed:
        _explain(failed)
        raise typer.Exit(_FAILED) from None
    except BrokenPipeError:
        _give_up_stdout()
        raise typer.Exit(_FAILED) from None
    except OSError as error:
        typer.echo(f"riskd demo: this machine refuses: {error}", err=True)
        raise typer.Exit(_FAILED) from None
    raise typer.Exit(0 if good else _FAILED)


def _play(asked: "Asked", *, as_json: bool) -> bool:
    from rich.console import Console

    from riskd.app.demo.lifetime import run_until_signalled
    from riskd.app.demo.run import run_demo

    console = Console(stderr=as_json, highlight=False)
    show, screen = _show(console, fast=asked.fast, quiet=as_json and (asked.fast or not console.is_terminal))

    async def played() -> "Report":
        with screen:
            return await run_demo(asked, show)

    report = run_until_signalled(played())
    _tell_end(console, report, as_json=as_json)
    return report.good


def _show(console: "Console", *, fast: bool, quiet: bool) -> "tuple[Show, AbstractContextManager[object]]":
    """Return who shows the story, and what has to be opened for it."""
    from riskd.app.demo.plain import PlainLines
    from riskd.app.demo.scene import Nobody
    from riskd.app.demo.screen import SMALLEST, Screen

    if quiet:
        return Nobody(), nullcontext()
    columns, rows = console.size
    if fast or not console.is_terminal or columns < SMALLEST[0] or rows < SMALLEST[1]:
        return PlainLines(console), nullcontext()
    screen = Screen(console)
    return screen, screen


def _tell_end(console: "Console", report: "Report", *, as_json: bool) -> None:
    from riskd.app.demo.closing import print_report

    if not as_json or not report.good:
        print_report(console, report)
    if as_json:
        sys.stdout.write(report.json() + "\n")


def _explain(failed: "DemoFailed") -> None:
    typer.echo(f"riskd demo: {failed}", err=True)
    if failed.last_words:
        typer.echo("The last lines of riskd's log:", err=True)
    for line in failed.last_words:
        typer.echo(f"  {line}", err=True)


def _give_up_stdout() -> None:
    """Let go of a pipe that nobody reads any more, so that the interpreter does not complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

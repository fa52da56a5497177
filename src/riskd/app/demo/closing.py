"""The end of the demo for people: what fired, how quick it was, and whether the broker's books agree."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from riskd.app.demo.daemon_log import Enforced
from riskd.app.demo.glyphs import Glyphs, glyphs_for
from riskd.app.demo.summary import Check, Report
from riskd.app.demo.wording import clock, closed, milliseconds

_CANCEL = "cancel_order"


def print_report(console: Console, report: Report) -> None:
    """Print the summary."""
    console.print()
    console.print(_table(report))
    console.print("Milliseconds from the message that broke the limit, as riskd measured them.", style="dim")
    console.print()
    glyphs = glyphs_for(console)
    for check in report.checks:
        console.print(_line(check, glyphs), soft_wrap=False)


def _table(report: Report) -> Table:
    table = Table(title="What riskd enforced", title_style="bold", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("Chicago", no_wrap=True)
    table.add_column("rule")
    table.add_column("what was done")
    table.add_column("sent", justify="right")
    table.add_column("done", justify="right")
    for line in report.enforced:
        sent, done = milliseconds(line.breach_to_sent_ms), milliseconds(line.breach_to_done_ms)
        table.add_row(clock(line.breached_at), line.rule, _done(line), sent, done)
    return table


def _done(line: Enforced) -> str:
    what = closed(line.targets)
    if not what:
        return "cancelled the order" if line.action == _CANCEL else line.action
    left = sum(abs(target.left) for target in line.targets)
    return f"closed {what}" if left else f"flattened {what}"


def _line(check: Check, glyphs: Glyphs) -> Text:
    sign, colour = (glyphs.good, "green") if check.good else (glyphs.bad, "bold red")
    return Text.assemble("  ", (sign, colour), "  ", check.text)

"""The parts of the screen: who holds what, how near the limits are, what happened."""

import textwrap
from decimal import Decimal
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from riskd.app.demo.daemon_log import Status
from riskd.app.demo.desk import PRODUCTS
from riskd.app.demo.glyphs import Glyphs
from riskd.app.demo.limits import DAILY_LOSS
from riskd.app.demo.scene import ACTS, DaemonState, Entry, Scene, Tone, Who
from riskd.app.demo.setup_files import ACCOUNT
from riskd.app.demo.wording import clock, day_and_clock, left, until, usd

NAMES: Final = {Who.DEMO: "", Who.MARKET: "market", Who.RISKD: "riskd", Who.TRADER: "trader"}
_COLOURS: Final = {Who.DEMO: "dim", Who.MARKET: "magenta", Who.RISKD: "bold", Who.TRADER: "cyan"}
_TONES: Final = {Tone.PLAIN: "", Tone.ALARM: "red", Tone.GOOD: "green"}
_PREFIX: Final = 18
ZERO: Final = Decimal(0)


def header(scene: Scene, glyphs: Glyphs) -> RenderableType:
    """Return what is going on, and when."""
    act = ACTS[max(scene.act, 1) - 1]
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    line.add_row(
        Text.assemble(("riskd demo", "bold"), ("  a trading day on a simulated broker", "dim")),
        Text(day_and_clock(scene.desk.now), "bold"),
    )
    dots = Text.assemble((glyphs.done * scene.act, "cyan"), (glyphs.ahead * (len(ACTS) - scene.act), "bright_black"))
    line.add_row(Text(f"{scene.act}. {act.title}", "bold cyan"), dots)
    return Group(line, Text(act.caption, "italic"))


def holdings(scene: Scene, glyphs: Glyphs) -> Panel:
    """Return prices and positions from the broker, and the day's figures from riskd."""
    return Panel(
        Group(_prices(scene, glyphs), Text(), _figures(scene)),
        title=f"account {ACCOUNT}",
        title_align="left",
        box=box.ROUNDED,
        border_style="bright_black",
        padding=(0, 1),
    )


def _prices(scene: Scene, glyphs: Glyphs) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=4)
    grid.add_column(justify="right", width=9)
    grid.add_column(width=1)
    grid.add_column()
    held = scene.desk.held()
    for product in PRODUCTS:
        quote = scene.desk.quotes.get(product)
        price = f"{quote.last:,.2f}" if quote is not None else ""
        size = held.get(product, 0)
        grid.add_row(Text(product, "bold"), price, glyphs.step(scene.desk.steps[product]), _position(size))
    return grid


def _position(size: int) -> Text:
    if not size:
        return Text("flat", "dim")
    return Text(f"{'long' if size > 0 else 'short'} {abs(size)}", "bold yellow")


def _figures(scene: Scene) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=15)
    grid.add_column(justify="right", width=10)
    status, known = scene.heard.status, scene.daemon is not DaemonState.KILLED
    grid.add_row("realized", _amount(status.realized if status else None, known=known))
    grid.add_row("open", _amount(status.unrealized if status else None, known=known))
    grid.add_row("day, with fees", _amount(status.net if status else None, known=known))
    return grid


def _amount(amount: Decimal | None, *, known: bool) -> Text:
    if amount is None:
        return Text("-", "dim")
    colour = "red" if amount < 0 else "green" if amount > 0 else ""
    return Text(usd(amount), f"bold {colour}" if known else "dim")


def limits(scene: Scene, glyphs: Glyphs, width: int) -> Panel:
    """Return how near each limit is, and what riskd does."""
    status = scene.heard.status
    locked = status is not None and status.state == "locked" and scene.daemon is DaemonState.RUNNING
    title = f"LOCKED until {until(status.locked_until)}" if locked and status is not None else "limits"
    return Panel(
        Group(*_contracts(scene, status, glyphs, width), Text(), *_loss(scene, status, glyphs, width), _daemon(scene)),
        title=title,
        title_align="left",
        box=box.HEAVY if locked else box.ROUNDED,
        border_style="bold red" if locked else "bright_black",
        padding=(0, 1),
    )


def _contracts(scene: Scene, status: Status | None, glyphs: Glyphs, width: int) -> tuple[RenderableType, ...]:
    most = scene.limits.max_contracts
    count = 0 if status is None else status.contracts
    return _gauge("contracts", f"{count} of {most}", glyphs.bar(Decimal(count) / most, width), width)


def _loss(scene: Scene, status: Status | None, glyphs: Glyphs, width: int) -> tuple[RenderableType, ...]:
    limit = scene.limits.daily_loss
    room = None if status is None else status.headrooms.get(DAILY_LOSS)
    if room is None:
        return _gauge("day's loss", f"limit {usd(limit)}", glyphs.bar(ZERO, width), width)
    text = f"{usd(room)} left of {usd(-limit)}" if room > 0 else f"limit {usd(limit)} reached"
    return _gauge("day's loss", text, glyphs.bar(1 + room / limit, width), width)


def _gauge(name: str, text: str, bar: Text, width: int) -> tuple[RenderableType, ...]:
    line = Table.grid()
    line.add_column(width=width - len(text))
    line.add_column(justify="right", width=len(text))
    line.add_row(name, Text(text, "bold"))
    return line, bar


def _daemon(scene: Scene) -> Text:
    process = "" if scene.pid is None else f", process {scene.pid}"
    match scene.daemon:
        case DaemonState.RUNNING:
            return _protection(scene, scene.heard.status)
        case DaemonState.KILLED:
            return Text.assemble("riskd ", (" KILLED ", "bold white on red"), "  nobody is watching")
        case DaemonState.STARTING:
            return Text.assemble("riskd ", ("starting", "yellow"), process)
        case DaemonState.NOT_STARTED | DaemonState.STOPPED:
            return Text.assemble("riskd ", (scene.daemon.value, "dim"))


def _protection(scene: Scene, status: Status | None) -> Text:
    if status is None:
        return Text("riskd")
    moment = status.locked_until
    if status.state != "locked" or moment is None:
        return Text.assemble("riskd ", (status.state, "bold green"), f", process {scene.pid}")
    rest = left(scene.desk.now, moment)
    return Text.assemble("riskd ", ("locked", "bold red"), f", {rest} left")


def happenings(scene: Scene, *, rows: int, width: int) -> Panel:
    """Return the last lines of the story, as many as fit; the newest at the bottom."""
    lines: list[Text] = []
    for entry in reversed(scene.entries):
        told = told_lines(entry, width)
        if len(lines) + len(told) > rows:
            break
        lines[:0] = told
    return Panel(
        Group(*lines),
        title="what happens",
        title_align="left",
        box=box.ROUNDED,
        border_style="bright_black",
        padding=(0, 1),
    )


def told_lines(entry: Entry, width: int) -> list[Text]:
    """Return an entry as lines of a width: time, who, what, and the figures under it."""
    wrapped = textwrap.wrap(entry.text, max(width - _PREFIX, 20)) or [""]
    tone = _TONES[entry.tone]
    first = Text.assemble(
        (clock(entry.at), "dim"), "  ", (f"{NAMES[entry.who]:6}", _COLOURS[entry.who]), "  ", (wrapped[0], tone)
    )
    rest = [Text.assemble(" " * _PREFIX, (line, tone)) for line in wrapped[1:]]
    detail = [Text.assemble(" " * _PREFIX, (line, "dim")) for line in textwrap.wrap(entry.detail, width - _PREFIX)]
    return [first, *rest, *detail]

"""The demo's screen: whole at 80 columns and 24 rows in every act, and readable where only ASCII can be shown."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from riskd.app.demo.daemon_log import Cause, Heard, Status
from riskd.app.demo.desk import Desk
from riskd.app.demo.glyphs import PLAIN, Glyphs
from riskd.app.demo.limits import Limits
from riskd.app.demo.panels import happenings, holdings, limits
from riskd.app.demo.prices import Mood, Prices
from riskd.app.demo.scene import ACTS, DaemonState, Entry, Scene, Who
from riskd.app.demo.screen import Screen
from riskd.app.demo.setup_files import gateway_settings
from riskd.simulator import SimulatedGateway

END = datetime(2026, 3, 17, 22, tzinfo=UTC)
LOCKED = Status(
    state="locked",
    realized=Decimal("-1049.34"),
    net=Decimal("-1049.34"),
    headrooms={"DailyRealizedLoss": Decimal("-49.34")},
    locked=(Cause(cause="DailyRealizedLoss", until=END),),
)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Set the scene of a locked account at a broker that has prices."""
    prices = Prices(1)
    async with SimulatedGateway(gateway_settings(prices.opening, 1)) as gateway:
        desk = Desk(gateway, prices)
        for quote in desk.move(Mood.CALM):
            desk.show(quote)
        found = Scene(desk=desk, heard=Heard(), limits=Limits(), seed=1, act=4, daemon=DaemonState.RUNNING, pid=12345)
        found.heard.take(LOCKED)
        yield found


def console(width: int = 80, height: int = 24) -> Console:
    """Return a terminal that writes into a text."""
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)


def shown(part: object, width: int = 40) -> str:
    """Return what a part of the screen looks like."""
    screen = console(width)
    screen.print(part)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (78, 22)])
async def test_every_act_fits(scene: Scene, width: int, height: int) -> None:
    """Titles and captions are whole, and exactly the terminal's rows are filled."""
    scene.entries = [Entry(at=END, who=Who.RISKD, text="flattened 2 ES, 2 MNQ", detail="sent after 1.0 ms")] * 40
    terminal = console(width, height)
    screen = Screen(terminal)
    for number, act in enumerate(ACTS, start=1):
        scene.act = number
        lines = [text.rstrip() for text in _text(terminal, screen, scene).splitlines()]
        assert len(lines) == height
        assert f" {number}. {act.title}" in lines[1]
        assert lines[2].strip() == act.caption


def _text(terminal: Console, screen: Screen, scene: Scene) -> str:
    rows = terminal.render_lines(screen.layout(scene), terminal.options.update(height=terminal.height))
    return "\n".join("".join(segment.text for segment in row) for row in rows)


async def test_a_lock_cannot_be_overlooked(scene: Scene) -> None:
    """The frame says until when, the bar is full, and the hours left are counted."""
    panel = shown(limits(scene, Glyphs(), 36))
    assert "LOCKED until 17:00 CT" in panel
    assert "limit -1,000.00 reached" in panel
    assert "█" * 36 in panel
    assert "riskd locked, 7 h 30 min left" in panel


async def test_a_killed_daemon_is_not_shown_as_protection(scene: Scene) -> None:
    """While nobody watches, the screen says that, and no lock."""
    scene.daemon = DaemonState.KILLED
    panel = shown(limits(scene, Glyphs(), 36))
    assert "KILLED" in panel
    assert "nobody is watching" in panel
    assert "LOCKED" not in panel


async def test_positions_are_the_brokers_and_money_is_riskds(scene: Scene) -> None:
    """A trade shows at once, from the broker's books; profit and loss are as riskd last reported them."""
    scene.desk.at_market("buy", 2, "MNQ")
    panel = shown(holdings(scene, Glyphs()))
    assert "long 2" in panel
    assert "-1,049.34" in panel


async def test_the_newest_lines_are_kept(scene: Scene) -> None:
    """When the story is longer than the screen, its end is what is shown, and no line is cut in half."""
    scene.entries = [Entry(at=END, who=Who.TRADER, text=f"buys {n} MNQ") for n in range(30)]
    panel = shown(happenings(scene, rows=5, width=36))
    assert [f"buys {n} MNQ" in panel for n in (24, 25, 29)] == [False, True, True]


def test_plain_signs_are_plain() -> None:
    """What replaces the signs of a modern terminal is ASCII throughout."""
    signs = (PLAIN.full, PLAIN.empty, PLAIN.up, PLAIN.down, PLAIN.same, PLAIN.done, PLAIN.ahead, PLAIN.good, PLAIN.bad)
    assert "".join(signs).isascii()
    assert PLAIN.bar(Decimal("0.5"), 10).plain == "#####-----"


@pytest.mark.parametrize(
    ("used", "bar"), [("-3", "    "), ("0", "    "), ("0.99", "### "), ("1", "####"), ("7", "####")]
)
def test_a_bar_is_never_longer_than_its_place(used: str, bar: str) -> None:
    """A gain leaves it empty, a breach fills it, and it is full only at the limit."""
    assert Glyphs(full="#", empty=" ").bar(Decimal(used), 4).plain == bar

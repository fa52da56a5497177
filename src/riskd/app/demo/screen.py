"""The story on a terminal, drawn anew a few times a second."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from riskd.app.demo import panels
from riskd.app.demo.glyphs import glyphs_for
from riskd.app.demo.scene import Entry, Scene

_HEADER_ROWS: Final = 3
_PANEL_ROWS: Final = 8
_FRAME: Final = 4
"""Columns that a panel's border and padding take; half as many rows."""
SMALLEST: Final = (78, 22)
"""Columns and rows below which plain lines are easier to read."""


class Screen:
    """A show on the terminal's second screen; a context manager that gives the first one back."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._glyphs = glyphs_for(console)
        self._live = Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def begin_act(self, scene: Scene) -> None:
        """Show the title of the next part."""
        self.draw(scene)

    def add(self, scene: Scene, entry: Entry) -> None:
        """Leave it to the next drawing: this may be the moment in which riskd acts."""

    def draw(self, scene: Scene) -> None:
        """Draw everything."""
        self._live.update(self.layout(scene), refresh=True)

    def layout(self, scene: Scene) -> Layout:
        """Return everything, laid out for the terminal's present size."""
        width, height = self._console.size
        rows = height - _HEADER_ROWS - _PANEL_ROWS - 1
        middle = Layout(size=_PANEL_ROWS)
        half = width // 2
        middle.split_row(
            Layout(panels.holdings(scene, self._glyphs), size=width - half),
            Layout(panels.limits(scene, self._glyphs, half - _FRAME), size=half),
        )
        whole = Layout()
        whole.split_column(
            Layout(Padding(panels.header(scene, self._glyphs), (0, 1)), size=_HEADER_ROWS),
            middle,
            Layout(panels.happenings(scene, rows=rows - _FRAME // 2, width=width - _FRAME), size=rows),
            Layout(Text(f" seed {scene.seed}    Ctrl+C ends the demo and leaves nothing behind", "dim"), size=1),
        )
        return whole

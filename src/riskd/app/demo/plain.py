"""The story line by line, for a pipe, a small terminal or a hurry."""

from rich.console import Console
from rich.text import Text

from riskd.app.demo.panels import told_lines
from riskd.app.demo.scene import ACTS, Entry, Scene
from riskd.app.demo.wording import day_and_clock

_ENDLESS = 10_000
"""Columns of what is no terminal: whoever reads a pipe wants one line for one thing."""


class PlainLines:
    """Writes what happens, as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = console.width if console.is_terminal else _ENDLESS
        self._unread = False

    def begin_act(self, scene: Scene) -> None:
        """Write the title of the next part."""
        act = ACTS[scene.act - 1]
        if scene.act == 1:
            begins = f"riskd demo, seed {scene.seed}: {day_and_clock(scene.desk.now)}, on a simulated broker"
            self._write(Text(begins, "bold"))
        self._write(Text())
        self._write(Text.assemble((f"{scene.act}. {act.title}. ", "bold cyan"), act.caption))

    def add(self, scene: Scene, entry: Entry) -> None:
        """Write a line, and the figures under it."""
        for line in told_lines(entry, self._width):
            self._write(line)

    def draw(self, scene: Scene) -> None:
        """End the demo when nobody reads any more; a line may have been written where that could not be said.

        Errors: BrokenPipeError.
        """
        if self._unread:
            raise BrokenPipeError("nobody reads what the demo writes")

    def _write(self, line: Text) -> None:
        if self._unread:
            return
        try:
            self._console.print(line, soft_wrap=True)
            self._console.file.flush()
        except BrokenPipeError:
            self._unread = True

"""The few signs that not every terminal can show, each with a plain stand-in, and bars made of them."""

from decimal import Decimal

import msgspec
from rich.console import Console
from rich.text import Text

_WARM = Decimal("0.6")
_HOT = Decimal("0.8")


class Glyphs(msgspec.Struct, frozen=True, kw_only=True):
    """One set of signs."""

    full: str = "█"
    empty: str = "░"
    up: str = "▲"
    down: str = "▼"
    same: str = " "
    done: str = "●"
    ahead: str = "○"
    good: str = "✓"
    bad: str = "✗"

    def step(self, direction: int) -> Text:
        """Return the sign of a price's last step."""
        if not direction:
            return Text(self.same)
        return Text(self.up, "green") if direction > 0 else Text(self.down, "red")

    def bar(self, used: Decimal, width: int) -> Text:
        """Return a bar that is filled by the share of a limit that is used up."""
        share = min(max(used, Decimal(0)), Decimal(1))
        filled = int(share * width)
        colour = "red" if share >= _HOT else "yellow" if share >= _WARM else "green"
        return Text.assemble((self.full * filled, colour), (self.empty * (width - filled), "bright_black"))


PLAIN = Glyphs(full="#", empty="-", up="^", down="v", done="*", ahead=".", good="ok", bad="NO")


def glyphs_for(console: Console) -> Glyphs:
    """Return the signs that a console can show."""
    return Glyphs() if console.encoding.casefold().startswith("utf") else PLAIN

"""Which connections to the gateway stand, told to the core whenever that changes."""

from riskd.adapters.projectx.log import Log
from riskd.domain.events import ConnectionChanged, Link
from riskd.ports import Publish


class Links:
    """Remembers what was last said of each link and reports changes only.

    Shape: what is good news waits until ``release`` where the gateway may yet say that its time is a simulated one, so
    that nothing is dated before riskd knows the date. Bad news does not wait.
    """

    def __init__(self, publish: Publish, log: Log, *, held: bool) -> None:
        self._publish = publish
        self._log = log
        self._said: dict[Link, tuple[bool, str]] = {}
        self._waiting: list[ConnectionChanged] = []
        self._held = held

    def is_up(self, link: Link) -> bool:
        """Tell whether a link was last reported up."""
        return self._said.get(link, (False, ""))[0]

    def up(self, link: Link) -> None:
        """Report a link that stands."""
        self._say(link, up=True, detail="")

    def down(self, link: Link, detail: str) -> None:
        """Report a lost link, again only when there is something new to say of it."""
        self.release()
        self._say(link, up=False, detail=detail)

    def release(self) -> None:
        """Report what was held back."""
        self._held = False
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._publish(event)

    def _say(self, link: Link, *, up: bool, detail: str) -> None:
        if self._said.get(link) == (up, detail):
            return
        self._said[link] = (up, detail)
        (self._log.info if up else self._log.warning)("link_up" if up else "link_down", link=link.value, detail=detail)
        event = ConnectionChanged(link=link, up=up, detail=detail)
        if self._held:
            self._waiting.append(event)
        else:
            self._publish(event)

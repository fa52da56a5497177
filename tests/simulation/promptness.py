"""Liveness, owed in calm weather: what must not be is gone within a second of riskd's knowing of it."""

from datetime import datetime, timedelta
from typing import Final

from tests.simulation import wrongs
from tests.simulation.schedule import ms
from tests.simulation.verdict import Broken
from tests.simulation.world import World
from tests.simulation.wrongs import Wrongs

WITHIN: Final = ms(1000) + 4 * ms(60)
"""A second, and the way of a breach to riskd, of a close there, and of its fill back."""
FREE_WITHIN: Final = timedelta(seconds=6)
AGAIN: Final = timedelta(seconds=2)


class Promptness:
    """Looks for what must not be, and from when it has been so in calm weather."""

    def __init__(self, world: World, readings: Wrongs) -> None:
        self._schedule = world.schedule
        self._venue = world.venue
        self._truth = world.truth
        self._calm = world.calm
        self._wrongs = readings
        self._since: dict[tuple[int, str], datetime] = {}
        self._over_at: dict[tuple[int, str], datetime | None] = {}
        self.counted: dict[str, int] = {}

    def look(self, account: int) -> None:
        """Look at one account now."""
        now = self._schedule.now
        for name, is_so in self._wrongs.of(account):
            key = (account, name)
            if is_so is not False:
                self._over_at[key] = None
            elif key in self._over_at and self._over_at[key] is None:
                self._over_at[key] = now
            if not is_so:
                self._since.pop(key, None)
            elif key not in self._since:
                self._since[key] = now
                self.counted[name] = self.counted.get(name, 0) + 1
                self._ask_again(key, now, self._patience(name))

    def was_lately(self, account: int, name: str, within: timedelta) -> bool:
        """Tell whether one of the things that must not be is or was so, or could not be told, a moment ago."""
        if (account, name) not in self._over_at:
            return False
        over_at = self._over_at[account, name]
        return over_at is None or self._schedule.now - over_at <= within

    @staticmethod
    def _patience(name: str) -> timedelta:
        return FREE_WITHIN if name == wrongs.LOCKED_TOO_LONG else WITHIN

    def _ask_again(self, key: tuple[int, str], since: datetime, after: timedelta) -> None:
        self._schedule.after(after, lambda: self._ask(key, since))

    def _ask(self, key: tuple[int, str], since: datetime) -> None:
        account, name = key
        if not self._wrongs.is_so(account, name):
            self._since.pop(key, None)
        if self._since.get(key) != since:
            return
        calm_since = self._calm.since(account, self._schedule.now)
        if calm_since is None:
            self._ask_again(key, since, AGAIN)
            return
        lasted = self._schedule.now - max(since, calm_since)
        if lasted < self._patience(name):
            self._ask_again(key, since, self._patience(name) - lasted)
            return
        held = {c: q for c, q in self._truth.of(account).held.items() if q}
        orders = [(o.id, o.type.name, o.side.name, o.left) for o in self._venue.live_orders(account)]
        how = f"{account} {name} since {since}, calm since {calm_since}: {held} {orders}"
        wanted = self._wrongs.remedy(account, name)
        raise Broken("within a second", how, account=account, wanted=wanted, since=since)

"""Two prices that move together, tick by tick, from a seed: whole numbers only, so the same on every machine."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Final

import msgspec

ES: Final = "ES"
MNQ: Final = "MNQ"
TICK: Final = Decimal("0.25")

_MOVES: Final = (-2, -1, 0, 1, 2)
_MNQ_TICKS_PER_ES_TICK: Final = 5
_MNQ_NOISE: Final = 6
_PULL: Final = 4
"""In a calm market a price so many ES ticks away from where the calm began is drawn back."""


class Mood(Enum):
    """How the market moves: weights of the moves of one step, two ES ticks down to two up."""

    CALM = (1, 4, 6, 4, 1)
    FALLING = (5, 7, 5, 2, 1)


_DRAWN_DOWN: Final = (2, 5, 6, 3, 0)
_DRAWN_UP: Final = (0, 3, 6, 5, 2)


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a product's prices, with the trade that made it."""

    product: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    size: int


class Opening(msgspec.Struct, frozen=True):
    """The first bids of the day."""

    bids: Mapping[str, Decimal]


class Prices:
    """A seeded walk of ES and MNQ; each step is one quote of each."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)  # noqa: S311 - prices, not secrets
        self._bids = {
            ES: Decimal(6700) + TICK * self._rng.randint(-200, 200),
            MNQ: Decimal(25000) + TICK * self._rng.randint(-1000, 1000),
        }
        self._away = 0
        self.opening = Opening(dict(self._bids))

    def settle(self) -> None:
        """Let the calm begin where the prices are now."""
        self._away = 0

    def step(self, mood: Mood) -> tuple[Quote, ...]:
        """Move both prices once."""
        move = self._rng.choices(_MOVES, self._weights(mood))[0]
        self._away += move
        noise = self._rng.randint(-_MNQ_NOISE, _MNQ_NOISE)
        return (
            self._quote(ES, move, spread=1),
            self._quote(MNQ, move * _MNQ_TICKS_PER_ES_TICK + noise, spread=self._rng.choice((1, 1, 1, 2, 2, 3))),
        )

    def dip(self, product: str, ticks: int) -> Quote:
        """Let one price trade some ticks lower at once."""
        return self._quote(product, -ticks, spread=1)

    def _weights(self, mood: Mood) -> Sequence[int]:
        if mood is Mood.CALM and abs(self._away) > _PULL:
            return _DRAWN_DOWN if self._away > 0 else _DRAWN_UP
        return mood.value

    def _quote(self, product: str, move: int, *, spread: int) -> Quote:
        bid = self._bids[product] = self._bids[product] + move * TICK
        ask = bid + spread * TICK
        bought = self._rng.random() < 0.5  # noqa: PLR2004 - a coin
        return Quote(product=product, bid=bid, ask=ask, last=ask if bought else bid, size=self._rng.randint(1, 9))

"""What one seed decides before anything happens: the days, the markets, the accounts, their rules and their traders."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from tests.simulation import limits
from tests.simulation.limits import MARKETS, Limits
from tests.simulation.truth import CHICAGO

SATURDAY: Final = 5
_STARTS: Final = (
    date(2026, 3, 6),  # over the weekend on which daylight saving begins
    date(2026, 10, 30),  # and the one on which it ends
    date(2026, 2, 2),
    date(2026, 5, 11),
    date(2026, 7, 22),
    date(2026, 9, 1),
)


class Character(StrEnum):
    """How somebody trades."""

    DISCIPLINED = "disciplined"
    TILTED = "tilted"
    BOT = "bot"
    COPIER = "copier"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """One account; ``copies`` is whose fills a copier repeats."""

    number: int
    character: Character
    limits: Limits
    auto_oco: bool = False
    copies: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One trial."""

    seed: int
    starts_at: datetime
    days: int
    markets: tuple[str, ...]
    accounts: tuple[AccountPlan, ...]
    poll_every: timedelta
    rest_commissions: bool
    fill_chunk: int | None
    files: bool
    light: bool = False

    @property
    def ends_at(self) -> datetime:
        """Return when the last day is over."""
        at, left = self.starts_at.astimezone(CHICAGO).replace(tzinfo=None), self.days
        while left:
            at += timedelta(days=1)
            left -= at.weekday() < SATURDAY
        return at.replace(tzinfo=CHICAGO).astimezone(UTC)


def draw(seed: int, days: int, *, light: bool = False) -> Plan:
    """Draw the plan of a seed; ``light`` days have less trading in them, for a quick look at many."""
    rng = Random(f"{seed}:plan")
    starts_on = rng.choice(_STARTS)
    first = _account(seed, rng, 101)
    others = [_account(seed, rng, number, leader=101) for number in range(102, 102 + rng.choice((0, 0, 1, 2)))]
    return Plan(
        seed=seed,
        starts_at=datetime.combine(starts_on, time(17), CHICAGO).astimezone(UTC),
        days=days,
        markets=tuple(rng.sample(MARKETS, rng.choice((1, 2, 2)))),
        accounts=(first, *others),
        poll_every=timedelta(seconds=rng.choice((15, 60, 180))),
        rest_commissions=rng.random() < 0.5,
        fill_chunk=rng.choice((None, None, 1, 2)),
        files=rng.random() < 0.05,
        light=light,
    )


def _account(seed: int, rng: Random, number: int, leader: int | None = None) -> AccountPlan:
    character = rng.choice(list(Character) if leader else list(Character)[:3])
    return AccountPlan(
        number=number,
        character=character,
        limits=limits.draw(rng, Random(f"{seed}:rules {number}")),
        auto_oco=rng.random() < 0.5,
        copies=leader if character is Character.COPIER else None,
    )

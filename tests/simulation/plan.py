"""What one seed decides before anything happens: the days, the markets, the accounts, their rules and their traders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Final

from tests.simulation.truth import CHICAGO

MARKETS: Final = ("MNQ", "ES", "MES", "MCL", "MGC")
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
class Limits:
    """The rules of one account, as the judge reads them; ``loss`` in USD below zero, ``hours`` in Chicago time."""

    max_contracts: int
    count_working: bool = True
    loss: Decimal | None = None
    basis: str = "combined"
    hours: tuple[time, time] | None = None

    def spec(self) -> str:
        """Return the canonical text that riskd is given."""
        rules: list[Mapping[str, object]] = [
            {
                "rule": "MaxContracts",
                "params": {"max_contracts": self.max_contracts, "count_working": self.count_working},
            }
        ]
        if self.loss is not None:
            rules.append({"rule": "DailyRealizedLoss", "params": {"limit": str(self.loss), "basis": self.basis}})
        if self.hours is not None:
            start, end = (f"{clock:%H:%M}" for clock in self.hours)
            rules.append({"rule": "SessionBlockOutside", "params": {"allowed_times": [{"start": start, "end": end}]}})
        return json.dumps({"rules": rules}, sort_keys=True, separators=(",", ":"))


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
    first = _account(rng, 101)
    others = [_account(rng, number, leader=101) for number in range(102, 102 + rng.choice((0, 0, 1, 2)))]
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


def _account(rng: Random, number: int, leader: int | None = None) -> AccountPlan:
    character = rng.choice(list(Character) if leader else list(Character)[:3])
    return AccountPlan(
        number=number,
        character=character,
        limits=_limits(rng),
        auto_oco=rng.random() < 0.5,
        copies=leader if character is Character.COPIER else None,
    )


def _limits(rng: Random) -> Limits:
    return Limits(
        max_contracts=rng.choice((1, 2, 3, 4, 6)),
        count_working=rng.random() < 0.5,
        loss=Decimal(rng.choice((-150, -300, -600, -1200))) if rng.random() < 0.8 else None,
        basis=rng.choice(("combined", "combined", "realized", "worst")),
        hours=rng.choice((None, None, (time(8, 30), time(15)), (time(17), time(15, 10)))),
    )

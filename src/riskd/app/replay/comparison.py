"""Two sets of rules on the same days: what each would have saved or cost, and which comes out ahead.

Each day's result is rounded to cents, as on a statement, so that differences and totals add up to the cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from riskd.app.replay.day_run import DayResult
from riskd.app.replay.enforced_day import Enforced
from riskd.domain.money import ZERO, to_cents


@dataclass(frozen=True, slots=True)
class DayUnderRules:
    """A day as it was traded, and as it would have gone under rules."""

    traded: DayResult
    enforced: Enforced

    @property
    def net(self) -> Decimal:
        """Return what the day would have come to, in USD."""
        return to_cents(self.enforced.net)

    @property
    def as_traded(self) -> Decimal:
        """Return what the day came to, in USD."""
        return to_cents(self.traded.net_marked)

    @property
    def saved(self) -> Decimal:
        """Return by how much (USD) the day would have ended better; negative where the rules would have cost."""
        return self.net - self.as_traded


@dataclass(frozen=True, slots=True)
class UnderRules:
    """Every day under the rules of one file."""

    file: str
    days: tuple[DayUnderRules, ...]

    @property
    def net(self) -> Decimal:
        """Return what all days would have come to."""
        return sum((day.net for day in self.days), ZERO)

    @property
    def as_traded(self) -> Decimal:
        """Return what all days came to."""
        return sum((day.as_traded for day in self.days), ZERO)

    @property
    def saved(self) -> Decimal:
        """Return by how much all days together would have ended better."""
        return self.net - self.as_traded

    @property
    def days_locked(self) -> int:
        """Return on how many days the account would have been locked."""
        return sum(day.enforced.locked is not None for day in self.days)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same days under one file's rules, and against them under another's."""

    rules: UnderRules
    against: UnderRules

    @property
    def pairs(self) -> Sequence[tuple[DayUnderRules, DayUnderRules]]:
        """Return each day under both."""
        return tuple(zip(self.rules.days, self.against.days, strict=True))

    @property
    def differences(self) -> tuple[Decimal, ...]:
        """Return for each day by how much ``against`` would have ended better than ``rules``."""
        return tuple(against.net - rules.net for rules, against in self.pairs)

    @property
    def difference(self) -> Decimal:
        """Return by how much all days together would have ended better under ``against`` than under ``rules``."""
        return self.against.net - self.rules.net

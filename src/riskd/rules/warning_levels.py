"""Saying so before a money limit is reached."""

from decimal import Decimal
from typing import Final

from riskd.domain.money import show
from riskd.domain.violations import RuleWarning

WARN_AT: Final = Decimal("0.8")
"""The share of a limit at which people are told, once a day."""


def nearly_used(what: str, room: Decimal, whole: Decimal) -> tuple[RuleWarning, ...]:
    """Return the warning that most of a limit is used up, none before that and none once it is reached.

    Units: USD, both positive: ``room`` is left of ``whole``.
    """
    if room <= 0 or whole <= 0 or room > whole * (1 - WARN_AT):
        return ()
    percent = int(WARN_AT * 100)
    return (
        RuleWarning(key=f"{percent}%", message=f"more than {percent} % of the {what} is used: {show(room)} USD left"),
    )

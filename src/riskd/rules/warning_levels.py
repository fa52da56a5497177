"""Saying so before a money limit is reached."""

from decimal import Decimal
from typing import Final

from riskd.domain.money import show
from riskd.domain.violations import RuleWarning

WARN_AT: Final = Decimal("0.8")
"""The share of a limit at which people are told, once a day."""


def near_of(whole: Decimal) -> Decimal:
    """Return the last part of a limit (USD) in which people are told."""
    return whole * (1 - WARN_AT)


def nearly_used(what: str, room: Decimal, near: Decimal) -> tuple[RuleWarning, ...]:
    """Return the warning that most of a limit is used up, none before that and none once it is reached.

    Units: USD: ``room`` is what is left, ``near`` that last part of the limit.
    """
    if room > near or room <= 0:
        return ()
    percent = int(WARN_AT * 100)
    message = f"more than {percent} % of the {what} is used: {show(room)} USD left"
    return (RuleWarning(key=f"{percent}%", message=message),)

"""Drawdowns that are counted anew since an admin released their lockout, and how high each has been since."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

_replace: Final = msgspec.structs.replace


class Restart(msgspec.Struct, frozen=True, omit_defaults=True):
    """From where a drawdown is counted anew: the balance at the release, and the high-water marks since.

    Units: USD. ``highest_close`` of closed balance at 17:00, ``highest_equity`` with open P&L.
    Source: ADR 0016.
    """

    balance: Decimal
    highest_close: Decimal
    highest_equity: Decimal


Restarts = Mapping[str, Restart]
"""By rule id; a rule that was never released is not there."""


def restarted(restarts: Restarts, rule_id: str, balance: Decimal) -> Restarts:
    """Return them with a rule's drawdown counted from this balance on."""
    return {**restarts, rule_id: Restart(balance, balance, balance)}


def with_equity(restarts: Restarts, equity: Decimal) -> Restarts:
    """Return them with an equity noted; the same object where none was lower."""
    if all(equity <= each.highest_equity for each in restarts.values()):
        return restarts
    return {rule: _replace(each, highest_equity=max(each.highest_equity, equity)) for rule, each in restarts.items()}


def with_close(restarts: Restarts, closed: Decimal | None, *, flat: bool) -> Restarts:
    """Return them with a closed balance noted at a day's end; it is an equity only where nothing is held."""
    if closed is None or not restarts:
        return restarts
    noted = {rule: _replace(each, highest_close=max(each.highest_close, closed)) for rule, each in restarts.items()}
    return with_equity(noted, closed) if flat else noted

"""Amounts, times and actions as a replay shows them to people."""

from datetime import datetime
from decimal import Decimal

from rich.text import Text

from riskd.domain.calendar import CHICAGO
from riskd.domain.money import show
from riskd.domain.violations import ActionType


def amount(usd: Decimal) -> Text:
    """Return an amount of USD, losses red and gains green."""
    return Text(show(usd), style="red" if usd < 0 else "green" if usd > 0 else "")


def chicago(at: datetime) -> str:
    """Return the wall time in Chicago."""
    return f"{at.astimezone(CHICAGO):%H:%M:%S}"


def action_words(action: ActionType) -> str:
    """Return an action in words."""
    return str(action).replace("_", " ")

"""What people should hear of days ahead that no rule is about: contracts that end, and a calendar that does."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from riskd.domain.account import AccountState
from riskd.domain.exchange_days import KNOWN_UNTIL
from riskd.domain.expiry import ending_of
from riskd.domain.instruments import symbol_of_contract
from riskd.domain.violations import RuleWarning

SOON: Final = timedelta(days=7)
"""How long before a contract ends its holder hears of it, once a TradingDay."""
_CALENDAR_SOON: Final = timedelta(days=30)


def notices(state: AccountState) -> Iterator[RuleWarning]:
    """Give what holds for an account on its TradingDay, each with a key of its own."""
    today = state.trading_day
    for contract, position in state.positions.items():
        ending = ending_of(contract)
        if ending is None or ending.day - today > SOON:
            continue
        symbol, left = symbol_of_contract(contract), (ending.day - today).days
        when = "today" if left == 0 else f"in {left} day{'' if left == 1 else 's'}" if left > 0 else "over"
        yield RuleWarning(
            key=f"expiry {contract}",
            message=f"{position.quantity:+d} {symbol}: its {ending.what} is {ending.day.isoformat()}, {when}; "
            "roll or close it",
        )
    if KNOWN_UNTIL - today <= _CALENDAR_SOON:
        yield RuleWarning(
            key="calendar",
            message=f"riskd knows the exchange's holidays and early closes until {KNOWN_UNTIL.isoformat()} and takes "
            "every later weekday for a usual one; install a newer riskd",
        )

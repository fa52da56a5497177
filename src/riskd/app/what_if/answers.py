"""From a state directory to the answers about an order, one for each account that was asked about."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from riskd.app.what_if.asking import Answer, Question, UnknownSymbol, asked
from riskd.app.what_if.on_disk import Known, NothingWritten, known_accounts
from riskd.domain.instruments import PRODUCTS
from riskd.domain.orders import Side
from riskd.engine.what_if import NoPrice
from riskd.rules.registry import suggestion
from riskd.simulator.exchange.contracts import ContractBook


class CannotAnswer(Exception):
    """The question cannot be answered; the text says why and what to do."""


def answers(
    state_dir: Path,
    *,
    side: str,
    quantity: int,
    symbol: str,
    price: Decimal | None,
    account: str | None,
    now: datetime,
) -> list[Answer]:
    """Ask every account with rules, or the one that is named.

    Errors: CannotAnswer.
    """
    try:
        question = Question(Side(side.lower()), quantity, symbol, price)
    except ValueError:
        raise CannotAnswer(f'"{side}" is neither buy nor sell') from None
    try:
        known = known_accounts(state_dir, now)
        wanted = known if account is None else _only(known, account)
        return [asked(known, name, question, front=_front(symbol, now)) for name, known in wanted.items()]
    except OSError as error:
        raise CannotAnswer(f"{state_dir}: cannot be read: {error.strerror}") from None
    except (NothingWritten, NoPrice, UnknownSymbol) as error:
        raise CannotAnswer(str(error)) from None


def _only(known: Mapping[str, Known], account: str) -> Mapping[str, Known]:
    if account not in known:
        near = suggestion(account, known)
        raise CannotAnswer(f'riskd knows no account "{account}"{near}; it knows {", ".join(known)}')
    return {account: known[account]}


def _front(symbol: str, now: datetime) -> str:
    """Return the month that is in front by the table, for a product that is neither held nor quoted."""
    root = symbol.upper()
    return ContractBook().front(root, now).id if root in PRODUCTS else ""

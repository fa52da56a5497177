"""Money, times and quantities as a trader reads them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from riskd.app.demo.daemon_log import CloseSent, Enforced, Target
from riskd.domain.calendar import CHICAGO
from riskd.domain.instruments import root_of_symbol
from riskd.domain.money import to_cents


def usd(amount: Decimal) -> str:
    """Say an amount with its sign where it is a loss."""
    return f"{to_cents(amount):,.2f}"


def clock(at: datetime) -> str:
    """Say a time of day in Chicago."""
    return f"{at.astimezone(CHICAGO):%H:%M:%S}"


def day_and_clock(at: datetime) -> str:
    """Say a date and a time in Chicago."""
    return f"{at.astimezone(CHICAGO):%a %d %b %Y %H:%M:%S} CT"


def until(moment: datetime | None) -> str:
    """Say when a lockout ends."""
    return "an admin releases it" if moment is None else f"{moment.astimezone(CHICAGO):%H:%M} CT"


def left(now: datetime, moment: datetime) -> str:
    """Say how long it is until a moment."""
    seconds = max(0, int((moment - now).total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def quantities(held: Mapping[str, int]) -> str:
    """Say what is held, such as ``long 2 MNQ, short 1 ES``."""
    parts = (f"{'long' if size > 0 else 'short'} {abs(size)} {product}" for product, size in sorted(held.items()))
    return ", ".join(parts) or "flat"


def contracts(count: int) -> str:
    """Say a number of contracts."""
    return f"{count} contract" if count == 1 else f"{count} contracts"


def milliseconds(duration: Decimal | None) -> str:
    """Say a duration that riskd measured."""
    return "not measured" if duration is None else f"{duration:.1f} ms"


def pace(enforced: Enforced) -> str:
    """Say how quick an enforcement was."""
    sent, done = milliseconds(enforced.breach_to_sent_ms), milliseconds(enforced.breach_to_done_ms)
    return f"request sent after {sent}, done after {done}"


def closed(targets: Iterable[Target]) -> str:
    """Say what was closed, such as ``1 ES`` or ``2 ES, 2 MNQ``."""
    return ", ".join(f"{target.closed} {target.symbol}" for target in targets if target.closed)


def close_request(line: CloseSent) -> tuple[str, int | None]:
    """Return a close as riskd's log tells it, in the broker's terms: product, and contracts or None for all."""
    return root_of_symbol(line.symbol), line.quantity

"""What each fill did to its position, as rules that count trades and losses see it.

A fill that is folded anew may turn out to have done something else: one that came before the fill it closes was taken
for an opening one.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account import Execution, Lot, Position
from riskd.domain.events import Fill
from riskd.domain.lots import Matched
from riskd.domain.money import divided

_replace: Final = msgspec.structs.replace


def executed(
    fill: Fill, lots: Sequence[Lot], matched: Matched, since_flat: Decimal, *, pnl: Decimal, charge: Decimal
) -> Execution:
    """Return what a fill did to the position of these lots, which has made ``since_flat`` net since it opened.

    Shape: neither the envelope's place nor the position's is in it yet.
    """
    opened = fill.quantity - matched.closed
    ended = bool(lots) and (not matched.lots or (matched.closed > 0 and opened > 0))
    # A fill that flips pays its fees for both positions: each bears its share by contracts.
    share = divided(charge, opened, fill.quantity)[1] if ended and opened else charge
    return Execution(
        trade_id=fill.trade_id,
        contract=fill.contract,
        side=fill.side,
        at=fill.at,
        seq=0,
        opened=opened,
        closed=matched.closed,
        position_seq=0,
        realized=since_flat + pnl - share,
        order_id=fill.order_id,
        flat=ended,
    )


def since_flat_after(execution: Execution, charge: Decimal) -> Decimal:
    """Return what the position that is open after a fill has made net since it opened.

    Units: ``charge`` USD that the fill cost.
    """
    if not execution.flat:
        return execution.realized
    return -opening_charge(execution, charge)


def opening_charge(execution: Execution, charge: Decimal) -> Decimal:
    """Return the share of a fill's charge (USD) that the position bears which it opened."""
    return divided(charge, execution.opened, execution.opened + execution.closed)[0]


def told_anew(
    booked: Iterable[Execution], found: Sequence[Execution], position: Position | None
) -> tuple[Execution, ...]:
    """Return what the fills of one contract did in the order of ``found``, with the number of each one's position.

    Shape: a position keeps the number under which its first loss was judged, or by which it is held now.
    """
    known = {execution.trade_id: execution for execution in booked}
    told: list[Execution] = []
    for one in _by_position(found):
        held_now = position.opening_seq if position is not None and not one[-1].flat else 0
        before = (known[e.trade_id].position_seq for e in one if e.closed and e.trade_id in known)
        number = held_now or next(before, 0) or one[0].seq
        told += [_replace(execution, position_seq=number) for execution in one]
    return tuple(told)


def _by_position(executions: Iterable[Execution]) -> Iterator[list[Execution]]:
    """Yield the executions of each position, in order; one that turned it round belongs to what it ended."""
    current: list[Execution] = []
    for execution in executions:
        current.append(execution)
        if execution.flat:
            yield current
            current = []
    if current:
        yield current

"""What is replayed: the fills of all files together, each counted once, split by account and TradingDay."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

import msgspec

from riskd.app.exports.fees import FeeTable
from riskd.app.exports.fills import Export, Kind, in_order
from riskd.app.exports.table import UnreadRow
from riskd.domain.calendar import trading_day
from riskd.domain.events import Fill
from riskd.domain.instruments import root_of_contract


class CountedTwice(Exception):
    """Two files tell of the same fills in different words; the message says which and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One account's fills of one TradingDay, in order; ``has_fees`` says whether they carry what they cost."""

    account: str
    trading_day: date
    fills: tuple[Fill, ...]
    has_fees: bool


@dataclass(frozen=True, slots=True)
class Book:
    """Every day with a fill, by date, then account.

    Shape: ``unread`` rows were left out, ``doubtful`` ones seem to hide a fill; ``repeated`` fills were given more than
    once.
    """

    days: tuple[Day, ...]
    unread: tuple[UnreadRow, ...]
    doubtful: tuple[UnreadRow, ...]
    repeated: int

    @property
    def contracts(self) -> tuple[str, ...]:
        """Return every contract that was traded."""
        return tuple(sorted({fill.contract for day in self.days for fill in day.fills}))


def make_book(exports: Sequence[Export], fees: FeeTable | None = None) -> Book:
    """Put exports together; a fee table replaces nothing that an export says itself.

    Errors: CountedTwice when an Orders and a Trades export overlap, whose Ids do not tell that fills are the same.
    """
    _refuse_overlap(exports)
    known: dict[str, Fill] = {}
    unread = [row for export in exports for row in export.unread]
    repeated = sum(export.repeated for export in exports)
    days: dict[tuple[date, str], list[tuple[Fill, bool]]] = defaultdict(list)
    for export in exports:
        for fill in export.fills:
            if fill.trade_id in known:
                repeated += 1
                unread += _contradiction(export.file, known[fill.trade_id], fill)
                continue
            known[fill.trade_id] = fill
            charged = _with_fee(fill, fees) if fees is not None and not export.has_fees else fill
            has_fees = export.has_fees or fees is not None
            days[trading_day(fill.at), fill.account].append((charged, has_fees))
    made = tuple(_day(key, days[key]) for key in sorted(days))
    doubtful = tuple(row for export in exports for row in export.doubtful)
    return Book(made, tuple(unread), doubtful, repeated)


def _contradiction(file: str, first: Fill, again: Fill) -> list[UnreadRow]:
    if first == again:
        return []
    why = f"Id {again.trade_id} was read from another file with other figures; the first one counts"
    return [UnreadRow(file, 0, why)]


def _day(key: tuple[date, str], fills: Sequence[tuple[Fill, bool]]) -> Day:
    return Day(
        account=key[1],
        trading_day=key[0],
        fills=tuple(in_order(fill for fill, _ in fills)),
        has_fees=all(has_fees for _, has_fees in fills),
    )


def _with_fee(fill: Fill, fees: FeeTable) -> Fill:
    rate = fees.get(root_of_contract(fill.contract))
    return fill if rate is None else msgspec.structs.replace(fill, fees=rate * fill.quantity)


def _refuse_overlap(exports: Sequence[Export]) -> None:
    for one, other in combinations(exports, 2):
        if one.kind is other.kind or Kind.FILLS in (one.kind, other.kind):
            continue
        both = sorted(_days(one).keys() & _days(other).keys())
        if both:
            raise CountedTwice(
                f"{one.file} ({one.kind}) and {other.file} ({other.kind}) both have fills of {both[0]}, which would "
                "count twice; give one of the two"
            )


def _days(export: Export) -> Mapping[date, None]:
    return dict.fromkeys(trading_day(fill.at) for fill in export.fills)

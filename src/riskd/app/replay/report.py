"""What a replay shows: one line a day for people, the fixed JSON for programs."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from riskd.app.replay.book import Book
from riskd.app.replay.day_run import DayResult, WouldAct
from riskd.domain.calendar import CHICAGO
from riskd.domain.money import ZERO, show
from riskd.domain.violations import ActionType

_MOST_UNREAD_SHOWN: Final = 20


class ActionJson(msgspec.Struct, frozen=True):
    """The first action of a rule on a day."""

    rule: str
    at: datetime
    action: str
    reason: str
    day_if_stopped: str


class DayJson(msgspec.Struct, frozen=True):
    """One account's day; money is text with two decimals, ``open_at_end`` signed contracts by symbol."""

    trading_day: date
    account: str
    fills: int
    gross: str
    fees: str | None
    net: str
    low_water: str
    high_water: str
    max_contracts: int
    open_at_end: dict[str, int]
    actions: list[ActionJson]


class RowJson(msgspec.Struct, frozen=True):
    """A row, and what is wrong with it."""

    file: str
    line: int
    why: str


class ReplayJson(msgspec.Struct, frozen=True):
    """The whole answer.

    Shape: ``unread_rows`` were left out; ``doubtful_rows`` were read but seem to hide a fill; ``repeated_fills`` were
    given more than once and counted once.
    """

    days: list[DayJson]
    unread_rows: list[RowJson]
    doubtful_rows: list[RowJson]
    repeated_fills: int


def as_json(results: Sequence[DayResult], book: Book) -> bytes:
    """Return the answer for programs."""
    answer = ReplayJson(
        days=[_day(result) for result in results],
        unread_rows=[RowJson(row.file, row.line, row.why) for row in book.unread],
        doubtful_rows=[RowJson(row.file, row.line, row.why) for row in book.doubtful],
        repeated_fills=book.repeated,
    )
    return msgspec.json.encode(answer)


def _day(result: DayResult) -> DayJson:
    return DayJson(
        trading_day=result.day.trading_day,
        account=result.day.account,
        fills=len(result.day.fills),
        gross=show(result.gross),
        fees=None if result.fees is None else show(result.fees),
        net=show(result.net),
        low_water=show(result.low_water),
        high_water=show(result.high_water),
        max_contracts=result.max_contracts,
        open_at_end=result.open_at_end,
        actions=[_action(action) for action in result.actions],
    )


def _action(action: WouldAct) -> ActionJson:
    return ActionJson(
        rule=action.rule,
        at=action.at,
        action=str(action.action),
        reason=action.reason,
        day_if_stopped=show(action.day_if_stopped),
    )


def print_for_people(console: Console, results: Sequence[DayResult], book: Book, *, judged: bool) -> None:
    """Print one line a day, what the rules would have done, and everything that is not as it should be."""
    console.print(_days_table(results))
    if judged:
        console.print(_actions_table(results))
    console.print(_bottom_line(results))
    for note in _notes(results, book):
        console.print(Text("! ", style="yellow") + Text(note))


def _days_table(results: Sequence[DayResult]) -> Table:
    several = len({result.day.account for result in results}) > 1
    with_fees = any(result.fees is not None for result in results)
    table = Table(title="What happened", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("trading day", no_wrap=True)
    if several:
        table.add_column("account")
    for name in ("fills", "gross", *(("fees", "net") if with_fees else ()), "lowest", "highest", "most"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        fees = (Text("-" if result.fees is None else show(result.fees)), _money(result.net)) if with_fees else ()
        table.add_row(
            str(result.day.trading_day),
            *([result.day.account] if several else []),
            str(len(result.day.fills)),
            _money(result.gross),
            *fees,
            _money(result.low_water),
            _money(result.high_water),
            str(result.max_contracts),
        )
    return table


def _money(amount: Decimal) -> Text:
    return Text(show(amount), style="red" if amount < 0 else "green" if amount > 0 else "")


def _actions_table(results: Sequence[DayResult]) -> Table | Text:
    if not any(result.actions for result in results):
        return Text("No rule would have acted.\n")
    table = Table(title="What the rules would have done first", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("trading day", "Chicago"):
        table.add_column(name, no_wrap=True)
    table.add_column("what and why")
    for name in ("day then", "day's end"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        for action in result.actions:
            table.add_row(
                str(result.day.trading_day),
                f"{action.at.astimezone(CHICAGO):%H:%M:%S}",
                Text(f"{action.rule}: {str(action.action).replace('_', ' ')}\n").append(action.reason, style="dim"),
                _money(action.day_if_stopped),
                _money(result.net),
            )
    return table


def _bottom_line(results: Sequence[DayResult]) -> Text:
    """Say what the days come to, and what they would have come to had each ended at its first lock."""
    locks = (ActionType.FLATTEN_ACCOUNT, ActionType.SET_LOCKOUT)
    ended = sum((result.net for result in results), ZERO)
    firsts = (next((a.day_if_stopped for a in r.actions if a.action in locks), r.net) for r in results)
    stopped = sum(firsts, ZERO)
    text = Text("All days together: ").append(_money(ended))
    if stopped != ended:
        text.append("; ended where a rule would first have locked: ").append(_money(stopped))
    return text.append("\n")


def _notes(results: Sequence[DayResult], book: Book) -> list[str]:
    notes = [_open_at_end(result, symbol) for result in results for symbol in result.open_at_end]
    notes += [f"{row.file}:{row.line}: {row.why}" for row in book.doubtful]
    if book.repeated:
        notes.append(f"{book.repeated} fills were given more than once and counted once")
    notes += [f"{row.file}:{row.line}: left out: {row.why}" for row in book.unread[:_MOST_UNREAD_SHOWN]]
    if len(book.unread) > _MOST_UNREAD_SHOWN:
        notes.append(f"and {len(book.unread) - _MOST_UNREAD_SHOWN} more rows left out; --json lists them all")
    return notes


def _open_at_end(result: DayResult, symbol: str) -> str:
    held = result.open_at_end[symbol]
    return (
        f"{result.day.trading_day}: {symbol} does not come to flat, {'long' if held > 0 else 'short'} {abs(held)} "
        "at the end: a fill is missing from the export, or the position was carried over"
    )

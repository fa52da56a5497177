"""What a replay shows: one line a day for people, the fixed JSON for programs."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from riskd.app.replay.comparison_report import ComparisonJson, comparison_json, for_people
from riskd.app.replay.day_run import DayResult, WouldAct
from riskd.app.replay.judged_rules import NOT_TOLD
from riskd.app.replay.run import Replayed
from riskd.app.replay.wording import action_words, amount, chicago
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
    open_at_end: Mapping[str, int]
    actions: list[ActionJson]


class RowJson(msgspec.Struct, frozen=True):
    """A row, and what is wrong with it."""

    file: str
    line: int
    why: str


class ReplayJson(msgspec.Struct, frozen=True):
    """The whole answer.

    Shape: ``unread_rows`` were left out; ``doubtful_rows`` were read but seem to hide a fill; ``repeated_fills`` were
    given more than once and counted once. ``unjudged_rules`` need what a record does not tell. ``comparison`` is there
    with a second file of rules.
    """

    days: list[DayJson]
    unread_rows: list[RowJson]
    doubtful_rows: list[RowJson]
    repeated_fills: int
    unjudged_rules: list[str]
    comparison: ComparisonJson | msgspec.UnsetType = msgspec.UNSET


def as_json(replayed: Replayed) -> bytes:
    """Return the answer for programs."""
    results, book, comparison = replayed.days, replayed.book, replayed.comparison
    answer = ReplayJson(
        days=[_day(result) for result in results],
        unread_rows=[RowJson(row.file, row.line, row.why) for row in book.unread],
        doubtful_rows=[RowJson(row.file, row.line, row.why) for row in book.doubtful],
        repeated_fills=book.repeated,
        unjudged_rules=list(replayed.unjudged),
        comparison=msgspec.UNSET if comparison is None else comparison_json(comparison),
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


def print_for_people(console: Console, replayed: Replayed, *, judged: bool) -> None:
    """Print one line a day, what the rules would have done, and everything that is not as it should be."""
    if not replayed.days:
        console.print(Text("There is no fill in what was given.\n"))
    else:
        _print_days(console, replayed, judged=judged)
    for note in _notes(replayed):
        console.print(Text("! ", style="yellow") + Text(note))


def _print_days(console: Console, replayed: Replayed, *, judged: bool) -> None:
    console.print(_days_table(replayed.days))
    if replayed.comparison is not None:
        for part in for_people(replayed.comparison):
            console.print(part)
    else:
        if judged:
            console.print(_actions_table(replayed.days))
        console.print(_bottom_line(replayed.days))


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
        fees = (Text("-" if result.fees is None else show(result.fees)), amount(result.net)) if with_fees else ()
        table.add_row(
            str(result.day.trading_day),
            *([result.day.account] if several else []),
            str(len(result.day.fills)),
            amount(result.gross),
            *fees,
            amount(result.low_water),
            amount(result.high_water),
            str(result.max_contracts),
        )
    return table


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
                chicago(action.at),
                Text(f"{action.rule}: {action_words(action.action)}\n").append(action.reason, style="dim"),
                amount(action.day_if_stopped),
                amount(result.net),
            )
    return table


def _bottom_line(results: Sequence[DayResult]) -> Text:
    """Say what the days come to, and what they would have come to had each ended at its first lock."""
    locks = (ActionType.FLATTEN_ACCOUNT, ActionType.SET_LOCKOUT)
    ended = sum((result.net for result in results), ZERO)
    firsts = (next((a.day_if_stopped for a in r.actions if a.action in locks), r.net) for r in results)
    stopped = sum(firsts, ZERO)
    text = Text("All days together: ").append(amount(ended))
    if stopped != ended:
        text.append("; ended where a rule would first have locked: ").append(amount(stopped))
    return text.append("\n")


def _notes(replayed: Replayed) -> list[str]:
    results, book = replayed.days, replayed.book
    notes = [f"{rule} is not judged: a record does not tell {NOT_TOLD[rule]}" for rule in replayed.unjudged]
    notes += [_open_at_end(result, symbol) for result in results for symbol in result.open_at_end]
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

"""How two sets of rules compare: tables for people, the keys below ``comparison`` for programs."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import PurePath
from typing import Final

import msgspec
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from riskd.app.replay.comparison import Comparison, DayUnderRules, UnderRules
from riskd.app.replay.day_run import WouldAct
from riskd.app.replay.enforced_day import Locked
from riskd.app.replay.wording import action_words, amount, chicago
from riskd.domain.calendar import CHICAGO
from riskd.domain.money import show

ASSUMPTIONS: Final = (
    "What riskd closes fills at the contract's price at that moment, without slippage, at the fee of its last fill.",
    "What would have opened or enlarged a position while the account was locked or in a cooldown is not traded.",
    "An exit closes no more than is still held. Everything else goes on as it was recorded.",
    "Amounts are net, each day rounded to cents; what is open at a day's end counts at its last price.",
)


class FirstJson(msgspec.Struct, frozen=True):
    """The first thing that the rules would have done on a day."""

    rule: str
    at: datetime
    action: str
    reason: str


class DayUnderRulesJson(msgspec.Struct, frozen=True):
    """One account's day under rules.

    Shape: ``saved`` is negative where the rules would have cost; ``locked_at`` is None on a day without a lockout,
    ``locked_until`` also where only an admin ends it; ``fills_not_made`` were not traded, or not whole.
    """

    trading_day: date
    account: str
    as_traded: str
    under_rules: str
    saved: str
    first: FirstJson | None
    locked_at: datetime | None
    locked_until: datetime | None
    fills_not_made: int


class TotalJson(msgspec.Struct, frozen=True):
    """All days together."""

    as_traded: str
    under_rules: str
    saved: str
    days_locked: int


class UnderRulesJson(msgspec.Struct, frozen=True):
    """Every day under the rules of one file."""

    file: str
    days: list[DayUnderRulesJson]
    total: TotalJson


class DifferenceJson(msgspec.Struct, frozen=True):
    """By how much each day, and all together, would have ended better under ``against`` than under ``rules``."""

    days: list[str]
    total: str


class ComparisonJson(msgspec.Struct, frozen=True):
    """The whole comparison; the days are in the same order everywhere."""

    rules: UnderRulesJson
    against: UnderRulesJson
    difference: DifferenceJson
    assumptions: list[str]


def comparison_json(comparison: Comparison) -> ComparisonJson:
    """Return a comparison for programs."""
    return ComparisonJson(
        rules=_under_json(comparison.rules),
        against=_under_json(comparison.against),
        difference=DifferenceJson([show(d) for d in comparison.differences], show(comparison.difference)),
        assumptions=list(ASSUMPTIONS),
    )


def _under_json(under: UnderRules) -> UnderRulesJson:
    total = TotalJson(show(under.as_traded), show(under.net), show(under.saved), under.days_locked)
    return UnderRulesJson(under.file, [_day_json(day) for day in under.days], total)


def _day_json(day: DayUnderRules) -> DayUnderRulesJson:
    enforced, recorded = day.enforced, day.traded.day
    return DayUnderRulesJson(
        trading_day=recorded.trading_day,
        account=recorded.account,
        as_traded=show(day.as_traded),
        under_rules=show(day.net),
        saved=show(day.saved),
        first=None if enforced.first is None else _first_json(enforced.first),
        locked_at=None if enforced.locked is None else enforced.locked.at,
        locked_until=None if enforced.locked is None else enforced.locked.until,
        fills_not_made=enforced.not_made,
    )


def _first_json(first: WouldAct) -> FirstJson:
    return FirstJson(rule=first.rule, at=first.at, action=str(first.action), reason=first.reason)


# --- for people ----------------------------------------------------------------------------------------------------


def for_people(comparison: Comparison) -> Iterator[RenderableType]:
    """Give the tables and sentences of a comparison, one after the other."""
    pairs = _named(comparison)
    yield Text("\n").join(Text(f"{name} is {under.file}") for name, under in pairs)
    yield Text("")
    yield _days_table(comparison)
    yield _firsts_table(pairs, several=_several(comparison))
    yield Text.assemble("All days together as they were traded: ", amount(comparison.rules.as_traded))
    for name, under in pairs:
        yield _total(name, under)
    yield _verdict(comparison)
    yield Text("")
    yield Text("What this assumes", style="bold")
    for assumption in ASSUMPTIONS:
        yield Text(f"- {assumption}", style="dim")
    yield Text("")


def _named(comparison: Comparison) -> tuple[tuple[str, UnderRules], tuple[str, UnderRules]]:
    return ("A", comparison.rules), ("B", comparison.against)


def _several(comparison: Comparison) -> bool:
    return len({day.traded.day.account for day in comparison.rules.days}) > 1


def _day_cell(day: DayUnderRules, *, several: bool) -> str:
    recorded = day.traded.day
    return f"{recorded.trading_day}\n{recorded.account}" if several else str(recorded.trading_day)


def _days_table(comparison: Comparison) -> Table:
    several = _several(comparison)
    table = Table(title="How the days would have ended", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("day", overflow="fold")
    for name in ("traded", "under A", "saved", "under B", "saved", "B - A"):
        table.add_column(name, justify="right", no_wrap=True)
    for (rules, against), difference in zip(comparison.pairs, comparison.differences, strict=True):
        amounts = (rules.as_traded, rules.net, rules.saved, against.net, against.saved, difference)
        table.add_row(_day_cell(rules, several=several), *map(amount, amounts))
    return table


def _firsts_table(pairs: Sequence[tuple[str, UnderRules]], *, several: bool) -> Table | Text:
    table = Table(title="What each would have done first", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("day", overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("Chicago", no_wrap=True)
    table.add_column("what and why")
    table.add_column("locked", no_wrap=True)
    for both in zip(*(under.days for _, under in pairs), strict=True):
        for (name, _), day in zip(pairs, both, strict=True):
            if day.enforced.first is not None:
                first, locked = day.enforced.first, day.enforced.locked
                what = Text(f"{first.rule}: {action_words(first.action)}\n").append(first.reason, style="dim")
                table.add_row(_day_cell(day, several=several), name, chicago(first.at), what, _locked(locked))
    return table if table.row_count else Text("Neither would have done anything.\n")


def _locked(locked: Locked | None) -> str:
    if locked is None:
        return "no"
    until = "released" if locked.until is None else f"{locked.until.astimezone(CHICAGO):%H:%M}"
    return f"{chicago(locked.at)}\nuntil {until}"


def _total(name: str, under: UnderRules) -> Text:
    saved = "the same" if not under.saved else f"{'saves' if under.saved > 0 else 'costs'} {show(abs(under.saved))}"
    days = f"locked on {under.days_locked} of {len(under.days)} days"
    return Text.assemble(f"Under {name} ({PurePath(under.file).name}): ", amount(under.net), f", {saved}, {days}")


def _verdict(comparison: Comparison) -> Text:
    difference = comparison.difference
    if not difference:
        return Text("Both would have come to the same.")
    return Text(f"{'B' if difference > 0 else 'A'} would have ended {show(abs(difference))} USD better.")

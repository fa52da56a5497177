"""A replay from file names to results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from riskd.app.exports.fees import read_fees
from riskd.app.exports.fills import Export, read_export
from riskd.app.exports.journals import is_journal, read_journal_days
from riskd.app.exports.prices import PriceFile, merged, read_prices
from riskd.app.exports.table import ForeignFile
from riskd.app.replay.book import Book, CountedTwice, Day, make_book
from riskd.app.replay.comparison import Comparison, DayUnderRules, UnderRules
from riskd.app.replay.day_run import DayResult, DayRun
from riskd.app.replay.enforced_day import EnforcedDay
from riskd.app.replay.judged_rules import judged, unjudged
from riskd.config.errors import ConfigErrors
from riskd.config.loader import load_rules
from riskd.config.models import Config
from riskd.domain.calendar import day_end, day_start
from riskd.domain.events import QuoteReported
from riskd.rules.registry import compile_rulebook

_T = TypeVar("_T")


class ReplayRefused(Exception):
    """A replay cannot be done; one sentence for each reason, each with its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be replayed: the days, what their prices and fees were, and the rules to judge them by."""

    days: Sequence[Path]
    rules: Path | None = None
    against: Path | None = None
    prices: Sequence[Path] = ()
    fees: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of it.

    Shape: ``comparison`` is None without a second file of rules; ``unjudged`` names the rules that a record cannot be
    judged by.
    """

    book: Book
    days: tuple[DayResult, ...]
    comparison: Comparison | None
    unjudged: tuple[str, ...]


def replay(asked: Asked) -> Replayed:
    """Run every day through the core.

    Errors: ReplayRefused for a file that is not what it should be.
    """
    refusals: list[str] = []
    files = [asked.rules, asked.against]
    rules, against = (_or_refusal(partial(_rules, file), refusals) for file in files)
    fees = asked.fees
    table = _or_refusal(lambda: None if fees is None else read_fees(str(fees), _bytes(fees)), refusals)
    records = [_or_refusal(partial(_record, file), refusals) for file in asked.days]
    known = [record for record in records if record is not None]
    book = _or_refusal(lambda: make_book([export for export, _ in known], table), refusals)
    only = book.contracts if book is not None else ()
    read = [_or_refusal(partial(_prices, file, only), refusals) for file in asked.prices]
    if refusals or book is None:
        raise ReplayRefused("\n".join(dict.fromkeys(refusals)))
    price_files = [*(prices for _, prices in known if prices is not None), *(file for file in read if file is not None)]
    unread = (*book.unread, *(row for file in price_files for row in file.unread))
    quotes = list(merged(price_files))
    days = tuple(_traded(day, rules, _quotes_of(day, quotes)) for day in book.days)
    configs = [config for config in (rules, against) if config is not None]
    return Replayed(
        book=replace(book, unread=unread),
        days=days,
        comparison=_compared(asked, rules, against, days, quotes),
        unjudged=_unjudged(configs, book.days),
    )


def _rules(file: Path | None) -> Config | None:
    return None if file is None else load_rules(file)


def _record(file: Path) -> tuple[Export, PriceFile | None]:
    return read_journal_days(file) if is_journal(file) else (read_export(str(file), _bytes(file)), None)


def _prices(file: Path, only: Sequence[str]) -> PriceFile:
    return read_prices(str(file), _bytes(file), only=only)


def _or_refusal(make: Callable[[], _T], refusals: list[str]) -> _T | None:
    """Return what is made, or note why it cannot be, so that one run tells of every file."""
    try:
        return make()
    except (ForeignFile, CountedTwice) as error:
        refusals.append(str(error))
    except ConfigErrors as errors:
        refusals.extend(errors.lines())
    return None


def _quotes_of(day: Day, quotes: Sequence[QuoteReported]) -> list[QuoteReported]:
    begins, ends = day_start(day.trading_day), day_end(day.trading_day)
    contracts = {fill.contract for fill in day.fills}
    return [quote for quote in quotes if begins <= quote.at < ends and quote.contract in contracts]


def _traded(day: Day, config: Config | None, quotes: Sequence[QuoteReported]) -> DayResult:
    spec = None if config is None else judged(config, day.account, "shadow")
    return DayRun(day, compile_rulebook, spec).play(quotes)


def _compared(
    asked: Asked,
    rules: Config | None,
    against: Config | None,
    days: tuple[DayResult, ...],
    quotes: Sequence[QuoteReported],
) -> Comparison | None:
    if rules is None or against is None:
        return None
    first, second = (
        _under(str(file), config, days, quotes) for file, config in ((asked.rules, rules), (asked.against, against))
    )
    return Comparison(first, second)


def _under(file: str, config: Config, days: Sequence[DayResult], quotes: Sequence[QuoteReported]) -> UnderRules:
    def enforced(traded: DayResult) -> DayUnderRules:
        day = traded.day
        run = EnforcedDay(day, compile_rulebook, judged(config, day.account, "enforce"))
        return DayUnderRules(traded, run.play(_quotes_of(day, quotes)))

    return UnderRules(file, tuple(enforced(day) for day in days))


def _unjudged(configs: Sequence[Config], days: Sequence[Day]) -> tuple[str, ...]:
    accounts = {day.account for day in days}
    found = [name for config in configs for account in sorted(accounts) for name in unjudged(config, account)]
    return tuple(dict.fromkeys(found))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ForeignFile(f"{file}: cannot be read: {error.strerror}") from None

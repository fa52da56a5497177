"""A replay from file names to results."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from riskd.app.exports.fees import read_fees
from riskd.app.exports.fills import Export, read_export
from riskd.app.exports.prices import PriceFile, merged, read_prices
from riskd.app.exports.table import ForeignFile
from riskd.app.replay.book import Book, CountedTwice, Day, make_book
from riskd.app.replay.day_run import DayResult, DayRun
from riskd.config.errors import ConfigErrors
from riskd.config.loader import load_rules
from riskd.config.models import Config
from riskd.config.specs import spec_for
from riskd.domain.calendar import day_end, day_start
from riskd.domain.events import QuoteReported
from riskd.rules.registry import canonical, compile_rulebook

_SHADOW: Final = "shadow"
_T = TypeVar("_T")


class ReplayRefused(Exception):
    """A replay cannot be done; one sentence for each reason, each with its file."""


def replay(
    files: Sequence[Path], *, rules: Path | None, prices: Sequence[Path], fees: Path | None
) -> tuple[list[DayResult], Book]:
    """Run every day of these files through the core.

    Errors: ReplayRefused for a file that is not what it should be.
    """
    refusals: list[str] = []
    config = _or_refusal(lambda: None if rules is None else load_rules(rules), refusals)
    table = _or_refusal(lambda: None if fees is None else read_fees(str(fees), _bytes(fees)), refusals)
    exports = [_or_refusal(partial(_export, file), refusals) for file in files]
    book = _or_refusal(lambda: make_book([export for export in exports if export is not None], table), refusals)
    only = book.contracts if book is not None else ()
    read = [_or_refusal(partial(_prices, file, only), refusals) for file in prices]
    if refusals or book is None:
        raise ReplayRefused("\n".join(refusals))
    price_files = [file for file in read if file is not None]
    unread = (*book.unread, *(row for file in price_files for row in file.unread))
    quotes = list(merged(price_files))
    return [_run(day, config, quotes) for day in book.days], replace(book, unread=unread)


def _export(file: Path) -> Export:
    return read_export(str(file), _bytes(file))


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


def _run(day: Day, config: Config | None, quotes: Sequence[QuoteReported]) -> DayResult:
    begins, ends = day_start(day.trading_day), day_end(day.trading_day)
    contracts = {fill.contract for fill in day.fills}
    today = [quote for quote in quotes if begins <= quote.at < ends and quote.contract in contracts]
    spec = None if config is None else _shadow(config, day.account)
    return DayRun(day, compile_rulebook, spec).play(today)


def _shadow(config: Config, account: str) -> str:
    """Return the rules of an account, or of the default profile, such that they act on nothing."""
    own = next((a for a in config.accounts if account in (a.id, a.name)), None)
    spec = spec_for(config, own.profile, own.overrides) if own else spec_for(config)
    decoded: object = json.loads(spec)
    return canonical({**(decoded if isinstance(decoded, dict) else {}), "mode": _SHADOW})


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ForeignFile(f"{file}: cannot be read: {error.strerror}") from None

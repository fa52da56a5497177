"""riskd's own journal as a record of days: the fills that it booked, and the prices that it judged by."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from riskd.app.exports.fills import Export, Kind, in_order
from riskd.app.exports.prices import PriceFile
from riskd.app.exports.table import ForeignFile, UnreadRow
from riskd.domain.decoding import UNDECODABLE
from riskd.domain.events import Fill, QuoteReported, SnapshotReported
from riskd.domain.market import Quote
from riskd.ports import JournalEntry
from riskd.storage.journal_lines import journal_files, read_entry

_FOLDER: Final = "journal"
_SUFFIX: Final = ".jsonl"


def is_journal(path: Path) -> bool:
    """Tell whether a path is a journal's rather than an export's: a folder, or a file of lines of JSON."""
    return path.is_dir() or path.suffix == _SUFFIX


def read_journal_days(path: Path) -> tuple[Export, PriceFile]:
    """Read the fills and prices of a journal's file, of its folder, or of the state folder that it is in.

    Shape: of a fill that was reported again the last report counts, since fees may come later; a voided one is gone.
    Errors: ForeignFile where there is no journal.
    """
    fills: dict[tuple[str, str], Fill] = {}
    quotes: list[QuoteReported] = []
    unread: list[UnreadRow] = []
    for entry in _entries(_files(path), unread):
        for fill in _fills(entry):
            fills[fill.account, fill.trade_id] = fill
        quotes += _quotes(entry)
    standing = [fill for fill in fills.values() if not fill.voided]
    export = Export(
        file=str(path),
        kind=Kind.JOURNAL,
        has_fees=any(fill.fees or fill.commission for fill in standing),
        fills=tuple(in_order(standing)),
        unread=tuple(unread),
        doubtful=(),
        repeated=0,
    )
    return export, PriceFile(str(path), tuple(quotes), ())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = journal_files(path / _FOLDER) or journal_files(path)
    if not found:
        raise ForeignFile(
            f"{path}: a folder without a journal; give riskd's state folder, the journal folder in it, or one .jsonl "
            "file of it"
        )
    return found


def _entries(files: Iterable[Path], unread: list[UnreadRow]) -> Iterator[JournalEntry]:
    for file in files:
        for number, line in enumerate(_lines(file), start=1):
            try:
                yield read_entry(line)
            except UNDECODABLE:
                unread.append(UnreadRow(str(file), number, "not an entry that this version of riskd wrote"))


def _lines(file: Path) -> list[bytes]:
    """Return the complete lines; what stands after the last one is still being written."""
    try:
        *lines, _ = file.read_bytes().split(b"\n")
    except OSError as error:
        raise ForeignFile(f"{file}: cannot be read: {error.strerror}") from None
    return lines


def _fills(entry: JournalEntry) -> tuple[Fill, ...]:
    match entry.envelope.event:
        case Fill() as fill:
            return (fill,)
        case SnapshotReported(fills=fills):
            return fills
        case _:
            return ()


def _quotes(entry: JournalEntry) -> Iterator[QuoteReported]:
    """Give the prices that an event was judged by, dated by it."""
    at, event = entry.envelope.at, entry.envelope.event
    yield from (_quote(row, entry) for row in entry.market if row.mark is not None)
    if isinstance(event, QuoteReported):
        yield msgspec.structs.replace(event, at=at)


def _quote(row: Quote, entry: JournalEntry) -> QuoteReported:
    return QuoteReported(contract=row.contract, at=entry.envelope.at, last=row.mark, bid=row.bid, ask=row.ask)

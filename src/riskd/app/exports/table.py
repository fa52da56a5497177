"""A CSV file as rows that know their line, whatever the order of its columns."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


class ForeignFile(Exception):
    """The file is not of a kind that riskd reads; the message says what was expected and what was found."""


class UnreadableRow(Exception):
    """One row cannot be understood; the message says why, for the list of unread rows."""


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A row that was left out, and why."""

    file: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """One data row: its texts by lower-case column name, and the line it begins on."""

    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return a cell, empty where the column or the cell is missing."""
        return self.cells.get(column, "")

    def required(self, column: str) -> str:
        """Return a cell that must not be empty.

        Errors: UnreadableRow when it is.
        """
        found = self.text(column)
        if not found:
            raise UnreadableRow(f"{column} is empty")
        return found


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file: its lower-case column names, and its text to read rows from."""

    file: str
    header: tuple[str, ...]
    text: str

    def has(self, columns: Sequence[str]) -> bool:
        """Tell whether all these columns are there."""
        return set(columns) <= set(self.header)

    def rows(self) -> Iterator[Row]:
        """Return the rows that are not blank, each with the line it begins on.

        Shape: a quoted text may run over several lines, so lines are counted by the CSV reader, not by rows.
        Errors: ForeignFile where the file stops being CSV.
        """
        reader = csv.reader(io.StringIO(self.text, newline=""))
        try:
            next(reader)
            line = reader.line_num + 1
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield Row(line, dict(zip(self.header, (cell.strip() for cell in cells), strict=False)))
                line = reader.line_num + 1
        except csv.Error as error:
            raise ForeignFile(f"{self.file}: line {reader.line_num} is not CSV ({error})") from None


def open_table(file: str, raw: bytes) -> Table:
    """Decode a CSV file and read its header.

    Errors: ForeignFile for what is no text, or has no header line.
    """
    try:
        text = raw.decode("utf-8-sig")
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    except (UnicodeDecodeError, csv.Error):
        raise ForeignFile(f"{file}: not a CSV file in UTF-8; give it as the platform exported it") from None
    if not any(header):
        raise ForeignFile(f"{file}: empty; expected a CSV file that starts with a line of column names")
    return Table(file, tuple(name.strip().casefold() for name in header), text)

"""Where in a JSON text each value stands, so that an error can name a line.

The standard library's reader has checked the text before; here only places are noted, so the grammar is taken for
granted.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

import msgspec

JsonPath = tuple[str | int, ...]
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Duplicate(msgspec.Struct, frozen=True):
    """A key that one object has twice; ``path`` includes the key."""

    path: JsonPath
    line: int
    first_line: int


class Positions(msgspec.Struct, frozen=True):
    """The line, counted from 1, on which each key or list item of a valid JSON text begins."""

    lines: dict[JsonPath, int]
    duplicates: tuple[Duplicate, ...] = ()

    def line_of(self, path: JsonPath) -> int:
        """Return the line of a path, or of the nearest part of it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Token(msgspec.Struct, frozen=True):
    text: str
    line: int


class _Reader:
    """Walk the tokens of one valid text."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self.lines: dict[JsonPath, int] = {}
        self.duplicates: list[Duplicate] = []

    def read(self, path: JsonPath) -> None:
        self.lines.setdefault(path, self._token.line)
        match self._token.text:
            case "{":
                self._object(path)
            case "[":
                self._list(path)
            case _:
                self._advance()

    def _object(self, path: JsonPath) -> None:
        self._advance()
        while self._token.text != "}":
            key, line = json.loads(self._token.text), self._token.line
            self._note(path, (*path, key), line)
            self._advance()
            self._advance()  # the colon
            self.read((*path, key))
            self._skip_comma()
        self._advance()

    def _note(self, path: JsonPath, key_path: JsonPath, line: int) -> None:
        if key_path in self.lines:
            self.duplicates.append(Duplicate(key_path, line, self.lines[key_path]))
        else:
            self.lines[key_path] = line

    def _list(self, path: JsonPath) -> None:
        self._advance()
        index = 0
        while self._token.text != "]":
            self.read((*path, index))
            index += 1
            self._skip_comma()
        self._advance()

    def _skip_comma(self) -> None:
        if self._token.text == ",":
            self._advance()

    def _advance(self) -> None:
        self._token = next(self._tokens, _Token("", 0))


def _tokens(text: str) -> Iterator[_Token]:
    line, seen = 1, 0
    for found in _TOKEN.finditer(text):
        line += text.count("\n", seen, found.start())
        seen = found.start()
        yield _Token(found.group(), line)


def positions(text: str) -> Positions:
    """Return where everything stands in a text that is known to be valid JSON."""
    reader = _Reader(text)
    reader.read(())
    return Positions(reader.lines, tuple(reader.duplicates))


def show_path(path: JsonPath) -> str:
    """Render a path the way people write it: ``profiles.default.rules[1].params.limit``."""
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown.removeprefix(".")

"""One line of a scenario as words, read from left to right; whatever does not fit says what was expected instead."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from riskd.domain.instruments import PRODUCTS, contract_of_symbol, root_of_contract
from riskd.domain.orders import Side

_MOST_SHOWN: Final = 60
_NUMBER: Final = re.compile(r"^[+-]?\d{1,12}(?:\.\d{1,12})?$")
_COUNT: Final = re.compile(r"^[1-9]\d{0,5}$")
_NAME: Final = re.compile(r"^[\w.-]{1,64}$", re.ASCII)
_SETTING: Final = re.compile(r"^([A-Za-z_][\w.]*)=(.+)$", re.ASCII)
_HELD: Final = re.compile(r"^([A-Z0-9]{1,9}?)([+-]\d{1,6})$")


class Unreadable(Exception):
    """A line cannot be read; the message says what was expected and what was found."""


def split(line: str) -> list[str]:
    """Split a line into words; quoted text stays whole, ``;`` and a leading ``@`` stand alone, ``#`` ends it.

    Errors: Unreadable for a quotation that does not end.
    """
    words: list[str] = []
    word, quoted = "", False
    for char in line:
        if char == '"':
            quoted = not quoted
        if not quoted and char == "#" and not word:
            break
        if not quoted and (char.isspace() or char == ";" or (char == "@" and not word)):
            words += [word] if word else []
            words += [] if char.isspace() else [char]
            word = ""
        else:
            word += char
    if quoted:
        raise Unreadable(f"expected a closing quotation mark, found {line.strip()!r}")
    return [*words, word] if word else words


def is_number(word: str) -> bool:
    """Tell whether a word is a decimal number."""
    return _NUMBER.match(word) is not None


@dataclass(slots=True)
class Words:
    """The words of one line that are still to be read."""

    rest: list[str]

    @property
    def next(self) -> str:
        """Return the next word without taking it, empty at the end."""
        return self.rest[0] if self.rest else ""

    def fail(self, expected: str) -> Unreadable:
        """Return the error that says what was expected here."""
        return Unreadable(
            f"expected {expected}, found {' '.join(self.rest)!r}" if self.rest else f"expected {expected}"
        )

    def take(self, expected: str) -> str:
        """Take the next word, whatever it is."""
        if not self.rest:
            raise self.fail(expected)
        return self.rest.pop(0)

    def took(self, word: str) -> bool:
        """Take the next word if it is this one."""
        if self.next != word:
            return False
        self.rest.pop(0)
        return True

    def one_of(self, choices: Mapping[str, str] | Iterable[str], expected: str = "") -> str:
        """Take one of these words."""
        known = tuple(choices)
        if self.next not in known:
            raise self.fail(expected or " or ".join(known))
        return self.rest.pop(0)

    def name(self, expected: str) -> str:
        """Take the name of an account, order, trade or rule."""
        if not _NAME.match(self.next):
            raise self.fail(expected)
        return self.rest.pop(0)

    def number(self, expected: str) -> Decimal:
        """Take a decimal number."""
        if not is_number(self.next):
            raise self.fail(expected)
        return Decimal(self.rest.pop(0))

    def contracts(self) -> int:
        """Take a positive number of contracts."""
        if not _COUNT.match(self.next):
            raise self.fail("a number of contracts such as 2")
        return int(self.rest.pop(0))

    def side(self) -> Side:
        """Take ``buy`` or ``sell``."""
        return Side(self.one_of(("buy", "sell")))

    def symbol(self) -> str:
        """Take a product root or a contract's symbol."""
        if not is_symbol(self.next):
            raise self.fail("a symbol such as MNQ or MNQH6")
        return self.rest.pop(0)

    def at_price(self) -> Decimal:
        """Take ``@`` and a price."""
        if not self.took("@"):
            raise self.fail("@ and a price")
        return self.number("a price such as 18000.25")

    def settings(self, known: Iterable[str] | None = None) -> dict[str, str]:
        """Take all ``key=value`` words that follow; where ``known`` is given, no others."""
        allowed = None if known is None else tuple(known)
        found: dict[str, str] = {}
        while match := _SETTING.match(self.next):
            key, value = match.groups()
            if allowed is not None and key not in allowed:
                raise self.fail(" or ".join(f"{name}=" for name in allowed))
            if key in found:
                raise self.fail(f"{key}= only once")
            found[key] = value
            self.rest.pop(0)
        return found

    def held(self) -> tuple[str, int] | None:
        """Take a signed position such as ``MNQ+2`` or ``ESH6-1`` if one follows."""
        match = _HELD.match(self.next)
        if match is None or not is_symbol(match.group(1)):
            return None
        self.rest.pop(0)
        return match.group(1), int(match.group(2))

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.rest:
            raise self.fail("the end of the line")


def is_symbol(word: str) -> bool:
    """Tell whether a word is a product root or a contract symbol of a known product."""
    if word in PRODUCTS:
        return True
    try:
        return root_of_contract(contract_of_symbol(word)) in PRODUCTS
    except ValueError:
        return False


def amount(text: str, key: str) -> Decimal:
    """Read the decimal number of a ``key=value`` word."""
    if not is_number(text):
        raise Unreadable(f"expected {key}= with a number, found {text!r}")
    return Decimal(text)


def parts(words: list[str]) -> list[list[str]]:
    """Split words at every ``;``."""
    found: list[list[str]] = [[]]
    for word in words:
        if word == ";":
            found.append([])
        else:
            found[-1].append(word)
    return found

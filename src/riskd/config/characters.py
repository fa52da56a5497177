"""Characters that no name, address or key has: a file or an environment that holds them is damaged."""

import re
from collections.abc import Iterator
from typing import Final

from riskd.config.positions import JsonPath

_NO_TEXT: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and the halves of a character that no encoding can write."""


def odd_places(value: object, path: JsonPath = ()) -> Iterator[JsonPath]:
    """Yield where in a JSON value such a character stands; for a key that is the object that has it."""
    match value:
        case str() if _NO_TEXT.search(value):
            yield path
        case dict():
            for key, item in value.items():
                if _NO_TEXT.search(key):
                    yield path
                else:
                    yield from odd_places(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from odd_places(item, (*path, index))
        case _:
            return

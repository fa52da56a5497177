"""What decoding bytes of unknown origin may raise, wherever they come from: a disk, a network, another's hand."""

from typing import Final

import msgspec

UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what it cannot decode, for text that is no UTF-8, and for what is nested beyond reason."""

"""The strings on which a stranger's client hangs: orders come in by lines, answers and heard events go out by lines.

It runs in the stranger's own environment, where riskd is not installed, so it uses the standard library only.
"""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, TextIO

KINDS: Final = {"limit": 1, "market": 2, "stop": 4, "trailing": 5}
"""The broker's numbers for the kinds of order that every library knows."""

Price = str
"""A price on a string, so that nobody's float is compared."""


class Refused(Exception):
    """The gateway refused a call; carries what the library says about it."""


class Client(Protocol):
    """What every library can do, whatever it calls it."""

    async def log_in(self) -> list[int]:
        """Log in and return the accounts."""
        ...

    async def contract(self, product: str) -> list[str]:
        """Find a product; return its contract's id, tick size and tick value."""
        ...

    async def bars(self, contract: str, count: int) -> list[str]:
        """Return the times of so many five-minute bars, as they came."""
        ...

    async def listen(self, account: int, contract: str) -> None:
        """Open both hubs and subscribe to everything of an account and a contract."""
        ...

    async def place(self, account: int, contract: str, **terms: Any) -> int:
        """Place an order and return its id. Terms: kind, side, size, price, tag, stop_ticks, target_ticks."""
        ...

    async def move_limit(self, account: int, order: int, price: Price) -> None:
        """Change the price of a limit order."""
        ...

    async def cancel(self, account: int, order: int) -> None:
        """Cancel an order."""
        ...

    async def working(self, account: int) -> list[list[Any]]:
        """Return the open orders: id, stop price, limit price."""
        ...

    async def held(self, account: int) -> list[int]:
        """Return the sizes of the open positions."""
        ...

    async def close(self, account: int, contract: str, size: int | None) -> None:
        """Close a position, or a part of it."""
        ...

    async def earned(self, account: int) -> list[Price | None]:
        """Return the profit of every trade, newest first."""
        ...


class Strings:
    """The lines between the test and the puppet."""

    def __init__(self) -> None:
        # A library that prints must not be taken for an answer.
        self._out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def say(self, **line: Any) -> None:
        """Send one line; from any thread."""
        with self._lock:
            self._out.write(json.dumps(line, default=str) + "\n")
            self._out.flush()

    def heard(self, kind: str, raw: object) -> None:
        """Tell what a hub sent, one line for each thing in it."""
        for data in _payloads(raw):
            self.say(heard=kind, data=data)


def text(value: float | None) -> Price | None:
    """Return a price as the text that its float stands for."""
    return None if value is None else str(value)


def number(terms: Mapping[str, Any], name: str) -> float | None:
    """Return a price of an order as the float that every library wants."""
    return float(terms[name]) if name in terms else None


async def dance(client: Client, strings: Strings) -> None:
    """Do what the lines say until they end."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        try:
            strings.say(answer=await getattr(client, order["do"])(**order["with"]))
        except Refused as refused:
            strings.say(refused=str(refused))


def run(client: Client, strings: Strings) -> None:
    """Dance until the lines end, and leave without waiting for the library's threads."""
    asyncio.run(_dance_and_leave(client, strings))


async def _dance_and_leave(client: Client, strings: Strings) -> None:
    await dance(client, strings)
    os._exit(0)


def _payloads(raw: object) -> Iterator[dict[str, Any]]:
    """Unwrap what the library passed on: lists, {"action", "data"}, {"contract_id", "data"}, or the thing itself."""
    if isinstance(raw, dict):
        if "data" in raw:
            yield from _payloads(raw["data"])
        else:
            yield raw
    elif isinstance(raw, list | tuple):
        for each in raw:
            yield from _payloads(each)

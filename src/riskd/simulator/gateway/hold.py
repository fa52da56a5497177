"""Withheld answers: requests that wait for somebody to decide what becomes of them."""

import asyncio

import msgspec

from riskd.simulator.faults.handling import Handling

# call, as control names it -> the end of its path
CALLS = {
    "place": "/Order/place",
    "modify": "/Order/modify",
    "cancel": "/Order/cancel",
    "close": "/Position/closeContract",
    "partial_close": "/Position/partialCloseContract",
}


class HeldCall(msgspec.Struct, kw_only=True):
    """A request that waits for somebody to decide on it."""

    number: int
    call: str
    body: str
    decided: asyncio.Future[Handling]


class Hold:
    """Withholds the answers to chosen calls until they are decided, oldest first."""

    def __init__(self) -> None:
        """Start with nothing withheld."""
        self.calls: set[str] = set()
        self.waiting: list[HeldCall] = []

    def name_of(self, path: str) -> str | None:
        """Return a call's name if it is to be withheld."""
        for call in self.calls:
            if path.endswith(CALLS[call]):
                return call
        return None

    async def decision(self, call: str, *, number: int, body: str) -> Handling:
        """Wait for a decision on one request."""
        future: asyncio.Future[Handling] = asyncio.get_running_loop().create_future()
        held = HeldCall(number=number, call=call, body=body, decided=future)
        self.waiting.append(held)
        try:
            return await future
        finally:
            if held in self.waiting:
                self.waiting.remove(held)

    def let_go(self) -> None:
        """Break off every request that still waits."""
        for held in tuple(self.waiting):
            self.decide(Handling(outcome="dropped"), call=None, number=held.number)

    def decide(self, handling: Handling, *, call: str | None, number: int | None) -> HeldCall:
        """Decide on the oldest request that fits; LookupError when none waits."""
        for held in self.waiting:
            if call in {None, held.call} and number in {None, held.number}:
                self.waiting.remove(held)
                held.decided.set_result(handling)
                return held
        raise LookupError("no withheld request fits: hold() first, then wait for the request")

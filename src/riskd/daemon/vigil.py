"""Whether riskd protects at all, and a word to people when it has not for a while: a lost login closes nothing."""

import asyncio
from collections.abc import Callable
from typing import Final

from riskd.daemon.telling import Teller
from riskd.domain.commands import Severity
from riskd.notifications.dead_man import Sign

PATIENCE_S: Final = 60.0
_LOOKS: Final = 12


class Vigil:
    """Looks now and then whether every account is protected, whatever the rules say about lost connections."""

    def __init__(self, sign: Callable[[], Sign], teller: Teller, *, patience_s: float = PATIENCE_S) -> None:
        """Ask ``sign``; tell when it has said no for so long."""
        self._sign = sign
        self._teller = teller
        self._patience_s = patience_s

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        last_protected, told = loop.time(), False
        while True:
            await asyncio.sleep(self._patience_s / _LOOKS)
            sign, now = self._sign(), loop.time()
            if sign.protects:
                if told:
                    self._teller.say("", "protection", "riskd protects again", Severity.WARNING)
                last_protected, told = now, False
            elif not told and now - last_protected >= self._patience_s:
                text = f"riskd has not been able to protect for {self._patience_s:g} s: {sign.text}"
                self._teller.say("", "protection", text, Severity.CRITICAL)
                told = True

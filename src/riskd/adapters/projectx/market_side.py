"""The market hub's tenant: quotes of every contract that matters, and a watch over their silence.

Where quotes fall silent, market trades are asked for as well, and where these do not come either, the broker's bars.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec

from riskd.adapters.projectx import event_normalizer as normalizer
from riskd.adapters.projectx.bars import Bars
from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.event_normalizer import Malformed
from riskd.adapters.projectx.feed import Feed
from riskd.adapters.projectx.hubs import Call, Hub
from riskd.adapters.projectx.reads import Reads
from riskd.domain.calendar import market_open
from riskd.domain.events import FeedSilent, Link, QuoteReported
from riskd.domain.exchange_days import schedule_of
from riskd.domain.instruments import root_of_contract

_QUOTES: Final = "SubscribeContractQuotes"
_QUOTES_OFF: Final = "UnsubscribeContractQuotes"
_TAPE: Final = "SubscribeContractTrades"
_TAPE_OFF: Final = "UnsubscribeContractTrades"
_LOOK_EVERY_S: Final = 1.0
# Nobody trades some contracts for hours: a new connection does not help there, and too many of them are resented.
_RESTARTS_APART_S: Final = 300.0


class MarketSide:
    """Listens to prices; subscribes what is watched."""

    def __init__(
        self,
        context: Context,
        reads: Reads,
        *,
        on_control: Callable[[str, msgspec.Raw], None],
        stale_after_s: Callable[[], float],
    ) -> None:
        self._context = context
        self._on_control = on_control
        self._feed = Feed(stale_after_s)
        self.bars = Bars(context, reads, self._feed, report=self._tell)
        self.hub: Hub | None = None
        self.malformed = 0
        self._restarted_real = float("-inf")

    def watch(self, contract: str) -> None:
        """Subscribe a contract's quotes, now and after every reconnect."""
        if self._feed.watch(contract, self._context.clock.now(), monotonic()):
            self._call(_QUOTES, contract)

    def let_go(self, seen_real: float) -> None:
        """Let go of contracts that nobody has held for long; all accounts have been read since ``seen_real``."""
        for contract in self._feed.unwanted(seen_real - self._context.settings.let_go_after_s):
            self._feed.unwatch(contract)
            self._call(_QUOTES_OFF, contract)
            self._call(_TAPE_OFF, contract)

    def invoked(self, target: str, arguments: msgspec.Raw) -> None:
        """Publish a price inside the read that brought it."""
        if target == "GatewayQuote":
            self._quoted(normalizer.read_quote(arguments, self._context.clock.now()))
        elif target == "GatewayTrade":
            self._traded(normalizer.read_tape(arguments, self._context.clock.now()))
        else:
            self._on_control(target, arguments)

    def garbled(self, why: str) -> None:
        """Count what could not be read; the next quote will do."""
        self.malformed += 1
        self._context.log.warning("market_record_unreadable", why=why)

    def subscriptions(self) -> tuple[Call, ...]:
        """Return a quote subscription for each watched contract."""
        return tuple((_QUOTES, (contract,)) for contract in self._feed.watched())

    async def catch_up(self) -> None:
        """Give the feed time to speak again; quotes are not replayed."""
        self._feed.excuse(self._context.clock.now(), monotonic())

    def came_back(self) -> None:
        """Wait for quotes; there is nothing to read."""

    async def keep_watch(self) -> None:
        """Report silence for ever."""
        while True:
            await asyncio.sleep(min(self._feed.stale_after_s / 4, _LOOK_EVERY_S))
            self._look()

    def _look(self) -> None:
        now, real = self._context.clock.now(), monotonic()
        closed = [c for c in self._feed.watched() if not market_open(now, schedule_of(root_of_contract(c)))]
        self._feed.closed(closed, now, real)
        if not self._context.links.is_up(Link.MARKET_HUB):
            self._feed.excuse(now, real)
            self._tell_silence(self._feed.missed(now, real))
            return
        silence = self._feed.look(now, real)
        self._tell_silence(silence.reported)
        for contract in silence.asked:
            self._call(_QUOTES, contract)
            self._call(_TAPE, contract)
        if silence.helpless and self.hub is not None and real - self._restarted_real >= _RESTARTS_APART_S:
            self._restarted_real = real
            self.hub.restart("no price comes although the connection stands")

    def _tell_silence(self, contracts: tuple[str, ...]) -> None:
        for contract in contracts:
            self._context.log.warning("feed_silent", contract=contract)
            self._context.publish(FeedSilent(contract))

    def _quoted(self, quote: QuoteReported | Malformed) -> None:
        if isinstance(quote, Malformed):
            self._unreadable(quote)
            return
        if self._feed.heard(quote.contract, self._context.clock.now(), monotonic()):
            self._call(_TAPE_OFF, quote.contract)
        self._tell(quote)

    def _traded(self, batch: QuoteReported | Malformed) -> None:
        """Use market trades while there are no quotes; only a quote ends the silence of quotes."""
        if isinstance(batch, Malformed):
            self._unreadable(batch)
            return
        self._tell(batch)

    def _tell(self, quote: QuoteReported) -> None:
        """Publish a price; a quote of volume alone shows that the feed lives, and there is nothing in it to judge."""
        if quote.last is None and quote.bid is None and quote.ask is None:
            return
        self._feed.priced(quote.contract, self._context.clock.now(), monotonic(), known_to=quote.at)
        self._context.publish(quote, broker_at=quote.at)

    def _unreadable(self, said: Malformed) -> None:
        self.malformed += 1
        self._context.log.warning("quote_unreadable", why=said.why, payload=said.payload)

    def _call(self, target: str, contract: str) -> None:
        if self.hub is not None:
            self.hub.call(target, contract)

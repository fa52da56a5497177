"""One account as a rule sees it: its state, the market and the clock of the event, with the figures derived once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from riskd.domain.account import AccountState, PnlSettings, Position
from riskd.domain.booking import book_fill
from riskd.domain.calendar import day_start
from riskd.domain.events import AnyEvent, Fill
from riskd.domain.instruments import Instrument, root_of_contract
from riskd.domain.market import Market
from riskd.domain.money import exact
from riskd.domain.orders import WorkingOrder, entries

ZERO: Final = Decimal(0)
DISAGREEMENT: Final = timedelta(milliseconds=250)
"""How long fills and the broker's position may differ before riskd believes that something was missed."""
_DEFAULT_SETTINGS: Final = PnlSettings()


class AccountView:
    """A read-only look at one account at one moment.

    Units: all money in USD, quantities in signed contracts.
    """

    __slots__ = (
        "_entries", "_equity", "_in_play", "_net", "_open", "_quantities", "_unrealized",
        "account", "at", "instruments", "market", "settings",
    )  # fmt: skip

    def __init__(
        self,
        account: AccountState,
        *,
        market: Market,
        instruments: Mapping[str, Instrument],
        at: datetime,
        settings: PnlSettings = _DEFAULT_SETTINGS,
    ) -> None:
        """Look at ``account`` with these prices at this time."""
        self.account = account
        self.market = market
        self.instruments = instruments
        self.at = at
        self.settings = settings
        # Reckoned once and kept: functools.cached_property takes a lock on Python 3.11, which costs more than the sums.
        self._quantities: Mapping[str, int] | None = None
        self._in_play: tuple[str, ...] | None = None
        self._entries: dict[str, tuple[WorkingOrder, ...]] = {}
        self._open: dict[str, Decimal] = {}
        self._unrealized: Decimal | None = None
        self._net: Decimal | None = None
        self._equity: Decimal | None = None

    @property
    def quantities(self) -> Mapping[str, int]:
        """Return the signed quantity per contract that rules judge: the larger of fills and broker if they differ."""
        if self._quantities is None:
            self._quantities = self._reckon_quantities()
        return self._quantities

    def _reckon_quantities(self) -> Mapping[str, int]:
        found = {contract: position.quantity for contract, position in self.account.positions.items()}
        for contract, reported in self.account.reported.items():
            since = reported.disagrees_since
            overdue = since is not None and self.at - since >= DISAGREEMENT
            if overdue and abs(reported.quantity) > abs(found.get(contract, 0)):
                found[contract] = reported.quantity
        return found

    def including(self, event: AnyEvent) -> "AccountView":
        """Return the view with a fill booked that the caller has not booked yet; other events change nothing here."""
        if not isinstance(event, Fill) or event.contract not in self.instruments:
            return self
        booked = book_fill(
            self.account,
            event,
            self.instruments[event.contract],
            seq=self.account.last_fill_seq + 1,
            at=self.at,
            method=self.settings.matching,
        )
        return self.of(booked)

    def of(self, account: AccountState) -> "AccountView":
        """Return the same look at another state of the account."""
        other = AccountView(
            account, market=self.market, instruments=self.instruments, at=self.at, settings=self.settings
        )
        if account.positions is self.account.positions:
            other._open, other._unrealized = self._open, self._unrealized
        return other

    @property
    def positions(self) -> Mapping[str, Position]:
        """Return the open positions by contract."""
        return self.account.positions

    def root(self, contract: str) -> str:
        """Return the product root of a contract."""
        instrument = self.instruments.get(contract)
        return instrument.root if instrument else root_of_contract(contract)

    def mark(self, contract: str, quantity: int) -> Decimal | None:
        """Return the price that a position of this sign is valued at, None while none is known."""
        quote = self.market.get(contract)
        return quote.price(quantity, bid_ask=self.settings.price_source == "bid_ask") if quote else None

    def unrealized(self, contract: str) -> Decimal:
        """Return the open P&L of one position: sum of (mark - lot price) x signed quantity x point value."""
        found = self._open.get(contract)
        if found is None:
            found = self._open[contract] = self._reckon_unrealized(contract)
        return found

    def _reckon_unrealized(self, contract: str) -> Decimal:
        position, instrument = self.account.positions.get(contract), self.instruments.get(contract)
        if position is None or instrument is None:
            return ZERO
        mark = self.mark(contract, position.quantity)
        if mark is None:
            return ZERO
        points = ZERO
        for lot in position.lots:
            points += (mark - lot.price) * lot.quantity
        return exact(points * instrument.point_value)

    @property
    def total_unrealized_pnl(self) -> Decimal:
        """Return U, the open P&L of all positions."""
        if self._unrealized is None:
            self._unrealized = sum([self.unrealized(contract) for contract in self.account.positions], ZERO)
        return self._unrealized

    @property
    def realized_pnl_today(self) -> Decimal:
        """Return R, the realized P&L of the TradingDay, net of fees unless the settings exclude them.

        Shape: the broker's figure; the worse one where it lastingly differs from what the fills add up to.
        """
        return exact(self.account.realized - self.account.realized_doubt - self._fees)

    @property
    def _fees(self) -> Decimal:
        return self.account.fees if self.settings.fees == "included" else ZERO

    @property
    def net_pnl(self) -> Decimal:
        """Return N, the day's net P&L from cash flows, which needs no matching method."""
        if self._net is None:
            self._net = self._reckon_net()
        return self._net

    def _reckon_net(self) -> Decimal:
        total = -self._fees
        for contract, flow in self.account.flow.items():
            instrument = self.instruments.get(contract)
            if instrument is None:
                continue
            if not instrument.point_value:
                # Nobody says what a point is worth: the broker's own figures are all there is.
                total += sum((f.pnl or ZERO for f in self.account.fills.values() if f.contract == contract), ZERO)
                continue
            total += instrument.point_value * (flow + self._held_value(contract))
        return exact(total)

    def _held_value(self, contract: str) -> Decimal:
        position = self.account.positions.get(contract)
        if position is None:
            return ZERO
        mark = self.mark(contract, position.quantity)
        if mark is not None:
            return mark * position.quantity
        # Without a price nothing is won or lost: what was carried in is worth its 17:00 mark, the rest what it cost.
        carried, begins = self.account.carried_marks.get(contract), day_start(self.account.trading_day)
        return sum(
            (
                (carried if carried is not None and lot.opened_at < begins else lot.price) * lot.quantity
                for lot in position.lots
            ),
            ZERO,
        )

    @property
    def equity(self) -> Decimal | None:
        """Return balance plus open P&L, by the lower of the balances that are in doubt; None while none is known."""
        if self._equity is None:
            self._equity = self._reckon_equity()
        return self._equity

    def _reckon_equity(self) -> Decimal | None:
        state = self.account
        if state.base is None:
            return None
        base = state.base if state.base_drift is None else min(state.base, state.base_drift)
        return exact(base + state.realized - state.fees + self.total_unrealized_pnl)

    @property
    def combined_exposure(self) -> Decimal:
        """Return realized and open P&L of the day together (N)."""
        return self.net_pnl

    @property
    def in_play(self) -> tuple[str, ...]:
        """Return the contracts that are held or have working orders, sorted."""
        if self._in_play is None:
            held = [contract for contract, quantity in self.quantities.items() if quantity]
            self._in_play = tuple(sorted({*held, *[order.contract for order in self.account.orders.values()]}))
        return self._in_play

    def entry_orders(self, contract: str) -> tuple[WorkingOrder, ...]:
        """Return the working orders that could open or enlarge a position in this contract, oldest first."""
        found = self._entries.get(contract)
        if found is None:
            mine = [order for order in self.account.orders.values() if order.contract == contract]
            found = self._entries[contract] = entries(mine, self.quantities.get(contract, 0))
        return found

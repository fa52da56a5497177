"""Facts first: every event is booked into the accounts and the market table before any rule runs."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account import AccountState, Close, CloseStatus, NoNewRisk, PnlSettings
from riskd.domain.account_view import AccountView
from riskd.domain.booking import new_account, roll_day, stamp
from riskd.domain.events import (
    AccountReported,
    AnyEvent,
    ConnectionChanged,
    DaemonStarted,
    Envelope,
    FeedSilent,
    Fill,
    InstrumentReported,
    OrderReported,
    PositionReported,
    QuoteReported,
    SnapshotReported,
)
from riskd.domain.instruments import Instrument, table_instrument, unknown_instrument
from riskd.domain.market import Quote, filled, quoted, settled
from riskd.engine.account_fold import (
    DOUBTFUL,
    LOST,
    Context,
    fold_account,
    fold_fill,
    fold_order,
    fold_position,
    fold_snapshot,
)
from riskd.engine.rule_changes import loosening_due

_replace: Final = msgspec.structs.replace
_DEFAULT: Final = PnlSettings()


class Booked(msgspec.Struct, frozen=True):
    """What booking one account's event showed that people should hear of."""

    adopted: tuple[str, ...] = ()
    void: bool = False
    new_day: bool = False


class StateManager:
    """Hold the accounts, the market table and the instruments, and fold events into them.

    Shape: the one mutable place of the core; the values in it are immutable.
    """

    def __init__(self) -> None:
        """Start with no accounts, prices or instruments."""
        self.accounts: dict[str, AccountState] = {}
        self.market: dict[str, Quote] = {}
        self.instruments: dict[str, Instrument] = {}
        self.settings: dict[str, PnlSettings] = {}
        self.quarantined: set[str] = set()

    def to_write(self, account: str) -> AccountState:
        """Return the account as it goes to disk: with all that a judgement after a restart must start from."""
        own = {c: record for c, record in self.instruments.items() if record != table_instrument(c)}
        return _replace(self.accounts[account], prices=dict(self.market), instruments=own)

    def take_over(self, written: AccountState) -> Mapping[str, Quote]:
        """Take an account from disk, and return the prices that came with it and are newer than those known."""
        newer = {
            contract: row
            for contract, row in written.prices.items()
            if contract not in self.market or self.market[contract].at <= row.at
        }
        self.market.update(newer)
        for record in written.instruments.values():
            self.book_instrument(InstrumentReported(instrument=record))
        self._know(*written.flow, *written.positions, *written.reported, *(o.contract for o in written.orders.values()))
        self.accounts[written.account] = _replace(written, prices={}, instruments={})
        return newer

    def settings_of(self, account: str) -> PnlSettings:
        """Return how this account's P&L is reckoned."""
        return self.settings.get(account, _DEFAULT)

    def view(self, account: str, at: datetime) -> AccountView:
        """Return the account as rules see it at this time.

        Errors: KeyError for an account that was never heard of.
        """
        return AccountView(
            self.accounts[account],
            market=self.market,
            instruments=self.instruments,
            at=at,
            settings=self.settings_of(account),
        )

    # --- queries in the words of the backlog -------------------------------------------------------------------

    def get_position_count(self, account: str) -> int:
        """Return the contracts held in all instruments together, long and short alike."""
        return sum(abs(position.quantity) for position in self.accounts[account].positions.values())

    def is_locked_out(self, account: str) -> bool:
        """Tell whether a lockout stands."""
        return self.accounts[account].locked

    def lockout_until(self, account: str) -> datetime | None:
        """Return when the last lockout ends, None when there is none or only an admin can end it."""
        lockouts = self.accounts[account].lockouts
        if not lockouts or any(lockout.until is None for lockout in lockouts):
            return None
        return max(lockout.until for lockout in lockouts if lockout.until is not None)

    def realized_pnl_today(self, account: str, at: datetime) -> Decimal:
        """Return R in USD."""
        return self.view(account, at).realized_pnl_today

    def combined_exposure(self, account: str, at: datetime) -> Decimal:
        """Return realized and open P&L of the day together, in USD."""
        return self.view(account, at).combined_exposure

    # --- booking -----------------------------------------------------------------------------------------------

    def ensure(self, account: str, at: datetime) -> AccountState:
        """Return the account, made new when it was never heard of."""
        state = self.accounts.get(account)
        if state is None:
            state = self.accounts[account] = new_account(account, at)
        return state

    def advance(self, account: str, at: datetime) -> bool:
        """Begin the new TradingDay if its time has come; tell whether it did."""
        state = self.accounts[account]
        if at < state.day_ends_at:
            return False
        marks = {c: self._mark(c, p.quantity, account) for c, p in state.positions.items()}
        self.accounts[account] = roll_day(state, marks, at)
        return True

    def _mark(self, contract: str, quantity: int, account: str) -> Decimal | None:
        quote = self.market.get(contract)
        return quote.price(quantity, bid_ask=self.settings_of(account).price_source == "bid_ask") if quote else None

    def book_account_event(self, account: str, envelope: Envelope) -> Booked:
        """Fold one account's event into it."""
        self.ensure(account, envelope.at)
        new_day = self.advance(account, envelope.at)
        event, state = envelope.event, self.accounts[account]
        self._know(*_contracts(event))
        context = self._context(account, envelope)
        booked = Booked(new_day=new_day)
        match event:
            case Fill():
                self._mark_by_fill(state, event, envelope.at)
                state = fold_fill(state, event, context)
            case OrderReported():
                state = fold_order(state, event, envelope.seq)
            case PositionReported():
                state = fold_position(state, event, envelope.at)
            case AccountReported():
                state = fold_account(state, event)
            case SnapshotReported():
                for fill in event.fills:
                    self._mark_by_fill(state, fill, envelope.at)
                snapshot = fold_snapshot(state, event, context)
                state = snapshot.state
                booked = Booked(adopted=snapshot.adopted, void=snapshot.void, new_day=new_day)
            case _:
                pass
        if state is not self.accounts[account]:
            self.accounts[account] = _replace(state, seq=envelope.seq)
        return booked

    def _context(self, account: str, envelope: Envelope) -> Context:
        return Context(
            seq=envelope.seq,
            at=envelope.at,
            instruments=self.instruments,
            market=self.market,
            settings=self.settings_of(account),
        )

    def _know(self, *contracts: str) -> None:
        """Make sure that contracts have an instrument, so that no fact is lost."""
        for contract in contracts:
            if contract not in self.instruments:
                known = table_instrument(contract)
                self.instruments[contract] = known or unknown_instrument(contract)
                if known is None:
                    self.quarantined.add(contract)

    def _mark_by_fill(self, state: AccountState, fill: Fill, at: datetime) -> None:
        """Let a fill mark its contract, unless it was known before and has had its say."""
        old = self.market.get(fill.contract)
        if fill.voided or (old is not None and (fill.trade_id in state.fills or fill.trade_id in state.earlier)):
            return
        row = filled(old, fill.contract, fill.price, stamp(fill, at))
        if row is not None:
            self.market[fill.contract] = row

    def book_instrument(self, event: InstrumentReported) -> None:
        """Learn a contract record; one that was quarantined and is right now is free again."""
        contract = event.instrument.contract
        self.instruments[contract] = event.instrument
        if event.instrument.quarantined:
            self.quarantined.add(contract)
            return
        self.quarantined.discard(contract)
        for name, state in self.accounts.items():
            kept = tuple(c for c in state.no_new_risk if c.contract != contract)
            if kept != state.no_new_risk:
                self.accounts[name] = _replace(state, no_new_risk=kept)

    def book_silence(self, event: FeedSilent) -> None:
        """Note that a contract's prices have gone stale."""
        row = self.market.get(event.contract)
        if row is not None:
            self.market[event.contract] = _replace(row, silent=True)

    def quote_rows(self, quote: QuoteReported, at: datetime) -> tuple[Quote, ...]:
        """Return the market rows that a quote stands for, in the order to judge them: extremes first, then last values.

        Shape: empty when nothing in the quote was believable; a plain quote gives one row.
        """
        instrument = self._instrument(quote.contract)
        if instrument is None:
            return ()
        rows: list[Quote] = []
        row = self.market.get(quote.contract)
        band = instrument.tick_size * self._price_band()
        for number, part in enumerate(_parts(quote)):
            after = quoted(row, part, instrument, at=at, band=band, counts=number == 0)
            if after is not None:
                row = after
                rows.append(after)
        return tuple(rows)

    def stale_after(self) -> timedelta:
        """Return how long prices may be silent: the shortest time of all accounts, which share them."""
        shortest = min([settings.stale_after_ms for settings in self.settings.values()], default=None)
        return timedelta(milliseconds=_DEFAULT.stale_after_ms if shortest is None else shortest)

    def _price_band(self) -> int:
        """Return the narrowest band of all accounts: they share one market table, and its doubt must suit each."""
        return min([settings.price_band for settings in self.settings.values()], default=_DEFAULT.price_band)

    def _instrument(self, contract: str) -> Instrument | None:
        known = self.instruments.get(contract)
        if known is None:
            known = table_instrument(contract)
            if known is not None:
                self.instruments[contract] = known
        return known

    def settle_doubts(self, at: datetime) -> None:
        """Believe the doubted prices that have stood for long enough."""
        for contract, row in self.market.items():
            if row.doubted:
                self.market[contract] = settled(row, at)

    def holders(self, contract: str) -> list[str]:
        """Return the accounts whose P&L a price of this contract moves, ordered by id."""
        return sorted([name for name, state in self.accounts.items() if contract in state.positions])

    def book_connection(self, event: ConnectionChanged, at: datetime) -> None:
        """Note for every account that a connection was lost or is back."""
        for name, state in self.accounts.items():
            down = {link: since for link, since in state.down.items() if link is not event.link}
            if not event.up:
                down[event.link] = state.down.get(event.link, at)
            gap = state.gap_since if event.up else (state.gap_since or at)
            self.accounts[name] = _replace(state, down=down, gap_since=gap)

    def restart(self, event: DaemonStarted, at: datetime) -> None:
        """Forget what a new process cannot know: that anything is reconciled, and how outstanding requests ended.

        Shape: after files whose end cannot be trusted, no new risk is taken until the accounts are reconciled; where
        what was last written of an account is lost, for as long as a loosening of its rules would wait (ADR 0017).
        """
        for name in event.lost:
            self.accounts[name] = _lost(self.ensure(name, at), at)
        for name, state in self.accounts.items():
            self.accounts[name] = _replace(
                state,
                no_new_risk=(*state.no_new_risk, _doubt(state, at)) if event.doubtful else state.no_new_risk,
                reconciled=False,
                down={},
                gap_since=state.gap_since or event.last_at,
                asked=None,
                cancels={},
                closes={contract: _unknown(close, state.seq) for contract, close in state.closes.items()},
            )


def _doubt(state: AccountState, at: datetime) -> NoNewRisk:
    reason = "the end of the journal cannot be trusted"
    allowance = {contract: position.quantity for contract, position in state.positions.items()}
    return NoNewRisk(cause=DOUBTFUL, until=None, since=at, reason=reason, allowance=allowance)


def _lost(state: AccountState, at: datetime) -> AccountState:
    if any(cause.cause == LOST for cause in state.no_new_risk):
        return state
    allowance = {contract: position.quantity for contract, position in state.positions.items()}
    reason = "what riskd last wrote about the account is not there any more"
    stop = NoNewRisk(cause=LOST, until=loosening_due(at), since=at, reason=reason, allowance=allowance)
    return _replace(state, no_new_risk=(*state.no_new_risk, stop))


def _unknown(close: Close, seq: int) -> Close:
    return _replace(close, status=CloseStatus.UNKNOWN, unknown_seq=seq, checks=0, checked_at=None)


def _parts(quote: QuoteReported) -> Iterable[QuoteReported]:
    if quote.low_last is None and quote.low_bid is None and quote.low_ask is None:
        return (quote,)
    low = QuoteReported(contract=quote.contract, at=quote.at, last=quote.low_last, bid=quote.low_bid, ask=quote.low_ask)
    high = QuoteReported(
        contract=quote.contract, at=quote.at, last=quote.high_last, bid=quote.high_bid, ask=quote.high_ask
    )
    last = QuoteReported(contract=quote.contract, at=quote.at, last=quote.last, bid=quote.bid, ask=quote.ask)
    return (low, high, last)


def _contracts(event: AnyEvent) -> Iterable[str]:
    match event:
        case Fill() | PositionReported():
            return (event.contract,)
        case OrderReported():
            return (event.order.contract,)
        case SnapshotReported():
            found: Mapping[str, None] = dict.fromkeys(
                [p.contract for p in event.positions]
                + [o.contract for o in event.orders]
                + [f.contract for f in event.fills]
            )
            return tuple(found)
        case _:
            return ()

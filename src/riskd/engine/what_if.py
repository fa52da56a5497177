"""What would happen if an order filled now: which rules would fire, and what would be left of every limit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from riskd.domain.account import AccountState, NoNewRisk
from riskd.domain.account_view import AccountView
from riskd.domain.events import Fill
from riskd.domain.instruments import Instrument, table_instrument, unknown_instrument
from riskd.domain.market import Market, filled
from riskd.domain.orders import Side
from riskd.engine import risk_engine
from riskd.engine.reports import until_text
from riskd.engine.risk_engine import Finding, RiskEngine
from riskd.rules.contract import Rulebook

TRADE: Final = "what-if"


class NoPrice(Exception):
    """Nobody knows what the order would fill at; name a price."""


class WhatIf(msgspec.Struct, frozen=True):
    """The answer about one order on one account.

    Units: ``price`` points, ``position`` signed contracts afterwards, ``now`` and ``after`` USD by rule id.
    Shape: ``fires`` are the violations that the order would begin, strongest first, ``shadow`` the ids of those that
    would only be told, or not even that while the account is not armed. ``closed_by`` says why the new position would
    be closed whatever the rules say: a lockout, a cooldown.
    """

    contract: str
    side: Side
    quantity: int
    price: Decimal
    position: int
    fires: tuple[Finding, ...]
    shadow: tuple[str, ...]
    closed_by: tuple[str, ...]
    now: Mapping[str, Decimal]
    after: Mapping[str, Decimal]

    @property
    def harmless(self) -> bool:
        """Tell whether nothing would be done about the order."""
        acting = [finding for finding in self.fires if finding.entry.rule_id not in self.shadow]
        return not acting and not self.closed_by


def what_if(
    view: AccountView, rulebook: Rulebook, *, contract: str, side: Side, quantity: int, price: Decimal | None = None
) -> WhatIf:
    """Ask an account's rules about a market order that fills at once, whole, at ``price`` or the market's.

    Shape: nothing is changed; fees are reckoned at the rate that the account has learned.
    Errors: NoPrice when none is given and none is known.
    """
    at_price = price if price is not None else _price(view, contract, side)
    fill = Fill(
        account=view.account.account,
        trade_id=TRADE,
        contract=contract,
        side=side,
        quantity=quantity,
        price=at_price,
        at=view.at,
    )
    before = _complete(view, contract, fill)
    after = before.including(fill)
    hearing = _heard(after, rulebook, fill)
    fires = tuple(finding for finding in hearing if finding.new)
    return WhatIf(
        contract=contract,
        side=side,
        quantity=quantity,
        price=at_price,
        position=after.account.quantity(contract),
        fires=fires,
        shadow=tuple(f.entry.rule_id for f in fires if not _acts(after.account, rulebook, f)),
        closed_by=_closed_by(before.account, after.account, contract),
        now=risk_engine.headroom(before, rulebook),
        after=risk_engine.headroom(after, rulebook),
    )


def _price(view: AccountView, contract: str, side: Side) -> Decimal:
    """Return what a market order would pay or get: the other side's price, else the mark."""
    quote = view.market.get(contract)
    if quote is not None:
        found = quote.ask if side is Side.BUY else quote.bid
        found = found if found is not None else quote.mark
        if found is not None:
            return found
    raise NoPrice(f"no price of {view.root(contract)} is known; name one")


def _complete(view: AccountView, contract: str, fill: Fill) -> AccountView:
    """Return the view with an instrument for the contract, and marked by the fill where no price is known."""
    instruments: Mapping[str, Instrument] = view.instruments
    if contract not in instruments:
        instruments = {**instruments, contract: table_instrument(contract) or unknown_instrument(contract)}
    market: Market = view.market
    if contract not in market:
        row = filled(None, contract, fill.price, view.at)
        market = market if row is None else {**market, contract: row}
    return AccountView(view.account, market=market, instruments=instruments, at=view.at, settings=view.settings)


def _heard(after: AccountView, rulebook: Rulebook, fill: Fill) -> tuple[Finding, ...]:
    engine = RiskEngine()
    engine.use(rulebook)
    return engine.hear(after, fill, after.account.seq + 1).verdict.findings


def _acts(state: AccountState, rulebook: Rulebook, finding: Finding) -> bool:
    return state.armed and risk_engine.acting(state, rulebook, finding)


def _closed_by(before: AccountState, after: AccountState, contract: str) -> tuple[str, ...]:
    """Say what closes a new or larger position whatever the rules say."""
    held = after.quantity(contract)
    if not held:
        return ()
    locks = [f"locked until {until_text(x.until)}: {x.reason}" for x in before.lockouts]
    return (*locks, *(_said(cause) for cause in before.no_new_risk if _exceeds(cause, contract, held)))


def _exceeds(cause: NoNewRisk, contract: str, held: int) -> bool:
    if cause.contract not in (None, contract):
        return False
    allowed = cause.allowance.get(contract, 0)
    return held * allowed <= 0 or abs(held) > abs(allowed)


def _said(cause: NoNewRisk) -> str:
    return f"no new risk until {until_text(cause.until)}: {cause.reason}"

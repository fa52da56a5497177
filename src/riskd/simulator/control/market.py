"""The market and the accounts, as the broker moves them."""

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from riskd.simulator.control.base import ControlBase, ControlError
from riskd.simulator.exchange.booking import account_events
from riskd.simulator.exchange.model import Account, Phase, PriceUpdate
from riskd.simulator.market.tape import Walk, generate

MarketState: TypeAlias = Literal["open", "closed", "pre_open", "halted", "timetable"]


class MarketControl(ControlBase):
    """Moves prices, opens and closes markets, changes accounts and habits."""

    def quote(
        self,
        contract: str,
        *,
        last: Decimal | None = None,
        bid: Decimal | None = None,
        ask: Decimal | None = None,
        size: int = 0,
    ) -> None:
        """Change some prices of a contract; with a `size` the last price is a print as well."""
        for price in (last, bid, ask):
            if price is not None and not price.is_finite():
                raise ControlError(f"{price} is not a price")
        change = PriceUpdate(contract_id=self.contract_id(contract), last=last, bid=bid, ask=ask, size=size)
        self._gateway.kernel.price(change, self._now())

    def price(self, contract: str, price: Decimal) -> None:
        """Set last, bid and ask of a contract to one price."""
        self.quote(contract, last=price, bid=price, ask=price, size=1)

    def walk(
        self,
        contract: str,
        *,
        start: Decimal | None = None,
        per_second: float = 4.0,
        volatility_ticks: float = 1.5,
        drift_ticks: float = 0.0,
    ) -> None:
        """Let a generator move a contract's price, from where it is unless `start` says."""
        contract_id = self.contract_id(contract)
        begin = start if start is not None else self._exchange.books.market.last(contract_id)
        walk = Walk(
            start=begin,
            per_second=per_second,
            volatility_ticks=volatility_ticks,
            drift_ticks=drift_ticks,
            seed=self._gateway.settings.seed,
        )
        self._gateway.kernel.tape.clear(contract_id)
        source = generate(self._exchange.books.contract(contract_id), walk, self._now())
        self._gateway.kernel.tape.add(source)
        self._gateway.kernel.wake()

    def stop_prices(self, contract: str | None = None) -> None:
        """Stop the generators and recordings of a contract, or all."""
        known = None if contract is None else self.contract_id(contract)
        self._gateway.kernel.tape.clear(known)
        self._gateway.kernel.wake()

    def market(self, state: MarketState, contract: str | None = None) -> None:
        """Open, close, pre-open or halt a contract (all: None), or go back to the timetable."""
        known = None if contract is None else self.contract_id(contract)
        self._exchange.set_phase(known, None if state == "timetable" else Phase(state))

    def expire(self, contract: str) -> None:
        """Let a contract expire now."""
        self._exchange.books.contracts.expire(self.contract_id(contract))
        self._gateway.carry(self._exchange.tick(self._now()))

    def add_account(self, account: Account) -> None:
        """Open one more account."""
        self._gateway.carry(self._exchange.add_account(account))

    def account(self, account: int, *, balance: Decimal | None = None, can_trade: bool | None = None) -> None:
        """Change an account's balance or its right to trade."""
        known = self._known_account(account)
        changed = msgspec.structs.replace(
            known,
            balance=known.balance if balance is None else balance,
            can_trade=known.can_trade if can_trade is None else can_trade,
        )
        self._gateway.carry(self._exchange.add_account(changed))

    def resend_account(self, account: int) -> None:
        """Send an account's event once more, with the repeats that follow a fill."""
        self._known_account(account)
        self._gateway.carry(account_events(self._exchange.books, account))

    def matching(self, on: bool, *, closes_fill: bool = True) -> None:  # noqa: FBT001 - reads well
        """Match orders with prices or not.

        When not, orders rest and closes still fill at the last price, unless `closes_fill` is false.
        """
        self.options(matching=on, closes_fill=closes_fill)

    def options(self, **changes: object) -> None:
        """Change options of the exchange, by their names."""
        current = msgspec.structs.asdict(self._exchange.books.options)
        unknown = sorted(changes.keys() - current.keys())
        if unknown:
            raise ControlError(f"no such option: {', '.join(unknown)}; known: {', '.join(current)}")
        options = msgspec.convert(current | changes, type(self._exchange.books.options))
        self._gateway.carry(self._exchange.set_options(options, self._now()))

"""What each fact of a scenario is on the simulated gateway."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from riskd.app.scenario.language import (
    AdminReleases,
    BalanceIs,
    BrokerAnswers,
    CarriedIn,
    ClockJumps,
    ConfigChanges,
    Crash,
    Disconnect,
    Fact,
    FillHappens,
    FillRepeats,
    MarketSwitches,
    MayTrade,
    OrderAppears,
    OrderEnds,
    OrderFills,
    PriceGoesSilent,
    PriceMoves,
    Reconnect,
    TradeVoided,
    WhatIf,
)
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import CannotHappen, Setup
from riskd.domain.events import Outcome
from riskd.domain.instruments import root_of_contract
from riskd.domain.orders import OrderStatus, OrderType
from riskd.simulator import SimulatedGateway
from riskd.simulator.gateway.hold import HeldCall

ZERO: Final = Decimal(0)
REFUSALS: Final = {
    ("close", "position_not_found"): 2,
    ("partial_close", "position_not_found"): 2,
    ("close", "market_closed"): 5,
    ("partial_close", "market_closed"): 6,
    ("cancel", "order_not_found"): 2,
}
"""The broker's numbers for the words that a scenario uses."""

NOT_YET: Final = (PriceGoesSilent,)
"""Facts for which the running daemon has no way yet."""

Need = Literal["crash", "links down", "links up", "release", "what if", "config", "watching", "nothing"]

NEEDS: Final[Mapping[type, Need]] = {
    Crash: "crash",
    Disconnect: "links down",
    Reconnect: "links up",
    AdminReleases: "release",
    WhatIf: "what if",
    ConfigChanges: "config",
    PriceMoves: "watching",
}


class GatewayFacts:
    """Writes facts into the gateway's books."""

    def __init__(self, gateway: SimulatedGateway, setup: Setup, symbols: Symbols, accounts: Mapping[str, int]) -> None:
        """Act on a gateway; ``accounts`` maps a scenario's names to numbers."""
        self._control = gateway.control
        self._fees = setup.fees
        self._symbols = symbols
        self._accounts = accounts
        self._orders: dict[str, int] = {}
        self._placed: dict[str, OrderAppears] = {}
        self._filled: dict[str, int] = {}
        self._trades: dict[str, int] = {}

    @staticmethod
    def needs(fact: Fact) -> Need:
        """Return what a fact needs of the world around it."""
        return NEEDS.get(type(fact), "nothing")

    def order_name(self, order_id: str) -> str:
        """Return the scenario's name of an order."""
        return next((name for name, number in self._orders.items() if str(number) == order_id), order_id)

    def released(self, fact: Fact) -> str:
        """Return the number of the account that an admin releases."""
        assert isinstance(fact, AdminReleases)
        return str(self._accounts[fact.account])

    def cut(self) -> None:
        """Lose every connection."""
        self._control.rest_down()
        self._control.hub_down()

    def mend(self) -> None:
        """Let connections be made again."""
        self._control.rest_up()
        self._control.hub_up()

    def carry_in(self, carried: CarriedIn) -> None:
        """Trade, on the day before, what is carried over."""
        side: Literal["buy", "sell"] = "buy" if carried.quantity > 0 else "sell"
        contract = self._symbols.contract(carried.symbol)
        self._control.fill(
            self._accounts[carried.account],
            contract,
            side,
            abs(carried.quantity),
            carried.price,
            fee=ZERO,
            commission=ZERO,
        )

    def happen(self, fact: Fact) -> None:
        """Let a fact happen.

        Errors: CannotHappen when it does not fit what went before.
        """
        match fact:
            case FillHappens() | FillRepeats() | TradeVoided():
                self._trade(fact)
            case OrderAppears() | OrderFills() | OrderEnds():
                self._order(fact)
            case PriceMoves() | MarketSwitches():
                self._market(fact)
            case BalanceIs() | MayTrade():
                self._account(fact)
            case BrokerAnswers():
                self._answer(fact)
            case ClockJumps() | CarriedIn():
                pass  # riskd's time here is the gateway's; what is carried was traded before the first line
            case _:
                raise AssertionError(f"{type(fact).__name__} has no way on the gateway")

    def _trade(self, fact: FillHappens | FillRepeats | TradeVoided) -> None:
        match fact:
            case FillHappens():
                self._fill(fact)
            case FillRepeats(trade=trade):
                self._control.resend_trade(self._trades[trade])
            case TradeVoided(trade=trade):
                self._control.void_trade(self._trades[trade])

    def _order(self, fact: OrderAppears | OrderFills | OrderEnds) -> None:
        match fact:
            case OrderAppears():
                self._place(fact)
            case OrderFills():
                self._fill_order(fact)
            case OrderEnds(order=order, status=status):
                how: Literal["cancelled", "rejected"] = "cancelled" if status is OrderStatus.CANCELLED else "rejected"
                self._control.end_order(self._orders[order], how)

    def _account(self, fact: BalanceIs | MayTrade) -> None:
        match fact:
            case BalanceIs(account=account, balance=balance):
                self._control.account(self._accounts[account], balance=balance)
            case MayTrade(account=account, allowed=allowed):
                self._control.account(self._accounts[account], can_trade=allowed)

    def _fill(self, fact: FillHappens) -> None:
        contract = self._symbols.contract(fact.symbol)
        rate = self._fees.get(root_of_contract(contract), ZERO)
        placed = self._control.fill(
            self._accounts[fact.account],
            contract,
            fact.side.value,
            fact.quantity,
            fact.price,
            order_id=self._orders.get(fact.order or ""),
            pnl=fact.pnl,
            fee=fact.fee if fact.fee is not None else rate * fact.quantity,
            commission=ZERO,
        )
        self._trades[fact.trade or f"T{len(self._trades) + 1}"] = placed.trade_ids[0]

    def _place(self, fact: OrderAppears) -> None:
        kinds: Mapping[OrderType, Literal["limit", "stop", "trailing_stop"]] = {
            OrderType.LIMIT: "limit",
            OrderType.STOP: "stop",
            OrderType.TRAILING_STOP: "trailing_stop",
        }
        limit = fact.type is OrderType.LIMIT
        placed = self._control.working(
            self._accounts[fact.account],
            self._symbols.contract(fact.symbol),
            fact.side.value,
            fact.quantity,
            type=kinds[fact.type],
            limit=fact.price if limit else None,
            stop=None if limit else fact.price,
            parent=self._orders.get(fact.parent or ""),
            oco=self._orders.get(fact.oco or ""),
        )
        self._orders[fact.order] = placed.order_id
        self._placed[fact.order] = fact

    def _fill_order(self, fact: OrderFills) -> None:
        order = self._placed[fact.order]
        left = order.quantity - self._filled.get(fact.order, 0)
        size = left if fact.quantity is None else fact.quantity
        self._filled[fact.order] = self._filled.get(fact.order, 0) + size
        self._fill(
            FillHappens(
                account=fact.account,
                side=order.side,
                quantity=size,
                symbol=order.symbol,
                price=fact.price,
                order=fact.order,
            )
        )

    def _market(self, fact: PriceMoves | MarketSwitches) -> None:
        contract = self._symbols.contract(fact.symbol)
        match fact:
            case PriceMoves(last=Decimal() as last, bid=bid, ask=ask) if bid == ask == last:
                self._control.price(contract, last)
            case PriceMoves(last=last, bid=bid, ask=ask):
                self._control.quote(contract, last=last, bid=bid, ask=ask)
            case MarketSwitches(open=opens):
                self._control.market("open" if opens else "closed", contract)

    def _answer(self, fact: BrokerAnswers) -> None:
        held = next((call for call in self._control.held() if self._is_about(call, fact)), None)
        if held is None:
            raise CannotHappen(expected=f"an open {fact.kind}", actual=f"no {fact.kind} of {fact.account} is open")
        match fact.outcome:
            case Outcome.ACCEPTED:
                self._control.outcome("accepted", number=held.number)
            case Outcome.REJECTED:
                closed = "the market is closed" if fact.code == "market_closed" else None
                code = REFUSALS.get((held.call, fact.code)) or int(fact.code)
                self._control.outcome("rejected", number=held.number, code=code, message=closed)
            case Outcome.UNKNOWN:
                self._control.outcome("dropped", number=held.number)
            case Outcome.UNAVAILABLE:
                self._control.outcome("status", number=held.number, status=429)

    def _is_about(self, call: HeldCall, fact: BrokerAnswers) -> bool:
        body = json.loads(call.body)
        closes = call.call in ("close", "partial_close")
        if closes != (fact.kind == "close") or body["accountId"] != self._accounts[fact.account]:
            return False
        if fact.about is None:
            return True
        if closes:
            return bool(body["contractId"] == self._symbols.contract(fact.about))
        return bool(body["orderId"] == self._orders.get(fact.about))

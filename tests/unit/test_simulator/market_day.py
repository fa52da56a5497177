"""An exchange with one account and a price, for tests that read as a trader speaks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from riskd.simulator.exchange.admission import ModifyOrder, PlaceOrder
from riskd.simulator.exchange.booking import Fill
from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.exchange.events import (
    AccountEvent,
    Event,
    OrderEvent,
    PositionEvent,
    TradeEvent,
)
from riskd.simulator.exchange.exchange import Exchange, Reply
from riskd.simulator.exchange.model import (
    Account,
    Bracket,
    BracketMode,
    Order,
    OrderType,
    PriceUpdate,
    Side,
)

BEGIN = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)  # a Wednesday, 09:00 in Chicago
ACCOUNT = 101
QUIET = ExchangeOptions(repeat_accounts=(0, 0))


class MarketDay:
    """One trader, one exchange, and a clock that moves when told."""

    def __init__(
        self,
        options: ExchangeOptions = QUIET,
        *,
        account: Account | None = None,
        bid: str | None = "20000.00",
    ) -> None:
        self.now = BEGIN
        self.exchange = Exchange(rng=Random(7), options=options)
        self.exchange.add_account(account or Account(id=ACCOUNT, name="PRAC"))
        self.mnq = self.exchange.books.contracts.front("MNQ", BEGIN).id
        self.events: list[Event] = []
        if bid is not None:
            self.quote(bid=bid, ask=str(Decimal(bid) + Decimal("0.25")), last=bid)

    def quote(self, *, last: str | None = None, bid: str | None = None, ask: str | None = None) -> list[Event]:
        """Change some prices a second later."""
        self.now += timedelta(seconds=1)
        change = PriceUpdate(contract_id=self.mnq, last=_decimal(last), bid=_decimal(bid), ask=_decimal(ask), size=1)
        return self.keep(self.exchange.on_price(change, self.now))

    def price(self, price: str) -> list[Event]:
        """Set last, bid and ask to one price."""
        return self.quote(last=price, bid=price, ask=price)

    def ask_for(
        self,
        side: Side,
        size: int,
        kind: OrderType = OrderType.MARKET,
        *,
        limit: str | None = None,
        stop: str | None = None,
        trail: str | None = None,
        tag: str | None = None,
        brackets: tuple[int | None, int | None] = (None, None),
    ) -> Reply:
        """Place an order; `brackets` are the ticks of stop and target."""
        loss, target = brackets
        asked = PlaceOrder(
            account_id=ACCOUNT,
            contract_id=self.mnq,
            type=kind,
            side=side,
            size=size,
            limit_price=_decimal(limit),
            stop_price=_decimal(stop),
            trail_price=_decimal(trail),
            custom_tag=tag,
            stop_loss=None if loss is None else Bracket(ticks=loss, type=OrderType.STOP),
            take_profit=None if target is None else Bracket(ticks=target, type=OrderType.LIMIT),
        )
        return self.replied(self.exchange.place(asked, self.now))

    def buy(
        self,
        size: int,
        *,
        tag: str | None = None,
        brackets: tuple[int | None, int | None] = (None, None),
    ) -> Reply:
        """Buy at the market."""
        return self.ask_for(Side.BUY, size, tag=tag, brackets=brackets)

    def sell(self, size: int, *, brackets: tuple[int | None, int | None] = (None, None)) -> Reply:
        """Sell at the market."""
        return self.ask_for(Side.SELL, size, brackets=brackets)

    def modify(
        self,
        order_id: int | None,
        *,
        size: int | None = None,
        limit_price: str | None = None,
        stop_price: str | None = None,
        trail_price: str | None = None,
    ) -> Reply:
        """Change an order's size or prices."""
        asked = ModifyOrder(
            account_id=ACCOUNT,
            order_id=order_id or 0,
            size=size,
            limit_price=_decimal(limit_price),
            stop_price=_decimal(stop_price),
            trail_price=_decimal(trail_price),
        )
        return self.replied(self.exchange.modify(asked, self.now))

    def fill(
        self,
        side: Side,
        size: int,
        price: str,
        *,
        fees: Decimal | None = None,
        commissions: Decimal | None = None,
    ) -> Reply:
        """Report a fill whatever the market."""
        fill = Fill(price=Decimal(price), size=size, fees=fees, commissions=commissions)
        where = (ACCOUNT, self.mnq)
        return self.replied(self.exchange.inject_fill(where, side, fill, self.now))

    def close(self) -> Reply:
        """Close the position."""
        return self.replied(self.exchange.close(ACCOUNT, self.mnq, self.now))

    def partial_close(self, size: int) -> Reply:
        """Close part of the position."""
        reply = self.exchange.partial_close(ACCOUNT, self.mnq, size=size, at=self.now)
        return self.replied(reply)

    def replied(self, reply: Reply) -> Reply:
        """Keep a reply's events."""
        self.keep(list(reply.events))
        return reply

    def keep(self, events: list[Event]) -> list[Event]:
        """Keep events."""
        self.events += events
        return events

    def order(self, order_id: int | None) -> Order:
        """Return an order as it is now."""
        return self.exchange.books.orders[order_id or 0]

    @property
    def held(self) -> int:
        """Return the signed size held."""
        return self.exchange.books.held(ACCOUNT, self.mnq)

    @property
    def balance(self) -> Decimal:
        """Return the account's balance."""
        return self.exchange.books.accounts[ACCOUNT].balance

    @property
    def account(self) -> Account:
        """Return the account."""
        return self.exchange.books.accounts[ACCOUNT]


def told(events: list[Event] | tuple[Event, ...]) -> list[str]:
    """Return the user events as words: order 6, trade, trade again, position 2, account."""
    words: list[str] = []
    for event in events:
        match event:
            case OrderEvent(order):
                words.append(f"order {int(order.status)}")
            case TradeEvent():
                words.append("trade again" if event.resent else "trade")
            case PositionEvent(position):
                words.append(f"position {position.size}")
            case AccountEvent():
                words.append("account")
            case _:
                pass
    return words


def auto_oco() -> Account:
    """Return an account whose entries may carry brackets."""
    return Account(id=ACCOUNT, name="COMBINE", brackets=BracketMode.AUTO_OCO)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

"""Orders, fills and corrections that no client of the broker made."""

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from riskd.simulator.control.base import ControlBase, ControlError
from riskd.simulator.exchange import corrections
from riskd.simulator.exchange.admission import PlaceOrder
from riskd.simulator.exchange.booking import Fill
from riskd.simulator.exchange.exchange import Reply
from riskd.simulator.exchange.model import OrderStatus, OrderType, Side

SideName: TypeAlias = Literal["buy", "sell"]
TypeName: TypeAlias = Literal["market", "limit", "stop", "stop_limit", "trailing_stop", "join_bid", "join_ask"]
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """What a control call wrote: the order, its state, and the trades booked."""

    order_id: int
    accepted: bool
    code: int = 0
    message: str | None = None
    trade_ids: tuple[int, ...] = ()


class OrderControl(ControlBase):
    """Trades by hand."""

    def order(  # noqa: PLR0913 - an order has that many properties
        self,
        account: int,
        contract: str,
        side: SideName,
        size: int,
        *,
        type: TypeName = "market",  # noqa: A002 - the word of the wire
        limit: Decimal | None = None,
        stop: Decimal | None = None,
        trail: Decimal | None = None,
        tag: str | None = None,
    ) -> Placed:
        """Place an order as a click in the broker's own web page does: checked, untagged."""
        asked = self._asked(account, contract, side=side, size=size, kind=type, limit=limit, stop=stop)
        asked = msgspec.structs.replace(asked, trail_price=trail, custom_tag=tag)
        return self._placed(self._exchange.place(asked, self._now()))

    def working(  # noqa: PLR0913 - as above
        self,
        account: int,
        contract: str,
        side: SideName,
        size: int,
        *,
        type: TypeName = "limit",  # noqa: A002 - the word of the wire
        limit: Decimal | None = None,
        stop: Decimal | None = None,
        tag: str | None = None,
        parent: int | None = None,
        oco: int | None = None,
    ) -> Placed:
        """Write a working order past every check; `parent` and `oco` are order ids."""
        asked = self._asked(account, contract, side=side, size=size, kind=type, limit=limit, stop=stop)
        asked = msgspec.structs.replace(asked, custom_tag=tag)
        reply = self._exchange.inject_working(asked, self._now(), parent_id=parent, oco_id=oco)
        return self._placed(reply)

    def fill(  # noqa: PLR0913 - as above
        self,
        account: int,
        contract: str,
        side: SideName,
        size: int,
        price: Decimal,
        *,
        order_id: int | None = None,
        trade_id: int | None = None,
        pnl: Decimal | None = None,
        fee: Decimal | None = None,
        commission: Decimal | None = None,
    ) -> Placed:
        """Report a fill at a price, whatever the market.

        What fills is `order_id`, else a close that still waits for a fill, else a new market order.
        Money is for the whole fill.
        """
        self._known_account(account)
        fill = Fill(
            price=price,
            size=size,
            trade_id=trade_id,
            profit_and_loss=pnl,
            fees=fee,
            commissions=commission,
        )
        where = (account, self.contract_id(contract))
        _check_money(price, pnl, fee, commission)
        if size < 1:
            raise ControlError(f"a fill of {size} contracts is none")
        if order_id is not None and size > self._order(order_id).left:
            raise ControlError(f"order {order_id} has only {self._order(order_id).left} left to fill")
        if trade_id in self._exchange.books.trades:
            raise ControlError(f"trade {trade_id} is booked already; resend_trade sends it again")
        return self._placed(self._exchange.inject_fill(where, _SIDES[side], fill, self._now(), order_id=order_id))

    def end_order(self, order_id: int, how: Literal["cancelled", "expired", "rejected"] = "cancelled") -> None:
        """End a working order as the trader, the exchange or the broker does."""
        self._order(order_id)
        status = OrderStatus[how.upper()]
        self._gateway.carry(self._exchange.end_order(order_id, self._now(), status))

    def resend_trade(self, trade_id: int) -> None:
        """Send a booked trade once more, unchanged."""
        self._trade(trade_id)
        self._gateway.carry(corrections.resend(self._exchange.books, trade_id))

    def void_trade(self, trade_id: int) -> None:
        """Bust a trade: its money and its contracts are taken back."""
        self._trade(trade_id)
        self._gateway.carry(corrections.void(self._exchange.books, trade_id, self._now()))

    def void_newest_trade(self) -> None:
        """Bust the newest trade that still counts, if there is one."""
        counting = [each for each in self._exchange.books.trades.values() if not each.voided]
        if counting:
            self.void_trade(counting[-1].id)

    def carry_in(self, account: int, contract: str, size: int, price: Decimal) -> None:
        """Let an account hold a signed position since before today, without a trade of today."""
        self._known_account(account)
        where = (account, self.contract_id(contract))
        _check_money(price)
        books = self._exchange.books
        if not size or books.held(*where) * size < 0:
            raise ControlError(f"{size} contracts cannot be carried in beside {books.held(*where)}")
        self._gateway.carry(corrections.carry_in(books, where, size, price, self._now()))

    def _asked(
        self,
        account: int,
        contract: str,
        *,
        side: SideName,
        size: int,
        kind: TypeName,
        limit: Decimal | None,
        stop: Decimal | None,
    ) -> PlaceOrder:
        self._known_account(account)
        return PlaceOrder(
            account_id=account,
            contract_id=self.contract_id(contract),
            type=OrderType[kind.upper()],
            side=_SIDES[side],
            size=size,
            limit_price=limit,
            stop_price=stop,
        )

    def _placed(self, reply: Reply) -> Placed:
        self._gateway.carry(reply.events)
        return Placed(
            order_id=reply.order_id or 0,
            accepted=reply.success,
            code=reply.code,
            message=reply.message,
            trade_ids=tuple(corrections.new_trade_ids(reply.events)),
        )


def _check_money(*figures: Decimal | None) -> None:
    for figure in figures:
        if figure is not None and not figure.is_finite():
            raise ControlError(f"{figure} is not a number")

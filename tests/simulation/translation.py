"""The exchange's values as riskd's events: what an adapter does, without the wire."""

from decimal import Decimal
from typing import Final

from riskd.domain import orders
from riskd.domain.events import AccountReported, Fill, PositionReported, QuoteReported
from riskd.simulator.exchange import model
from riskd.simulator.exchange.events import QuoteEvent

_SIDES: Final = {model.Side.BUY: orders.Side.BUY, model.Side.SELL: orders.Side.SELL}
_TYPES: Final = {
    model.OrderType.LIMIT: orders.OrderType.LIMIT,
    model.OrderType.MARKET: orders.OrderType.MARKET,
    model.OrderType.STOP_LIMIT: orders.OrderType.STOP_LIMIT,
    model.OrderType.STOP: orders.OrderType.STOP,
    model.OrderType.TRAILING_STOP: orders.OrderType.TRAILING_STOP,
    model.OrderType.JOIN_BID: orders.OrderType.JOIN_BID,
    model.OrderType.JOIN_ASK: orders.OrderType.JOIN_ASK,
}
_STATUSES: Final = {
    model.OrderStatus.OPEN: orders.OrderStatus.WORKING,
    model.OrderStatus.FILLED: orders.OrderStatus.FILLED,
    model.OrderStatus.CANCELLED: orders.OrderStatus.CANCELLED,
    model.OrderStatus.EXPIRED: orders.OrderStatus.EXPIRED,
    model.OrderStatus.REJECTED: orders.OrderStatus.REJECTED,
    model.OrderStatus.PENDING: orders.OrderStatus.PENDING,
    model.OrderStatus.PENDING_CANCELLATION: orders.OrderStatus.WORKING,
    model.OrderStatus.SUSPENDED: orders.OrderStatus.SUSPENDED,
}


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)


def fill(trade: model.Trade, *, with_commission: bool = True) -> Fill:
    """Return a half-turn; REST leaves its commission out on some servers."""
    return Fill(
        account=str(trade.account_id),
        trade_id=str(trade.id),
        contract=trade.contract_id,
        side=_SIDES[trade.side],
        quantity=trade.size,
        price=trade.price,
        at=trade.created_at,
        fees=trade.fees,
        commission=trade.commissions if with_commission else None,
        pnl=trade.profit_and_loss,
        order_id=str(trade.order_id),
        voided=trade.voided,
    )


def order(one: model.Order) -> orders.WorkingOrder:
    """Return an order."""
    return orders.WorkingOrder(
        order_id=str(one.id),
        contract=one.contract_id,
        side=_SIDES[one.side],
        type=_TYPES[one.type],
        status=_STATUSES[one.status],
        size=one.size,
        filled=one.filled,
        limit_price=one.limit_price,
        stop_price=one.stop_price,
        parent=_id(one.parent_id),
        linked=_id(one.linked_id),
        tag=one.custom_tag,
        created_at=one.created_at,
    )


def position(held: model.Position) -> PositionReported:
    """Return a net position."""
    return PositionReported(
        account=str(held.account_id),
        contract=held.contract_id,
        quantity=held.size,
        average_price=held.average_price if held.size else Decimal(0),
    )


def account(one: model.Account) -> AccountReported:
    """Return an account's balance and standing."""
    return AccountReported(account=str(one.id), name=one.name, balance=one.balance, can_trade=one.can_trade)


def quote(event: QuoteEvent) -> QuoteReported:
    """Return changed prices."""
    return QuoteReported(contract=event.contract_id, at=event.at, last=event.last, bid=event.bid, ask=event.ask)

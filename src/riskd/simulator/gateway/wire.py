"""How the broker writes its records: REST with explicit nulls, the hubs without empty fields.

Decimals go out as JSON numbers with every digit they have, never through a float.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeAlias

import msgspec

from riskd.simulator.exchange.contracts import Contract
from riskd.simulator.exchange.events import (
    AccountEvent,
    DepthEvent,
    OrderEvent,
    PositionEvent,
    PrintEvent,
    QuoteEvent,
    TradeEvent,
    UserEvent,
)
from riskd.simulator.exchange.model import Account, Order, OrderStatus, Position, Side, Trade

Record: TypeAlias = dict[str, object]

_encoder = msgspec.json.Encoder(decimal_format="number")
_MICROSECONDS_END = len("2026-11-18T15:00:00.123456")
_LONG, _SHORT = 1, 2
_DEPTH_ASK, _DEPTH_BID, _DEPTH_BEST_ASK, _DEPTH_BEST_BID = 1, 2, 3, 4
_CREATED, _UPDATED, _DELETED = 0, 1, 2
_GONE = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED})


def encode(value: object) -> bytes:
    """Return a value as JSON."""
    return _encoder.encode(value)


def rest_time(at: datetime) -> str:
    """Return a time as REST writes it: microseconds without trailing zeros."""
    text = at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"{text[:_MICROSECONDS_END].rstrip('0').rstrip('.')}+00:00"


def hub_time(at: datetime) -> str:
    """Return a time as the hubs write it, with seven digits; the seventh carries no meaning."""
    text = at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"{text[:_MICROSECONDS_END]}{at.microsecond * 7 % 9 + 1}+00:00"


def market_time(at: datetime) -> str:
    """Return a time as market trades write it, in milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def number(value: Decimal) -> object:
    """Return a decimal that JSON shows without an exponent."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and (exponent > 0 or value.adjusted() < -6):  # noqa: PLR2004 - str() turns to exponents there
        return msgspec.Raw(format(value, "f").encode())
    return value


def account_record(account: Account) -> Record:
    """Return an account as both REST and hub show it."""
    return {
        "id": account.id,
        "name": account.name,
        "balance": number(account.balance),
        "canTrade": account.can_trade,
        "isVisible": account.is_visible,
        "simulated": account.simulated,
    }


def contract_record(contract: Contract, *, active: bool) -> Record:
    """Return a contract."""
    return {
        "id": contract.id,
        "name": contract.name,
        "description": contract.description,
        "tickSize": number(contract.product.tick_size),
        "tickValue": number(contract.product.tick_value),
        "activeContract": active,
        "symbolId": contract.product.symbol_id,
    }


def order_record(order: Order, *, symbol_id: str, tick_size: Decimal, hub: bool) -> Record:
    """Return an order; the keys of brackets and trails only where they say something."""
    show_time = hub_time if hub else rest_time
    record: Record = {
        "id": order.id,
        "accountId": order.account_id,
        "contractId": order.contract_id,
        "symbolId": symbol_id,
        "creationTimestamp": show_time(order.created_at),
        "updateTimestamp": show_time(order.updated_at),
        "status": int(order.status),
        "type": int(order.type),
        "side": int(order.side),
        "size": order.size,
        "limitPrice": order.limit_price,
        "stopPrice": order.stop_price,
        "fillVolume": order.filled,
        "filledPrice": order.filled_price,
        "customTag": order.custom_tag,
    }
    newer: Record = {
        "trailDistance": order.trail_distance,
        "trailPrice": _trail_price(order, tick_size),
        "parentOrderId": order.parent_id,
        "linkedOrderId": order.linked_id,
    }
    record.update(without_nulls(newer))
    return without_nulls(record) if hub else record


def _trail_price(order: Order, tick_size: Decimal) -> Decimal | None:
    """Return the trailing distance in price units, which is what the broker shows as a price."""
    return None if order.trail_distance is None else order.trail_distance * tick_size


def trade_record(trade: Trade, *, hub: bool, commissions: bool) -> Record:
    """Return a half-turn; REST shows commissions only where the broker was asked to."""
    record: Record = {
        "id": trade.id,
        "accountId": trade.account_id,
        "contractId": trade.contract_id,
        "creationTimestamp": (hub_time if hub else rest_time)(trade.created_at),
        "price": trade.price,
        "profitAndLoss": trade.profit_and_loss,
        "fees": trade.fees,
        "commissions": trade.commissions,
        "side": int(trade.side),
        "size": trade.size,
        "voided": trade.voided,
        "orderId": trade.order_id,
    }
    if not commissions:
        del record["commissions"]
    return without_nulls(record) if hub else record


def position_record(position: Position, *, hub: bool, display_name: bool = True) -> Record:
    """Return a position; a closed one has type and size 0 and keeps its average price."""
    record: Record = {
        "id": position.id,
        "accountId": position.account_id,
        "contractId": position.contract_id,
        "contractDisplayName": position.display_name,
        "creationTimestamp": (hub_time if hub else rest_time)(position.created_at),
        "type": (_LONG if position.size > 0 else _SHORT) if position.size else 0,
        "size": abs(position.size),
        "averagePrice": position.average_price,
    }
    if not display_name:
        del record["contractDisplayName"]
    return record


def quote_record(event: QuoteEvent, symbol_id: str) -> Record:
    """Return a partial quote: what changed, and the figures of the day with a print."""
    record: Record = {
        "symbol": symbol_id,
        "lastPrice": event.last,
        "bestBid": event.bid,
        "bestAsk": event.ask,
    }
    if event.day is not None and event.last is not None:
        figures = event.day
        change = event.last - figures.open
        record["change"] = change
        record["changePercent"] = round(change / figures.open, 6) if figures.open else None
        record["open"], record["high"], record["low"] = figures.open, figures.high, figures.low
        record["volume"] = figures.volume
    record["lastUpdated"] = hub_time(event.at)
    record["timestamp"] = market_time(event.at)
    return without_nulls(record)


def print_record(event: PrintEvent, symbol_id: str) -> Record:
    """Return a trade in the market."""
    return {
        "symbolId": symbol_id,
        "price": event.price,
        "timestamp": market_time(event.at),
        "type": int(event.side),
        "volume": event.size,
    }


def depth_record(event: DepthEvent, *, best: bool = True) -> Record:
    """Return a level of one side of the book, the best one or any."""
    bid, ask = (_DEPTH_BEST_BID, _DEPTH_BEST_ASK) if best else (_DEPTH_BID, _DEPTH_ASK)
    return {
        "timestamp": hub_time(event.at),
        "type": bid if event.side is Side.BUY else ask,
        "price": event.price,
        "volume": event.size,
        "currentVolume": event.size,
    }


def user_action(event: UserEvent) -> int:
    """Return the action code that wraps a user event."""
    match event:
        case AccountEvent():
            return _UPDATED
        case OrderEvent(order):
            return _DELETED if order.status in _GONE else _UPDATED
        case TradeEvent(trade):
            return _UPDATED if trade.voided else _CREATED
        case PositionEvent(position):
            return _UPDATED if position.size else _DELETED


def without_nulls(record: Mapping[str, object]) -> Record:
    """Return a record without its null fields, as the hubs send it."""
    return {key: value for key, value in record.items() if value is not None}

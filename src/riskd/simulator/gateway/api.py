"""What each REST call answers: a request body in, a record and the exchange's events out.

No sockets here. Sessions, bad bodies, limits and faults are the server's business.
"""

from collections.abc import Callable, Iterable
from datetime import MINYEAR, UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar, cast

import msgspec

from riskd.simulator.exchange.admission import ModifyOrder, PlaceOrder
from riskd.simulator.exchange.codes import BarCode, LookupCode
from riskd.simulator.exchange.events import Event
from riskd.simulator.exchange.exchange import Exchange, Reply
from riskd.simulator.exchange.model import Bracket, Order
from riskd.simulator.exchange.queries import OrderFilter
from riskd.simulator.gateway import bodies, wire
from riskd.simulator.gateway.wire import Record
from riskd.simulator.market.bars import MAX_BARS, UNITS, BarStore, bucket

_SEARCH_LIMIT = 20
_ASCENDING = 0
_MOMENT = timedelta(microseconds=1)
_FIRST_MOMENT, _LAST_MOMENT = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Answer(msgspec.Struct, frozen=True):
    """What goes back to the client, and what the hubs hear of it."""

    record: Record
    events: tuple[Event, ...] = ()


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the newer keys the records show."""

    display_name: bool = True
    rest_commissions: bool = False
    hub_commissions: bool = True
    extra_keys: bool = False


class Endpoint(msgspec.Struct, frozen=True):
    """A path's body and what is done with it."""

    body: type[bodies.Body]
    handle: Callable[["Api", bodies.Body, datetime], Answer]


class Api:
    """The REST calls on an exchange."""

    def __init__(self, exchange: Exchange, bars: BarStore, shape: Shape) -> None:
        """Answer from an exchange and a store of bars."""
        self.exchange = exchange
        self.bars = bars
        self.shape = shape

    def accounts(self, asked: bodies.AccountSearch, at: datetime) -> Answer:
        """Answer Account/search."""
        found = self.exchange.read.accounts(only_active=asked.only_active_accounts)
        return _found("accounts", [self._more(wire.account_record(each)) for each in found])

    def contracts(self, asked: bodies.ContractSearch, at: datetime) -> Answer:
        """Answer Contract/search: at most 20, none of the live subscription."""
        book = self.exchange.books.contracts
        found = [] if asked.live else book.search(asked.search_text or "", at)[:_SEARCH_LIMIT]
        return _found("contracts", [wire.contract_record(each, active=book.is_active(each, at)) for each in found])

    def available_contracts(self, asked: bodies.ContractAvailable, at: datetime) -> Answer:
        """Answer Contract/available: every product's front month."""
        book = self.exchange.books.contracts
        found = [] if asked.live else book.fronts(at)
        records = [wire.contract_record(each, active=book.is_active(each, at)) for each in found]
        return _found("contracts", records)

    def contract(self, asked: bodies.ContractById, at: datetime) -> Answer:
        """Answer Contract/searchById, expired months too."""
        book = self.exchange.books.contracts
        contract = book.find(asked.contract_id)
        if contract is None:
            return Answer(envelope(LookupCode.NOT_FOUND) | {"contract": None})
        active = book.is_active(contract, at)
        return Answer({"contract": wire.contract_record(contract, active=active)} | envelope())

    def retrieve_bars(self, asked: bodies.Bars, at: datetime) -> Answer:
        """Answer History/retrieveBars, newest first."""
        contract = self.exchange.books.contracts.find(asked.contract_id)
        refusal = _refuse_bars(asked, known=contract is not None)
        if refusal or contract is None:
            return Answer({"bars": None} | envelope(refusal))
        span = (_utc(asked.start_time), min(_utc(asked.end_time), at + _MOMENT))
        found = list(self.bars.find(contract, span, unit=asked.unit, count=asked.unit_number))
        ends = bucket(at, asked.unit, asked.unit_number)
        if not asked.include_partial_bar and found and found[-1].at >= ends:
            found.pop()
        newest = islice(reversed(found), asked.limit)
        records: list[Record] = [
            {
                "t": wire.rest_time(bar.at),
                "o": bar.open,
                "h": bar.high,
                "l": bar.low,
                "c": bar.close,
                "v": bar.volume,
            }
            for bar in newest
        ]
        return _found("bars", records)

    def orders(self, asked: bodies.OrderSearch, at: datetime) -> Answer:
        """Answer Order/search, oldest first."""
        end = None if asked.end_timestamp is None else _utc(asked.end_timestamp)
        found = self.exchange.read.orders(asked.account_id, _utc(asked.start_timestamp), end)
        return self._of_account(asked.account_id, "orders", self._orders(found))

    def open_orders(self, asked: bodies.AccountOnly, at: datetime) -> Answer:
        """Answer Order/searchOpen."""
        found = self.exchange.read.open_orders(asked.account_id)
        return self._of_account(asked.account_id, "orders", self._orders(found))

    def order(self, asked: bodies.OneOrder, at: datetime) -> Answer:
        """Answer Order/searchById."""
        order = self.exchange.read.order(asked.account_id, asked.order_id)
        if order is None:
            return Answer({"order": None} | envelope(LookupCode.NOT_FOUND))
        return Answer({"order": self._orders([order])[0]} | envelope())

    def query_orders(self, asked: bodies.OrderQuery, at: datetime) -> Answer:
        """Answer Order/v2/query: newest first unless asked otherwise, suspended orders too."""
        wanted = asked.filter
        found = self.exchange.read.find_orders(
            OrderFilter(
                account_id=wanted.account_id,
                statuses=None if wanted.statuses is None else frozenset(wanted.statuses),
                contract_id=wanted.contract_id,
                created_after=_utc_or_none(wanted.created_after),
                created_before=_utc_or_none(wanted.created_before),
            )
        )
        found.sort(key=lambda order: order.id if asked.sort_by else order.created_at.timestamp())
        if asked.sort_direction != _ASCENDING:
            found.reverse()
        first = asked.page_offset or 0
        page = found[first : first + (asked.page_size or len(found))]
        answer = self._of_account(wanted.account_id, "orders", self._orders(page))
        if asked.include_total_count:
            answer.record["totalCount"] = len(found)
        return answer

    def place(self, asked: bodies.Place, at: datetime) -> Answer:
        """Answer Order/place; a rejected order has an id as well."""
        reply = self.exchange.place(_place_order(asked), at)
        return Answer({"orderId": reply.order_id} | _reply(reply), reply.events)

    def modify(self, asked: bodies.Modify, at: datetime) -> Answer:
        """Answer Order/modify."""
        changes = msgspec.structs.asdict(asked)
        reply = self.exchange.modify(ModifyOrder(**changes), at)
        return Answer(_reply(reply), reply.events)

    def cancel(self, asked: bodies.OneOrder, at: datetime) -> Answer:
        """Answer Order/cancel."""
        reply = self.exchange.cancel(asked.account_id, asked.order_id, at)
        return Answer(_reply(reply), reply.events)

    def positions(self, asked: bodies.AccountOnly, at: datetime) -> Answer:
        """Answer Position/searchOpen."""
        found = self.exchange.read.positions(asked.account_id, at)
        records = [
            self._more(wire.position_record(each, hub=False, display_name=self.shape.display_name)) for each in found
        ]
        return self._of_account(asked.account_id, "positions", records)

    def close(self, asked: bodies.CloseContract, at: datetime) -> Answer:
        """Answer Position/closeContract."""
        reply = self.exchange.close(asked.account_id, asked.contract_id, at)
        return Answer(_reply(reply), reply.events)

    def partial_close(self, asked: bodies.PartialClose, at: datetime) -> Answer:
        """Answer Position/partialCloseContract."""
        reply = self.exchange.partial_close(asked.account_id, asked.contract_id, size=asked.size, at=at)
        return Answer(_reply(reply), reply.events)

    def trades(self, asked: bodies.TradeSearch, at: datetime) -> Answer:
        """Answer Trade/search, newest first."""
        start, end = _utc_or_none(asked.start_timestamp), _utc_or_none(asked.end_timestamp)
        commissions = self.shape.rest_commissions
        records = [
            self._more(wire.trade_record(each, hub=False, commissions=commissions))
            for each in self.exchange.read.trades(asked.account_id, start, end)
        ]
        return self._of_account(asked.account_id, "trades", records)

    def order_record(self, order: Order, *, hub: bool) -> Record:
        """Return an order's record."""
        contract = self.exchange.books.contract(order.contract_id)
        record = wire.order_record(
            order,
            symbol_id=contract.product.symbol_id,
            tick_size=contract.tick_size,
            hub=hub,
        )
        return self._more(record)

    def _orders(self, orders: Iterable[Order]) -> list[Record]:
        return [self.order_record(order, hub=False) for order in orders]

    def _of_account(self, account_id: int, key: str, records: list[Record]) -> Answer:
        if not self.exchange.read.has_account(account_id):
            return Answer({key: []} | envelope(LookupCode.NOT_FOUND))
        return _found(key, records)

    def _more(self, record: Record) -> Record:
        """Add keys that no client knows, where that is asked for."""
        if self.shape.extra_keys:
            record["madeUpKey"] = {"nested": [1, None]}
        return record


def envelope(code: int = 0, message: str | None = None) -> Record:
    """Return the part that every answer carries."""
    return {"success": code == 0, "errorCode": int(code), "errorMessage": message}


def _reply(reply: Reply) -> Record:
    return envelope(reply.code, reply.message)


def _found(key: str, records: list[Record]) -> Answer:
    return Answer({key: records} | envelope())


def _refuse_bars(asked: bodies.Bars, *, known: bool) -> int:
    if not known or asked.live:
        return BarCode.CONTRACT_NOT_FOUND
    if asked.unit not in UNITS:
        return BarCode.UNIT_INVALID
    if not 1 <= asked.unit_number <= MAX_BARS:
        return BarCode.UNIT_NUMBER_INVALID
    return BarCode.SUCCESS if 1 <= asked.limit <= MAX_BARS else BarCode.LIMIT_INVALID


def _place_order(asked: bodies.Place) -> PlaceOrder:
    stop, target = asked.stop_loss_bracket, asked.take_profit_bracket
    return PlaceOrder(
        account_id=asked.account_id,
        contract_id=asked.contract_id,
        type=asked.type,
        side=asked.side,
        size=asked.size,
        limit_price=asked.limit_price,
        stop_price=asked.stop_price,
        trail_price=asked.trail_price,
        custom_tag=asked.custom_tag,
        stop_loss=None if stop is None else Bracket(ticks=stop.ticks, type=stop.type),
        take_profit=None if target is None else Bracket(ticks=target.ticks, type=target.type),
    )


def _utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one that falls off the calendar there is the calendar's end."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _FIRST_MOMENT if moment.year == MINYEAR else _LAST_MOMENT


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else _utc(moment)


_B = TypeVar("_B", bound=bodies.Body)


def _endpoint(body: type[_B], handle: Callable[[Api, _B, datetime], Answer]) -> Endpoint:
    return Endpoint(body, cast("Callable[[Api, bodies.Body, datetime], Answer]", handle))


ENDPOINTS: dict[str, Endpoint] = {
    "/api/Account/search": _endpoint(bodies.AccountSearch, Api.accounts),
    "/api/Contract/search": _endpoint(bodies.ContractSearch, Api.contracts),
    "/api/Contract/searchById": _endpoint(bodies.ContractById, Api.contract),
    "/api/Contract/available": _endpoint(bodies.ContractAvailable, Api.available_contracts),
    "/api/History/retrieveBars": _endpoint(bodies.Bars, Api.retrieve_bars),
    "/api/Order/search": _endpoint(bodies.OrderSearch, Api.orders),
    "/api/Order/searchOpen": _endpoint(bodies.AccountOnly, Api.open_orders),
    "/api/Order/searchById": _endpoint(bodies.OneOrder, Api.order),
    "/api/Order/v2/query": _endpoint(bodies.OrderQuery, Api.query_orders),
    "/api/Order/place": _endpoint(bodies.Place, Api.place),
    "/api/Order/modify": _endpoint(bodies.Modify, Api.modify),
    "/api/Order/cancel": _endpoint(bodies.OneOrder, Api.cancel),
    "/api/Position/searchOpen": _endpoint(bodies.AccountOnly, Api.positions),
    "/api/Position/closeContract": _endpoint(bodies.CloseContract, Api.close),
    "/api/Position/partialCloseContract": _endpoint(bodies.PartialClose, Api.partial_close),
    "/api/Trade/search": _endpoint(bodies.TradeSearch, Api.trades),
}

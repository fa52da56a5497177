"""The hand of a test on the gateway: what the broker's clients can't do.

Every public method listed in `endpoints` is also an HTTP call of the same name below the control
URL. Contracts are named by product (MNQ: the front month), by ticker (MNQZ6) or by id.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from riskd.simulator.exchange import corrections
from riskd.simulator.exchange.admission import PlaceOrder
from riskd.simulator.exchange.booking import Fill, account_events
from riskd.simulator.exchange.contracts import MONTH_CODES
from riskd.simulator.exchange.exchange import Reply
from riskd.simulator.exchange.model import (
    Account,
    Order,
    OrderStatus,
    OrderType,
    Phase,
    PriceUpdate,
    Side,
    Trade,
)
from riskd.simulator.gateway import signalr
from riskd.simulator.gateway.connection import HangUp
from riskd.simulator.gateway.handling import CALLS, Handling, HeldCall, Outcome
from riskd.simulator.gateway.request_log import Received
from riskd.simulator.market.tape import Walk, generate

if TYPE_CHECKING:
    from riskd.simulator.gateway.gateway import SimulatedGateway

HubChoice: TypeAlias = Literal["user", "market", "all"]
SideName: TypeAlias = Literal["buy", "sell"]
TypeName: TypeAlias = Literal["market", "limit", "stop", "stop_limit", "trailing_stop", "join_bid", "join_ask"]
CallName: TypeAlias = Literal["place", "modify", "cancel", "close", "partial_close"]
MarketState: TypeAlias = Literal["open", "closed", "pre_open", "halted", "timetable"]

_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_PATIENCE_S = 5.0


class ControlError(Exception):
    """A control call that makes no sense here; the text says why."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """What a control call wrote: the order, its state, and the trades booked."""

    order_id: int
    accepted: bool
    code: int = 0
    message: str | None = None
    trade_ids: tuple[int, ...] = ()


class TimeNow(msgspec.Struct, frozen=True):
    """The gateway's time and speed."""

    now: datetime
    speed: Decimal


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that the exchange holds."""

    now: datetime
    accounts: list[Account]
    positions: dict[int, dict[str, int]]
    orders: list[Order]
    trades: list[Trade]
    prices: dict[str, dict[str, Decimal | None]]
    connections: dict[str, int]
    held: list[dict[str, object]]


class Control:
    """Moves the market, trades by hand, breaks connections, decides outcomes."""

    def __init__(self, gateway: "SimulatedGateway") -> None:
        """Act on a gateway."""
        self._gateway = gateway
        self._exchange = gateway.exchange

    # ------------------------------------------------------------------ orders and fills

    def order(
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

    def working(
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

    def fill(
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
        """Report a fill at a price, whatever the market: of `order_id`, else of a close that
        still waits for one, else of a market order made for it.
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
        if order_id is not None:
            self._order(order_id)
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

    def carry_in(self, account: int, contract: str, size: int, price: Decimal) -> None:
        """Let an account hold a signed position since before today, without a trade of today."""
        self._known_account(account)
        where = (account, self.contract_id(contract))
        books = self._exchange.books
        self._gateway.carry(corrections.carry_in(books, where, size, price, self._now()))

    # ------------------------------------------------------------------ the market

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

    # ------------------------------------------------------------------ accounts and behaviour

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
        """Match orders with prices or not; when not, closes still fill at the last price
        unless `closes_fill` is false.
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

    # ------------------------------------------------------------------ outcomes of calls

    def hold(self, calls: Iterable[CallName] = ("close", "partial_close", "cancel")) -> None:
        """Withhold these calls until `outcome` decides on each; none of them: hold nothing."""
        self._gateway.rest.hold.calls = set(calls)

    def held(self) -> list[HeldCall]:
        """Return the withheld requests, oldest first."""
        return list(self._gateway.rest.hold.waiting)

    def outcome(
        self,
        result: Outcome = "accepted",
        *,
        call: CallName | None = None,
        number: int | None = None,
        code: int | None = None,
        message: str | None = None,
        status: int = 503,
    ) -> None:
        """Decide on the oldest withheld request (of a call, or with a log number)."""
        handling = Handling(outcome=result, code=code, message=message, status=status)
        try:
            self._gateway.rest.hold.decide(handling, call=call, number=number)
        except LookupError as error:
            raise ControlError(str(error)) from None

    # ------------------------------------------------------------------ connections

    def disconnect(self, hub: HubChoice = "all", how: HangUp = HangUp.CLEAN) -> None:
        """End the connections of a hub: clean, abort, error or error_reconnect (type 7)."""
        for each in self._gateway.hubs(hub):
            each.hang_up(how)

    def hub_down(self, hub: HubChoice = "all", *, seconds: float | None = None) -> None:
        """Break a hub's connections and refuse new ones, for some real seconds or until `hub_up`."""
        for each in self._gateway.hubs(hub):
            each.down = True
            each.hang_up(HangUp.ABORT)
        if seconds is not None:
            self._gateway.later(seconds, lambda: self.hub_up(hub))

    def hub_up(self, hub: HubChoice = "all") -> None:
        """Accept connections again."""
        for each in self._gateway.hubs(hub):
            each.down = False

    def half_open(self, hub: HubChoice = "all") -> None:
        """Leave the present connections open but dead."""
        for each in self._gateway.hubs(hub):
            each.mute()

    def rest_down(self, *, seconds: float | None = None) -> None:
        """Break every REST request, for some real seconds or until `rest_up`."""
        self._gateway.rest.down = True
        if seconds is not None:
            self._gateway.later(seconds, self.rest_up)

    def rest_up(self) -> None:
        """Answer REST requests again."""
        self._gateway.rest.down = False

    def logout(self, hub: HubChoice = "all") -> None:
        """Send GatewayLogout to the connections of a hub."""
        for each in self._gateway.hubs(hub):
            each.broadcast(signalr.event("GatewayLogout"))

    def expire_tokens(self) -> None:
        """End every session; open sockets stay."""
        self._gateway.rest.tokens.revoke_all()

    # ------------------------------------------------------------------ time, state, waiting

    def time(self, *, now: datetime | None = None, speed: Decimal | None = None) -> TimeNow:
        """Set the gateway's time forward or change its speed (0: by hand); return both.

        The subscribers hear of it first, then come the events of the time that was skipped.
        """
        clock = self._gateway.clock
        try:
            if now is not None:
                clock.jump(now)
            if speed is not None:
                clock.set_speed(speed)
        except ValueError as error:
            raise ControlError(str(error)) from None
        if now is not None or speed is not None:
            self._gateway.announce_time()
            self._gateway.kernel.catch_up()
            self._gateway.kernel.wake()
        return TimeNow(clock.now(), clock.speed)

    def state(self) -> State:
        """Return everything the exchange holds."""
        books = self._exchange.books
        positions: dict[int, dict[str, int]] = {each: {} for each in books.accounts}
        for (owner, contract_id), holding in books.holdings.items():
            positions[owner][contract_id] = holding.size
        quotes = {each: books.market.quote(each) for each in books.market.quoted()}
        return State(
            now=self._now(),
            accounts=list(books.accounts.values()),
            positions=positions,
            orders=list(books.orders.values()),
            trades=list(books.trades.values()),
            prices={each: {"last": quote.last, "bid": quote.bid, "ask": quote.ask} for each, quote in quotes.items()},
            connections={each.name: len(each.connections) for each in self._gateway.hubs("all")},
            held=[{"number": each.number, "call": each.call, "body": each.body} for each in self.held()],
        )

    def requests(self, call: str | None = None, *, after: int = 0) -> list[Received]:
        """Return the REST requests of a call (all: None), those after a number."""
        return self._gateway.log.find(call, after=after)

    def position(self, account: int, contract: str) -> int:
        """Return the signed size an account holds of a contract."""
        return self._exchange.books.held(account, self.contract_id(contract))

    async def wait_request(self, call: str, *, count: int = 1, after: int = 0, within: float = _PATIENCE_S) -> Received:
        """Return the `count`-th request of a call once it has come."""
        log = self._gateway.log
        await self.wait_until(lambda: len(log.find(call, after=after)) >= count, within=within)
        return log.find(call, after=after)[count - 1]

    async def wait_answered(
        self, call: str, *, count: int = 1, after: int = 0, within: float = _PATIENCE_S
    ) -> Received:
        """Return the `count`-th request of a call once it has been answered."""
        log = self._gateway.log

        def answered() -> list[Received]:
            return [entry for entry in log.find(call, after=after) if entry.status]

        await self.wait_until(lambda: len(answered()) >= count, within=within)
        return answered()[count - 1]

    async def wait_held(self, call: CallName | None = None, *, count: int = 1, within: float = _PATIENCE_S) -> HeldCall:
        """Return the `count`-th withheld request (of a call) once it waits."""

        def held() -> list[HeldCall]:
            return [each for each in self.held() if call in {None, each.call}]

        await self.wait_until(lambda: len(held()) >= count, within=within)
        return held()[count - 1]

    async def wait_flat(self, account: int, *, within: float = _PATIENCE_S) -> None:
        """Return once an account holds nothing and nothing of it works."""

        def flat() -> bool:
            books = self._exchange.books
            holds = any(owner == account for owner, _ in books.holdings)
            return not holds and not self._exchange.read.open_orders(account)

        await self.wait_until(flat, within=within)

    async def wait_position(self, account: int, contract: str, size: int, *, within: float = _PATIENCE_S) -> None:
        """Return once an account holds a signed size of a contract."""
        await self.wait_until(lambda: self.position(account, contract) == size, within=within)

    async def wait_connected(self, hub: HubChoice = "all", *, count: int = 1, within: float = _PATIENCE_S) -> None:
        """Return once so many clients have shaken hands with each hub."""

        def connected() -> bool:
            return all(each.ready_count() >= count for each in self._gateway.hubs(hub))

        await self.wait_until(connected, within=within)

    async def wait_subscribed(self, target: str, key: int | str | None = None, *, within: float = _PATIENCE_S) -> None:
        """Return once somebody subscribed to an event (of an account id or a contract)."""
        known = self.contract_id(key) if isinstance(key, str) else key
        await self.wait_until(lambda: self._gateway.is_wanted(target, known), within=within)

    async def wait_until(self, condition: Callable[[], bool], *, within: float = _PATIENCE_S) -> None:
        """Return once a condition holds; it is looked at whenever anything happened."""
        await self._gateway.bell.until(condition, within=within)

    def contract_id(self, name: str) -> str:
        """Return the id of a contract given by product, by ticker or by id."""
        book = self._exchange.books.contracts
        if name.startswith("CON."):
            contract = book.find(name)
        elif book.product(name) is not None:
            contract = book.front(name, self._now())
        else:
            contract = book.find(_id_of_ticker(name, self._code_root(name), self._now().year))
        if contract is None:
            raise ControlError(f"no contract {name!r}: use a product (MNQ), a ticker or an id")
        return contract.id

    # ------------------------------------------------------------------ inside

    def _code_root(self, ticker: str) -> str:
        stem = ticker.rstrip("0123456789")[:-1]
        product = self._exchange.books.contracts.product(stem)
        return product.root if product is not None else "?"

    def _now(self) -> datetime:
        return self._gateway.clock.now()

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

    def _known_account(self, account: int) -> Account:
        known = self._exchange.books.accounts.get(account)
        if known is None:
            raise ControlError(f"no account {account}")
        return known

    def _order(self, order_id: int) -> Order:
        order = self._exchange.books.orders.get(order_id)
        if order is None:
            raise ControlError(f"no order {order_id}")
        return order

    def _trade(self, trade_id: int) -> None:
        if trade_id not in self._exchange.books.trades:
            raise ControlError(f"no trade {trade_id}")


def _id_of_ticker(ticker: str, root: str, year: int) -> str:
    digits = ticker[len(ticker.rstrip("0123456789")) :]
    month = ticker[: len(ticker) - len(digits)][-1:]
    if month not in MONTH_CODES or not digits:
        return "?"
    two_digits = int(digits) if len(digits) > 1 else _nearest_year(int(digits), year) % 100
    return f"CON.F.US.{root}.{month}{two_digits:02}"


def _nearest_year(digit: int, year: int) -> int:
    """Return the year with a last digit that is nearest to a year."""
    return min(range(year - 5, year + 6), key=lambda each: (each % 10 != digit, abs(each - year)))

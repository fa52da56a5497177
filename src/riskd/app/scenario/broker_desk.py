"""The broker of a scenario on the bare core: it keeps the books and answers what riskd asks of it.

Unless its answers are written in the scenario, it accepts every command at once, fills a close at the last price and
cancels what it is asked to cancel. Everything it says comes back to riskd as an event, like from a real one.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from riskd.app.scenario.language import BrokerAnswers
from riskd.app.scenario.ledger import AccountLedger
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import CannotHappen
from riskd.domain.commands import (
    AnyCommand,
    BrokerCommand,
    CancelOrder,
    ClosePosition,
    RequestSnapshot,
    ResizeOrder,
)
from riskd.domain.events import (
    AccountReported,
    AnyEvent,
    CommandEnded,
    Fill,
    OrderReported,
    Outcome,
    QuoteReported,
)
from riskd.domain.instruments import root_of_contract
from riskd.domain.orders import OrderStatus, Side, WorkingOrder

ZERO: Final = Decimal(0)


class ToRiskd(Protocol):
    """The way back to riskd."""

    @property
    def now(self) -> datetime:
        """Return the time now."""
        ...

    @property
    def seq(self) -> int:
        """Return the number of the last event that riskd processed."""
        ...

    def publish(self, event: AnyEvent) -> None:
        """Let riskd process an event."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A fill as it is about to be booked.

    Units: ``fee`` USD in all, None for the scenario's rate; ``at`` the broker's stamp, None for now.
    """

    contract: str
    side: Side
    quantity: int
    price: Decimal
    order: str | None = None
    trade: str | None = None
    fee: Decimal | None = None
    pnl: Decimal | None = None
    at: datetime | None = None


@dataclass(slots=True)
class BrokerDesk:
    """The broker's side of the world."""

    riskd: ToRiskd
    symbols: Symbols
    manual: bool
    fees: Mapping[str, Decimal]
    ledgers: Mapping[str, AccountLedger]
    connected: bool = True
    quotes: dict[str, QuoteReported] = field(default_factory=dict)
    fill_prices: dict[str, Decimal] = field(default_factory=dict)
    closed_markets: set[str] = field(default_factory=set)
    open: list[BrokerCommand] = field(default_factory=list)
    requests: deque[RequestSnapshot] = field(default_factory=deque)
    _work: deque[BrokerCommand] = field(default_factory=deque)

    # --- what riskd asks ---------------------------------------------------------------------------------------

    def take(self, commands: Iterable[AnyCommand]) -> None:
        """Receive what riskd sent; it is dealt with when ``answer`` is called."""
        for command in commands:
            match command:
                case RequestSnapshot():
                    self.requests.append(command)
                case ClosePosition() | CancelOrder() | ResizeOrder() if self.manual:
                    self.open.append(command)
                case ClosePosition() | CancelOrder() | ResizeOrder():
                    self._work.append(command)
                case _:
                    pass

    def answer(self) -> None:
        """Answer everything that can be answered now, and what riskd asks in return."""
        while self._work or self._due_request() is not None:
            if self._work:
                self._carry_out(self._work.popleft())
            else:
                self._read_for(self._due_request())

    def next_request_at(self) -> datetime | None:
        """Return when the next snapshot may be read, None while there is none to read."""
        if not self.connected:
            return None
        times = (request.not_before for request in self.requests)
        return min((at for at in times if at is not None), default=None)

    def forget(self) -> None:
        """Lose every request of a process that has died."""
        self.open.clear()
        self.requests.clear()
        self._work.clear()

    def _due_request(self) -> RequestSnapshot | None:
        if not self.connected:
            return None
        now = self.riskd.now
        return next((r for r in self.requests if r.not_before is None or r.not_before <= now), None)

    def _read_for(self, request: RequestSnapshot | None) -> None:
        if request is not None:
            self.requests.remove(request)
            self.report_account(request.account, request_id=request.request_id, since=request.since)

    def report_account(self, account: str, *, since: datetime, request_id: str = "") -> None:
        """Tell riskd everything about an account."""
        ledger = self.ledgers[account]
        self.riskd.publish(ledger.snapshot(request_id=request_id, asked_seq=self.riskd.seq, since=since))

    # --- answers -----------------------------------------------------------------------------------------------

    def answer_by_hand(self, answer: BrokerAnswers) -> None:
        """Give the answer that the scenario writes, to the oldest open command that it fits.

        Errors: CannotHappen when no such command is open.
        """
        kinds = ClosePosition if answer.kind == "close" else (CancelOrder, ResizeOrder)
        fitting = [c for c in self.open if isinstance(c, kinds) and self._is_about(c, answer)]
        if not self.manual or not fitting:
            about = f" {answer.about}" if answer.about else ""
            wanted = "'broker manual' before an outcome" if not self.manual else f"an open {answer.kind}{about}"
            raise CannotHappen(expected=wanted, actual=f"no {answer.kind} of {answer.account} is open")
        self.open.remove(fitting[0])
        self._end(fitting[0], answer.outcome, answer.code)

    def _is_about(self, command: BrokerCommand, answer: BrokerAnswers) -> bool:
        if command.account != answer.account:
            return False
        if answer.about is None:
            return True
        if isinstance(command, ClosePosition):
            return command.contract == self.symbols.contract(answer.about)
        return command.order_id == answer.about

    def _end(self, command: BrokerCommand, outcome: Outcome, code: str = "") -> None:
        self.riskd.publish(
            CommandEnded(account=command.account, command_id=command.command_id, outcome=outcome, code=code)
        )

    def _carry_out(self, command: BrokerCommand) -> None:
        refusal = self._refusal(command)
        if refusal is not None:
            self._end(command, *refusal)
            return
        self._end(command, Outcome.ACCEPTED)
        match command:
            case ClosePosition():
                self._fill_close(command)
            case CancelOrder():
                self.end_order(command.account, command.order_id, OrderStatus.CANCELLED)
            case ResizeOrder():
                self._resize(command)

    def _refusal(self, command: BrokerCommand) -> tuple[Outcome, str] | None:
        ledger = self.ledgers[command.account]
        if not self.connected:
            return Outcome.UNAVAILABLE, "disconnected"
        if not isinstance(command, ClosePosition):
            return None if command.order_id in ledger.orders else (Outcome.REJECTED, "order_not_found")
        if command.contract in self.closed_markets:
            return Outcome.REJECTED, "market_closed"
        return (Outcome.REJECTED, "position_not_found") if ledger.quantity(command.contract) == 0 else None

    def _fill_close(self, command: ClosePosition) -> None:
        held = self.ledgers[command.account].quantity(command.contract)
        quantity = abs(held) if command.quantity is None else min(command.quantity, abs(held))
        side = Side.SELL if held > 0 else Side.BUY
        price = self.last_price(command.contract)
        self.fill(command.account, Execution(contract=command.contract, side=side, quantity=quantity, price=price))

    def _resize(self, command: ResizeOrder) -> None:
        ledger = self.ledgers[command.account]
        order = msgspec.structs.replace(ledger.order(command.order_id), size=command.size)
        ledger.orders[command.order_id] = order
        self._report_order(command.account, order)

    # --- what happens at the broker ----------------------------------------------------------------------------

    def last_price(self, contract: str) -> Decimal:
        """Return the last price, or that of the last fill before there is one.

        Errors: CannotHappen while there is neither.
        """
        quote = self.quotes.get(contract)
        price = next((p for p in (quote.last, quote.bid, quote.ask) if p is not None), None) if quote else None
        found = price if price is not None else self.fill_prices.get(contract)
        if found is None:
            raise CannotHappen(expected=f"a price of {contract} before this", actual="none was given")
        return found

    def quote(self, quote: QuoteReported) -> None:
        """Publish a price to whoever is connected."""
        known = self.quotes.get(quote.contract)
        fields = {"last": quote.last, "bid": quote.bid, "ask": quote.ask}
        new = {key: price for key, price in fields.items() if price is not None}
        self.quotes[quote.contract] = msgspec.structs.replace(known, **new) if known else quote
        if self.connected:
            self.riskd.publish(quote)

    def fill(self, account: str, execution: Execution) -> None:
        """Book a fill and report it."""
        ledger = self.ledgers[account]
        rate = self.fees.get(root_of_contract(execution.contract), ZERO)
        fill = Fill(
            account=account,
            trade_id=execution.trade or ledger.new_trade_id(),
            contract=execution.contract,
            side=execution.side,
            quantity=execution.quantity,
            price=execution.price,
            at=execution.at or self.riskd.now,
            fees=execution.fee if execution.fee is not None else rate * execution.quantity,
            commission=ZERO,
            pnl=execution.pnl,
            order_id=execution.order,
        )
        ledger.book(fill)
        self.fill_prices[fill.contract] = fill.price
        self.report_fill(fill)

    def report_fill(self, fill: Fill) -> None:
        """Report a fill and the position that it leads to, in the order in which a broker does."""
        if not self.connected:
            return
        self.riskd.publish(fill)
        ledger = self.ledgers[fill.account]
        self.riskd.publish(ledger.position(fill.contract))
        if ledger.balance is not None:
            self.report_balance(fill.account)

    def report_balance(self, account: str) -> None:
        """Report an account's balance and whether it may trade."""
        ledger = self.ledgers[account]
        if self.connected:
            self.riskd.publish(
                AccountReported(
                    account=account, name=ledger.name, balance=ledger.balance or ZERO, can_trade=ledger.can_trade
                )
            )

    def place_order(self, account: str, order: WorkingOrder) -> None:
        """Let an order work; a bracket's child sleeps until its parent has filled."""
        ledger = self.ledgers[account]
        if order.parent is not None and order.parent in ledger.orders:
            order = msgspec.structs.replace(order, status=OrderStatus.SUSPENDED)
        ledger.place(order)
        self._report_order(account, order)

    def fill_order(self, account: str, order: str, *, quantity: int | None, price: Decimal) -> None:
        """Fill a working order: the order first, then its fill, as a broker reports them."""
        known = self.ledgers[account].order(order)
        filled = known.remaining if quantity is None else quantity
        execution = Execution(contract=known.contract, side=known.side, quantity=filled, price=price, order=order)
        self.fill_of_order(account, order, execution)

    def fill_of_order(self, account: str, order: str, execution: Execution) -> None:
        """Fill a working order with this execution."""
        after, _ = self.ledgers[account].fill_order(order, execution.quantity)
        self._report_order(account, after)
        self.fill(account, execution)
        if after.status is OrderStatus.FILLED:
            self._wake_children(account, order)

    def end_order(self, account: str, order: str, status: OrderStatus) -> None:
        """End a working order, and the sleeping children of its bracket with it."""
        ledger = self.ledgers[account]
        self._report_order(account, ledger.end(order, status))
        for child in self._children(account, order):
            self._report_order(account, ledger.end(child.order_id, OrderStatus.CANCELLED))

    def _wake_children(self, account: str, order: str) -> None:
        for child in self._children(account, order):
            working = msgspec.structs.replace(child, status=OrderStatus.WORKING)
            self.ledgers[account].orders[child.order_id] = working
            self._report_order(account, working)

    def _children(self, account: str, order: str) -> list[WorkingOrder]:
        orders = self.ledgers[account].orders.values()
        return [o for o in orders if o.parent == order and o.status is OrderStatus.SUSPENDED]

    def _report_order(self, account: str, order: WorkingOrder) -> None:
        if self.connected:
            self.riskd.publish(OrderReported(account=account, order=order))

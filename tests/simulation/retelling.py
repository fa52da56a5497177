"""A failing run told as a scenario: what one account's riskd heard, line by line, and what it should have done.

There are two ways to tell it. In the first the scenario's own broker answers riskd, so that a riskd without the mistake
is seen to do what it should; in the second every answer and fill is written as it came, for what hangs on them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from riskd.app.scenario.telling import tell_given
from riskd.app.scenario.world import Given
from riskd.domain.calendar import CHICAGO, trading_day
from riskd.domain.commands import (
    AnyCommand,
    CancelOrder,
    ClosePosition,
    LockAccount,
    ResizeOrder,
    StartCooldown,
)
from riskd.domain.events import (
    ClockTicked,
    CommandEnded,
    DaemonStarted,
    FeedSilent,
    Fill,
    OrderReported,
    Outcome,
    QuoteReported,
    SnapshotReported,
)
from riskd.domain.instruments import symbol_of_contract
from riskd.domain.orders import ENDED, OrderStatus, OrderType, WorkingOrder
from tests.simulation.chronicle import Heard
from tests.simulation.limits import START_BALANCE, Limits
from tests.simulation.verdict import Broken

_KINDS: Mapping[OrderType, str] = {
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.TRAILING_STOP: "trailing",
}
_ENFORCING = (LockAccount, StartCooldown, ClosePosition, CancelOrder)


class Story:
    """The lines of one account's scenario."""

    def __init__(self, account: str, own_orders: frozenset[str], *, manual: bool) -> None:
        """Tell of this account; ``own_orders`` are those that riskd's closes became."""
        self.lines: list[str] = []
        self._account = account
        self._own = own_orders
        self._manual = manual
        self._working: dict[str, int] = {}
        self._trades: set[str] = set()
        self._voided: set[str] = set()
        self._contracts: frozenset[str] = frozenset()
        self._stamped: frozenset[str] = frozenset()
        self._sent: dict[str, AnyCommand] = {}
        self._held: dict[str, int] = {}
        self._unread: dict[str, str] = {}
        self._started = False

    def begin(self, heard: Sequence[Heard]) -> None:
        """Look at what there is to tell: which contracts matter, and of which the fills came in another order."""
        newest: dict[str, datetime] = {}
        late: set[str] = set()
        for one in heard:
            for fill in _fills(one, self._account):
                if fill.at < newest.setdefault(fill.contract, fill.at) and fill.trade_id not in self._trades:
                    late.add(fill.contract)
                if trading_day(fill.at) != trading_day(one.envelope.at):
                    late.add(fill.contract)
                newest[fill.contract] = max(newest[fill.contract], fill.at)
                self._trades.add(fill.trade_id)
        self._trades.clear()
        self._contracts, self._stamped = frozenset(newest), frozenset(late)

    def tell(self, one: Heard) -> None:
        """Tell one event."""
        event, at = one.envelope.event, one.envelope.at
        match event:
            case QuoteReported() if event.contract in self._contracts:
                self._quote(at, event)
            case FeedSilent(contract=contract) if contract in self._contracts:
                self._add(at, f"{symbol_of_contract(contract)} silent")
            case DaemonStarted():
                if self._started:
                    self._add(at, "crash")
                self._started = True
            case CommandEnded() if event.account == self._account and self._manual:
                self._outcome(at, event)
            case Fill() if event.account == self._account:
                self._fill(at, event)
            case OrderReported() if event.account == self._account:
                self._order(at, event.order)
            case SnapshotReported() if event.account == self._account:
                self._snapshot(at, event)
            case _:
                pass
        self._note(one.commands)

    def time(self, at: datetime) -> None:
        """Let time go on to here."""
        self._add(at, "")

    def _add(self, at: datetime, fact: str) -> None:
        self.lines += self._unread.values()
        self._unread.clear()
        self.lines.append(_line(at, fact))

    def _note(self, commands: Iterable[AnyCommand]) -> None:
        for command in commands:
            if isinstance(command, ClosePosition | CancelOrder | ResizeOrder) and command.account == self._account:
                self._sent[command.command_id] = command
                if isinstance(command, CancelOrder) and not self._manual:
                    self._working.pop(command.order_id, None)

    def _quote(self, at: datetime, quote: QuoteReported) -> None:
        fields = {"last": quote.last, "bid": quote.bid, "ask": quote.ask}
        told = [f"{name} {price:f}" for name, price in fields.items() if price is not None and price.is_finite()]
        fact = f"{symbol_of_contract(quote.contract)} {' '.join(told)}"
        if told and self._held.get(quote.contract, 0):
            self._add(at, fact)
        elif told:
            # While nothing is held only the last price before the next thing that happens can matter.
            self._unread.pop(quote.contract, None)
            self._unread[quote.contract] = _line(at, fact)

    def _outcome(self, at: datetime, event: CommandEnded) -> None:
        match self._sent.get(event.command_id):
            case ClosePosition(contract=contract):
                about = f"close {symbol_of_contract(contract)}"
            case CancelOrder(order_id=order) | ResizeOrder(order_id=order):
                about = f"cancel {order}"
            case _:
                return
        code = f" {event.code or 'refused'}" if event.outcome is Outcome.REJECTED else ""
        self._add(at, f"{self._account} outcome {about} {event.outcome}{code}")

    def _fill(self, at: datetime, fill: Fill) -> None:
        own = fill.order_id in self._own and not self._manual
        if fill.trade_id in self._trades:
            if fill.voided and fill.trade_id not in self._voided and not own:
                self._voided.add(fill.trade_id)
                self._add(at, f"{self._account} void {fill.trade_id}")
            return
        self._trades.add(fill.trade_id)
        self._held[fill.contract] = self._held.get(fill.contract, 0) + fill.signed
        if not own:
            self._add(at, f"{self._account} fill {self._traded(fill)} {' '.join(self._details(fill))}")

    @staticmethod
    def _traded(fill: Fill) -> str:
        return f"{fill.side} {fill.quantity} {symbol_of_contract(fill.contract)} @ {fill.price:f}"

    def _details(self, fill: Fill) -> Iterable[str]:
        order = fill.order_id
        left = self._working.get(order, 0) if order is not None else 0
        if order is not None and left >= fill.quantity:
            yield f"order={order}"
            self._working[order] = left - fill.quantity
            if left == fill.quantity:
                del self._working[order]
        yield f"id={fill.trade_id}"
        yield f"fee={fill.fees + (fill.commission or Decimal(0)):f}"
        if fill.pnl is not None:
            yield f"pnl={fill.pnl:f}"
        if fill.contract in self._stamped:
            yield f"at={fill.at.astimezone(CHICAGO):%H:%M:%S.%f}"

    def _order(self, at: datetime, order: WorkingOrder) -> None:
        if order.status in ENDED:
            if order.order_id in self._working and order.status is not OrderStatus.FILLED:
                del self._working[order.order_id]
                self._add(at, f"{self._account} order {order.order_id} cancelled")
        elif order.order_id not in self._working and order.remaining and _tellable(order):
            self._working[order.order_id] = order.remaining
            self._add(at, f"{self._account} order {order.order_id} {self._placed(order)}".rstrip())

    @staticmethod
    def _placed(order: WorkingOrder) -> str:
        price = order.limit_price if order.type is OrderType.LIMIT else order.stop_price
        links = {"parent": order.parent, "oco": order.linked}
        more = " ".join(f"{name}={other}" for name, other in links.items() if other is not None)
        priced = f"@ {price:f} " if price is not None else ""
        symbol = symbol_of_contract(order.contract)
        return f"{order.side} {order.remaining} {symbol} {_KINDS[order.type]} {priced}{more}"

    def _snapshot(self, at: datetime, event: SnapshotReported) -> None:
        for fill in sorted(event.fills, key=lambda f: (f.at, f.trade_id)):
            self._fill(at, fill)
        for order in event.orders:
            self._order(at, order)
        shown = {order.order_id for order in event.orders}
        for order_id in [o for o in self._working if o not in shown]:
            del self._working[order_id]
            self._add(at, f"{self._account} order {order_id} cancelled")


def _line(at: datetime, fact: str) -> str:
    return f"  {at.astimezone(CHICAGO):%Y-%m-%d %H:%M:%S.%f} {fact}".rstrip()


def _tellable(order: WorkingOrder) -> bool:
    """Tell whether a scenario has words for an order; a bracket's child has no price before its parent has filled."""
    priced = order.limit_price is not None or order.stop_price is not None
    return order.type in _KINDS and (priced or order.type is OrderType.TRAILING_STOP)


def _fills(one: Heard, account: str) -> Iterable[Fill]:
    match one.envelope.event:
        case Fill() as fill if fill.account == account:
            return (fill,)
        case SnapshotReported() as shown if shown.account == account:
            return sorted(shown.fills, key=lambda f: (f.at, f.trade_id))
        case _:
            return ()


def rule_line(account: str, limits: Limits) -> str:
    """Return the rules of an account as a scenario writes them."""
    entries: list[Mapping[str, object]] = json.loads(limits.spec())["rules"]
    return f"  rules {account} " + " ; ".join(_rule(entry) for entry in entries)


def _rule(entry: Mapping[str, object]) -> str:
    params = entry["params"]
    settings = params.items() if isinstance(params, dict) else ()
    return " ".join([str(entry["rule"]), *(f"{key}={_value(value)}" for key, value in settings)])


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def told(
    broken: Broken, heard: Sequence[Heard], limits: Limits, own_orders: frozenset[str], *, manual: bool
) -> list[str]:
    """Return a scenario, line by line, of which the last must not hold."""
    story = Story(broken.account, own_orders, manual=manual)
    story.begin(heard)
    drawn = False
    for one in heard:
        gives = broken.command is not None and any(c is broken.command for c in one.commands)
        if not drawn and (gives or (broken.since is not None and one.at >= broken.since)):
            story.lines.append("  -> anything")
            drawn = True
        story.tell(one)
        if gives:
            if isinstance(one.envelope.event, ClockTicked):
                story.time(one.envelope.at)
            story.lines.append(f"  -> {_without(broken, one)}")
            break
    else:
        story.time(heard[-1].envelope.at)
        story.lines += [_line(heard[-1].envelope.at, "crash")] if broken.reborn else []
        story.lines.append(f"  -> anything ; {broken.wanted}" if broken.wanted else "  -> anything")
    return [*_head(broken, heard, limits, manual=manual), *story.lines]


def _head(broken: Broken, heard: Sequence[Heard], limits: Limits, *, manual: bool) -> list[str]:
    return [
        f'scenario "{broken.promise}: {broken.account}"',
        f"  date {heard[0].envelope.at.astimezone(CHICAGO):%Y-%m-%d}",
        *(["  broker manual"] if manual else []),
        rule_line(broken.account, limits),
        f"  {broken.account} balance {START_BALANCE}",
        _line(heard[0].envelope.at, ""),
    ]


def _without(broken: Broken, one: Heard) -> str:
    """Return what was rightly given in the step that gave one command too many."""
    rest = [c for c in one.commands if isinstance(c, _ENFORCING) and c is not broken.command]
    given = [tell_given(Given(0, c, None)) for c in rest if c.account == broken.account]
    return " ; ".join(given) or "nothing"

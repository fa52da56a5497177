"""An account that lives through anything, with a broker that obeys at once, late or not at all.

The desk is the real core. The broker here keeps the truth: what is held there, which trades riskd has not heard of yet,
and what riskd has asked for. After every event the promises are checked that hold whatever happens.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
from hypothesis import strategies as st

from riskd.domain.calendar import next_reset
from riskd.domain.commands import AnyCommand, CancelOrder, ClosePosition, LockAccount, ResizeOrder, UnlockAccount
from riskd.domain.events import (
    AnyEvent,
    CommandEnded,
    DaemonStarted,
    Fill,
    OrderReported,
    Outcome,
    PositionReported,
    QuoteReported,
    SnapshotReported,
)
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from riskd.engine.core import Core
from riskd.rules.registry import compile_rulebook
from tests.support.desk import Desk, contract

ROOTS: Final = ("MNQ", "ES", "CL")
PRICES: Final = {"MNQ": Decimal(21000), "ES": Decimal(5800), "CL": Decimal(75)}
TICKS: Final = {"MNQ": Decimal("0.25"), "ES": Decimal("0.25"), "CL": Decimal("0.01")}
RULES: Final[Mapping[str, Mapping[str, object]]] = {
    "DailyRealizedLoss": {"limit": "-300.00"},
    "UnrealizedLoss": {"limit": "-150.00"},
    "NoStopLossGrace": {"grace_period": "5min"},
    "MaxContracts": {"max_contracts": 4},
    "TradeFrequencyLimit": {"max_trades": 6, "window": "10min"},
    "CooldownAfterLoss": {"loss_threshold": "-60.00", "cooldown_duration": "10min"},
}
Step = tuple[str, int, int, int]
"""What happens, to which product, how many contracts, how many ticks away."""

ROOT: Final = st.integers(0, 2)
SIZE: Final = st.sampled_from([-5, -2, -1, 1, 2, 5])
AWAY: Final = st.integers(-40, 40)
TRADE: Final = st.tuples(st.just("trade"), ROOT, SIZE, AWAY)
QUOTE: Final = st.tuples(st.just("quote"), ROOT, SIZE, AWAY)
NOISE: Final = st.tuples(st.sampled_from(["again", "bad"]), ROOT, SIZE, AWAY)
LATE: Final = st.tuples(st.sampled_from(["late", "tell"]), ROOT, SIZE, AWAY)
ORDER: Final = st.tuples(st.sampled_from(["order", "stop", "cancel"]), ROOT, SIZE, AWAY)
ANSWER: Final = st.tuples(st.sampled_from(["obey", "obey", "refuse", "silence", "snapshot"]), ROOT, SIZE, AWAY)
WAIT: Final = st.tuples(st.just("wait"), ROOT, SIZE, st.sampled_from([0, 1, 3, 20, 70]))
RESTART: Final = st.tuples(st.sampled_from(["restart", "evening"]), ROOT, SIZE, AWAY)
STEPS: Final = st.lists(st.one_of(TRADE, QUOTE, LATE, ORDER, ANSWER, WAIT, RESTART), max_size=30)
NOISY: Final = st.lists(st.one_of(TRADE, QUOTE, ORDER, ANSWER, WAIT, NOISE), max_size=30)


@dataclass
class Life:
    """One account and its broker."""

    desk: Desk = field(default_factory=lambda: Desk(RULES))
    held: dict[str, int] = field(default_factory=dict)
    traded: list[Fill] = field(default_factory=list)
    untold: list[Fill] = field(default_factory=list)
    working: dict[str, WorkingOrder] = field(default_factory=dict)
    asked: list[AnyCommand] = field(default_factory=list)
    promised: dict[str, datetime | None] = field(default_factory=dict)
    allowed: dict[tuple[str, datetime, str], int] = field(default_factory=dict)
    told: list[AnyEvent] = field(default_factory=list)
    done: list[tuple[object, ...]] = field(default_factory=list)
    placed: int = 0

    def live(self, steps: list[Step]) -> "Life":
        """Live through all of it."""
        for what, root, size, ticks in steps:
            self.step(what, ROOTS[root], size, ticks)
        return self

    def step(self, what: str, root: str, size: int, ticks: int) -> None:
        """Let one thing happen, and hold riskd to its promises."""
        price = PRICES[root] + ticks * TICKS[root]
        if what in {"trade", "late"}:
            self._trade(root, size, price, late=what == "late")
        elif what in {"quote", "bad"}:
            self._price(root, size, price, bad=what == "bad")
        elif what in {"order", "stop", "cancel"}:
            self._orders(what, root, size, price)
        elif what in {"obey", "refuse", "silence"}:
            self._answer(what)
        else:
            self._rest(what, ticks)

    def _rest(self, what: str, ticks: int) -> None:
        match what:
            case "tell":
                self._tell_all()
            case "again":
                self._again(ticks)
            case "wait":
                self._wait(timedelta(seconds=ticks))
            case "restart":
                self._restart()
            case "evening":
                self._go_on_after_the_reset()
            case _:
                self._snapshot()

    # --- what happens -------------------------------------------------------------------------------------------

    def _trade(self, root: str, size: int, price: Decimal, *, late: bool = False, order_id: str = "") -> None:
        number = len(self.traded) + 1
        fill = Fill(
            account="A1",
            trade_id=f"T{number}",
            contract=contract(root),
            side=Side.BUY if size > 0 else Side.SELL,
            quantity=abs(size),
            price=price,
            at=self.desk.at,
            fees=Decimal("0.61"),
            commission=Decimal(0),
            order_id=order_id or f"O{number}",
        )
        self.traded.append(fill)
        self.held[root] = self.held.get(root, 0) + size
        self.untold.append(fill)
        if not late:
            self._tell_all()

    def _tell_all(self) -> None:
        while self.untold:
            self._publish(self.untold.pop(0))

    def _quote(self, root: str, **prices: Decimal) -> None:
        self._publish(QuoteReported(contract=contract(root), at=self.desk.at, **prices))

    def _price(self, root: str, kind: int, price: Decimal, *, bad: bool) -> None:
        """Tell a price, or one that cannot be true: off the grid, of the wrong sign, no number, or crossed."""
        tick = TICKS[root]
        if not bad:
            self._quote(root, last=price, bid=price, ask=price)
        elif kind < -1:
            self._quote(root, last=price + tick / 3)
        elif kind == -1:
            self._quote(root, last=Decimal("NaN"), bid=Decimal("Infinity"))
        elif kind > 1:
            self._quote(root, bid=price + 1000 * tick, ask=price - 1000 * tick)
        else:
            self._quote(root, last=Decimal("-0.001"), bid=Decimal("0.001"))

    def _again(self, which: int) -> None:
        """Tell once more what was told before: a fill, or how a command ended; a doubt told again is a doubt anew."""
        fills = [e for e in self.told if isinstance(e, Fill)]
        known: list[AnyEvent] = [
            *fills,
            *(e for e in self.told if isinstance(e, CommandEnded) and e.outcome is not Outcome.UNKNOWN),
        ]
        if known:
            self._publish(known[which % len(known)])

    def _orders(self, what: str, root: str, size: int, price: Decimal) -> None:
        """Place an order, or let one end."""
        if what == "cancel":
            self._end_order(size)
            return
        self.placed += 1
        order = WorkingOrder(
            order_id=f"W{self.placed}",
            contract=contract(root),
            side=Side.BUY if size > 0 else Side.SELL,
            type=OrderType.STOP if what == "stop" else OrderType.LIMIT,
            status=OrderStatus.WORKING,
            size=abs(size),
            stop_price=price if what == "stop" else None,
        )
        self.working[order.order_id] = order
        self._publish(OrderReported(account="A1", order=order))

    def _end_order(self, which: int) -> None:
        if self.working:
            name = sorted(self.working)[which % len(self.working)]
            ended = msgspec.structs.replace(self.working.pop(name), status=OrderStatus.CANCELLED)
            self._publish(OrderReported(account="A1", order=ended))

    def _wait(self, length: timedelta) -> None:
        seen = len(self.desk.steps)
        self.desk.wait(length)
        self._look_at(seen)

    def _go_on_after_the_reset(self) -> None:
        # What is asked for is answered first: else it is asked for again every few seconds, for hours.
        for pause in (timedelta(minutes=2), timedelta(minutes=20)):
            self.settle()
            self._wait(pause)
        self.settle()
        self._wait(next_reset(self.desk.at) - self.desk.at + timedelta(minutes=1))

    def _restart(self) -> None:
        states = dict(self.desk.core.state_manager.accounts)
        self.desk.core = Core(compile_rulebook, self.desk.enforcement_engine)
        self.desk.core.restore(states)
        self.asked.clear()
        self._publish(DaemonStarted(last_at=self.desk.at))
        self._snapshot()

    def _snapshot(self) -> None:
        """Tell the whole truth."""
        self.untold.clear()
        asked = self.desk.state.asked
        none = Decimal(0)
        self._publish(
            SnapshotReported(
                account="A1",
                request_id=asked.request_id if asked else "",
                asked_seq=self.desk.event_bus.last_seq,
                positions=tuple(PositionReported("A1", contract(r), q, none) for r, q in self.held.items() if q),
                orders=tuple(self.working.values()),
                fills=tuple(self.traded),
            )
        )

    # --- the broker ---------------------------------------------------------------------------------------------

    def _answer(self, how: str) -> None:
        """Do the oldest thing that riskd asked for, refuse it, or do it and say nothing."""
        if not self.asked:
            return
        command = self.asked.pop(0)
        assert isinstance(command, ClosePosition | CancelOrder | ResizeOrder)
        possible = how != "refuse" and self._may(command)
        outcome = Outcome.UNKNOWN if how == "silence" else Outcome.ACCEPTED if possible else Outcome.REJECTED
        self._publish(CommandEnded(account="A1", command_id=command.command_id, outcome=outcome))
        if possible:
            self._do(command)

    def _may(self, command: ClosePosition | CancelOrder | ResizeOrder) -> bool:
        if isinstance(command, ClosePosition):
            held = self.held.get(_root(command.contract), 0)
            return held != 0 and (command.quantity or 0) <= abs(held)
        return command.order_id in self.working

    def _do(self, command: ClosePosition | CancelOrder | ResizeOrder) -> None:
        match command:
            case ClosePosition():
                root = _root(command.contract)
                held = self.held[root]
                count = min(command.quantity or abs(held), abs(held))
                order_id = f"C{command.command_id}"
                self._trade(root, -count if held > 0 else count, PRICES[root], order_id=order_id)
            case CancelOrder():
                ended = msgspec.structs.replace(self.working.pop(command.order_id), status=OrderStatus.CANCELLED)
                self._publish(OrderReported(account="A1", order=ended))
            case ResizeOrder():
                cut = msgspec.structs.replace(self.working[command.order_id], size=command.size)
                self.working[command.order_id] = cut
                self._publish(OrderReported(account="A1", order=cut))

    def settle(self) -> "Life":
        """Let the broker be in order for as long as it takes."""
        for _ in range(40):
            while self.asked:
                self._answer("obey")
            self._snapshot()
            if not self.asked:
                self._wait(timedelta(seconds=16))
            if not (self.asked or self.desk.state.flatten or self.desk.state.asked):
                break
        return self

    # --- the promises -------------------------------------------------------------------------------------------

    def _publish(self, event: AnyEvent) -> None:
        seen = len(self.desk.steps)
        self.told.append(event)
        self.desk.publish(event)
        self._look_at(seen)

    def _look_at(self, seen: int) -> None:
        for envelope, step in self.desk.steps[seen:]:
            for command in step.commands:
                self._judge(command, envelope.at)
        self._stays_locked()
        self._shrinks()

    def _judge(self, command: AnyCommand, at: datetime) -> None:
        match command:
            case ClosePosition():
                closed = command.quantity or abs(command.held)
                assert command.held, "nothing is closed that is not held"
                assert 0 < closed <= abs(command.held), "a close is never larger than the position"
                assert command.left == command.held - (closed if command.held > 0 else -closed)
                self.done.append(("close", command.contract, command.quantity, command.left, _by(command.rule)))
                self.asked.append(command)
            case CancelOrder():
                self.done.append(("cancel", command.order_id, _by(command.rule)))
                self.asked.append(command)
            case ResizeOrder():
                assert command.size < self.working[command.order_id].size, "an order is only ever cut"
                self.done.append(("resize", command.order_id, command.size))
                self.asked.append(command)
            case LockAccount():
                self.done.append(("lock", _by(command.cause), command.until))
                self.promised[command.cause] = command.until
            case UnlockAccount():
                ends = [until for until in self.promised.values() if until is not None]
                assert len(ends) == len(self.promised), "only an admin ends a lockout without an end"
                assert all(until <= at for until in ends), "a lockout ends by time alone"
                assert not self.desk.state.positions, "no lockout ends before the account is flat"
                self.promised.clear()
                self.done.append(("unlock",))
            case _:
                pass

    def _stays_locked(self) -> None:
        stands = [cause for cause, until in self.promised.items() if until is None or until > self.desk.at]
        if stands:
            assert {lockout.cause for lockout in self.desk.state.lockouts} >= set(stands), "a lockout was forgotten"

    def _shrinks(self) -> None:
        now = {}
        for cause in self.desk.state.no_new_risk:
            for name, quantity in _everything(cause.allowance):
                key = (cause.cause, cause.since, name)
                before = self.allowed.get(key)
                if before is not None:
                    assert abs(quantity) <= abs(before), "an allowance never grows"
                    assert quantity * before >= 0, "an allowance never changes sides"
                now[key] = quantity
        self.allowed = now


def _by(cause: str) -> str:
    """Return which rule it was; what it was about may name the place of an event."""
    return cause.partition("|")[0]


def _everything(allowance: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Give the allowance of every product: what is not named is nothing."""
    for root in ROOTS:
        yield root, allowance.get(contract(root), 0)


def _root(of: str) -> str:
    return next(root for root in ROOTS if contract(root) == of)

"""A desk: the real core on a real bus with a clock that a test sets, and every command in reach.

Symbols are product roots, prices decimal text. Nothing answers by itself: a test says what the broker does.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from riskd.domain.account import AccountState
from riskd.domain.calendar import CHICAGO
from riskd.domain.commands import (
    Alert,
    AnyCommand,
    CancelOrder,
    ClosePosition,
    EnforcementEnded,
    LockAccount,
    RequestSnapshot,
    ResizeOrder,
    UnlockAccount,
)
from riskd.domain.events import (
    AccountArmed,
    AnyEvent,
    ClockTicked,
    CloseRequested,
    CommandEnded,
    DaemonStarted,
    Envelope,
    Fill,
    OrderReported,
    Outcome,
    PositionReported,
    QuoteReported,
    RulesApplied,
    SnapshotReported,
)
from riskd.domain.instruments import contract_of_symbol
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from riskd.domain.violations import RuleViolation
from riskd.engine.core import Core
from riskd.engine.enforcement_engine import EnforcementEngine
from riskd.engine.event_bus import EventBus
from riskd.engine.step import Step
from riskd.rules.registry import compile_rulebook

MONTH = "H6"
START = "2026-03-10 09:30"


def contract(root: str) -> str:
    """Return the contract id of a product root's month."""
    return contract_of_symbol(f"{root}{MONTH}")


def ct(text: str) -> datetime:
    """Return the instant of a Chicago wall time such as `2026-03-10 16:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO).astimezone(UTC)


class Desk:
    """One core and its accounts, driven by hand."""

    def __init__(
        self, rules: Mapping[str, Mapping[str, object]] | None = None, *, start: str = START, armed: bool = True
    ) -> None:
        self.at = ct(start)
        self.steps: list[tuple[Envelope, Step]] = []
        self._trades = 0
        self.enforcement_engine = EnforcementEngine(self._publish_request)
        self.core = Core(compile_rulebook, self.enforcement_engine)
        self.event_bus = EventBus(self._handle, now=lambda: self.at, on_overflow=self._overflow)
        self.overflowed: list[AnyEvent] = []
        self.publish(DaemonStarted())
        if rules is not None:
            self.rules("A1", rules)
            self.snapshot()
            if armed:
                self.publish(AccountArmed(account="A1"))
            self.forget()

    def _publish_request(self, event: CloseRequested) -> None:
        self.publish(event)

    def _overflow(self, event: AnyEvent) -> None:
        self.overflowed.append(event)

    def _handle(self, envelope: Envelope) -> None:
        self.steps.append((envelope, self.core.step(envelope)))

    # --- what happens ------------------------------------------------------------------------------------------

    def publish(self, event: AnyEvent) -> None:
        """Publish any event."""
        self.event_bus.publish(event)

    def rules(self, account: str, rules: Mapping[str, Mapping[str, object]]) -> None:
        """Apply rules by name."""
        spec = {"rules": [{"rule": name, "params": dict(params)} for name, params in rules.items()]}
        self.publish(RulesApplied(account=account, spec=json.dumps(spec)))

    def wait(self, until: str | timedelta) -> None:
        """Let time pass, with every timer on the way firing at its own time."""
        end = self.at + until if isinstance(until, timedelta) else ct(until)
        while (due := self.core.next_deadline()) is not None and due <= end:
            self.at = max(due, self.at)
            self.publish(ClockTicked())
        self.at = end

    def fill(
        self,
        side: str,
        quantity: int,
        root: str,
        price: str,
        *,
        trade_id: str | None = None,
        order_id: str | None = None,
        pnl: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Report a fill; return its trade id."""
        self._trades += 1
        name = trade_id or f"T{self._trades}"
        self.publish(
            Fill(
                account="A1",
                trade_id=name,
                contract=contract(root),
                side=Side(side),
                quantity=quantity,
                price=Decimal(price),
                at=at or self.at,
                commission=Decimal(0),
                pnl=Decimal(pnl) if pnl is not None else None,
                order_id=order_id,
            )
        )
        return name

    def quote(self, root: str, price: str, *, bid: str | None = None, ask: str | None = None) -> None:
        """Report a price; bid and ask are the same unless given."""
        self.publish(
            QuoteReported(
                contract=contract(root),
                at=self.at,
                last=Decimal(price),
                bid=Decimal(bid or price),
                ask=Decimal(ask or price),
            )
        )

    def order(
        self,
        order_id: str,
        side: str,
        size: int,
        root: str,
        *,
        kind: OrderType = OrderType.LIMIT,
        status: OrderStatus = OrderStatus.WORKING,
        filled: int = 0,
        linked: str | None = None,
    ) -> None:
        """Report an order."""
        order = WorkingOrder(
            order_id=order_id,
            contract=contract(root),
            side=Side(side),
            type=kind,
            status=status,
            size=size,
            filled=filled,
            linked=linked,
        )
        self.publish(OrderReported(account="A1", order=order))

    def position(self, root: str, quantity: int, average: str = "0") -> None:
        """Report the broker's net position."""
        self.publish(
            PositionReported(account="A1", contract=contract(root), quantity=quantity, average_price=Decimal(average))
        )

    def outcome(self, outcome: Outcome, code: str = "", *, command: AnyCommand | None = None) -> None:
        """Answer the last broker command, or the one given."""
        asked = command or self.broker_commands[-1]
        assert isinstance(asked, ClosePosition | CancelOrder | ResizeOrder)
        self.publish(CommandEnded(account="A1", command_id=asked.command_id, outcome=outcome, code=code))

    def snapshot(
        self,
        positions: Mapping[str, int] | None = None,
        *,
        fills: Iterable[Fill] = (),
        orders: Iterable[WorkingOrder] | None = None,
        asked_seq: int | None = None,
    ) -> None:
        """Answer with the broker's whole view; by default what riskd believes already."""
        state = self.core.state_manager.accounts.get("A1")
        held = (
            {contract(root): quantity for root, quantity in positions.items()}
            if positions is not None
            else {c: p.quantity for c, p in (state.positions.items() if state else ())}
        )
        working = tuple(orders) if orders is not None else tuple(state.orders.values() if state else ())
        asked = state.asked if state else None
        self.publish(
            SnapshotReported(
                account="A1",
                request_id=asked.request_id if asked and asked_seq is None else "",
                asked_seq=self.event_bus.last_seq if asked_seq is None else asked_seq,
                positions=tuple(
                    PositionReported(account="A1", contract=c, quantity=q, average_price=Decimal(0))
                    for c, q in held.items()
                    if q
                ),
                orders=working,
                fills=tuple(fills),
            )
        )

    # --- what came of it ---------------------------------------------------------------------------------------

    @property
    def state(self) -> AccountState:
        """Return the account."""
        return self.core.state_manager.accounts["A1"]

    def holds(self, root: str) -> int:
        """Return the signed quantity of one product."""
        return self.state.quantity(contract(root))

    @property
    def commands(self) -> list[AnyCommand]:
        """Return every command since the start or the last `forget`."""
        return [command for _, step in self.steps for command in step.commands]

    @property
    def broker_commands(self) -> list[AnyCommand]:
        """Return the requests to the broker, in order."""
        return [c for c in self.commands if isinstance(c, ClosePosition | CancelOrder | ResizeOrder)]

    @property
    def closes(self) -> list[tuple[str, int | None]]:
        """Return the closes as (contract, quantity), in order."""
        return [(c.contract, c.quantity) for c in self.commands if isinstance(c, ClosePosition)]

    @property
    def cancels(self) -> list[str]:
        """Return the ids of the orders that were cancelled, in order."""
        return [c.order_id for c in self.commands if isinstance(c, CancelOrder)]

    @property
    def locks(self) -> list[LockAccount]:
        """Return the lockouts that were set."""
        return [c for c in self.commands if isinstance(c, LockAccount)]

    @property
    def unlocks(self) -> int:
        """Return how often the account came free."""
        return sum(isinstance(c, UnlockAccount) for c in self.commands)

    @property
    def snapshots_asked(self) -> int:
        """Return how many snapshots were asked for."""
        return sum(isinstance(c, RequestSnapshot) for c in self.commands)

    @property
    def requests(self) -> list[RequestSnapshot]:
        """Return the snapshots that were asked for."""
        return [c for c in self.commands if isinstance(c, RequestSnapshot)]

    @property
    def alerts(self) -> list[Alert]:
        """Return what people were told."""
        return [c for c in self.commands if isinstance(c, Alert)]

    @property
    def ended(self) -> list[EnforcementEnded]:
        """Return the enforcements that reached their targets."""
        return [c for c in self.commands if isinstance(c, EnforcementEnded)]

    @property
    def violations(self) -> list[RuleViolation]:
        """Return the new violations."""
        return [violation for _, step in self.steps for violation in step.violations]

    def forget(self) -> None:
        """Forget what has come so far."""
        self.steps.clear()

"""The same day with the rules in force, as far as a record can tell how it would have gone.

What riskd closes fills at the contract's price at that moment, and pays the fee per contract of the last fill before.
What the trader did goes on as recorded, with two differences: an exit closes no more than is still held, and what would
have opened or enlarged a position while the account was locked, or took no new risk, was not traded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from riskd.app.replay.book import Day
from riskd.app.replay.day_run import WouldAct, in_time, would_act
from riskd.app.replay.virtual_day import VirtualDay
from riskd.app.scenario.broker_desk import BrokerDesk, Execution
from riskd.app.scenario.ledger import ledgers
from riskd.app.scenario.symbols import Symbols
from riskd.domain.calendar import day_end, day_start
from riskd.domain.commands import LockAccount
from riskd.domain.events import AnyEvent, Fill, QuoteReported
from riskd.domain.instruments import root_of_contract
from riskd.domain.money import ZERO
from riskd.domain.violations import ActionType, RuleViolation
from riskd.engine.step import Step
from riskd.rules.contract import Compile, Mode

_AS_RECORDED: Final = "as recorded "
"""What the trader's trade ids begin with, so that none is that of a close of riskd's."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A lockout of the day; ``until`` None lasts until an admin releases it."""

    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """What came of a day under rules.

    Units: ``net`` USD, what is still open at its last price; ``not_made`` counts fills that were not traded, or not
    whole.
    """

    first: WouldAct | None
    locked: Locked | None
    net: Decimal
    not_made: int


class EnforcedDay:
    """A core that acts, and a broker that does at once what it asks."""

    def __init__(self, day: Day, compile_rules: Compile, spec: str) -> None:
        """Arm the account as the day begins."""
        self._recorded = day
        self._positions: dict[str, int] = {}
        self._fees: dict[str, Decimal] = {}
        self._first: WouldAct | None = None
        self._locked: Locked | None = None
        self._not_made = 0
        self._as_it_was = True
        self._day = VirtualDay(day, compile_rules, self._stepped)
        self._desk = BrokerDesk(
            riskd=self,
            symbols=Symbols(day_start(day.trading_day)),
            manual=False,
            fees=self._fees,
            ledgers=ledgers((day.account,), {}),
        )
        self._day.begin(spec)

    # --- what the broker needs ---------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """Return the time now."""
        return self._day.now

    @property
    def seq(self) -> int:
        """Return the number of the last event that the core processed."""
        return self._day.seq

    def publish(self, event: AnyEvent) -> None:
        """Let the core process an event."""
        self._day.publish(event)

    # --- the day -----------------------------------------------------------------------------------------------

    def play(self, quotes: Sequence[QuoteReported]) -> Enforced:
        """Let the day happen."""
        for event in in_time(self._recorded, quotes):
            self._advance(event.at)
            if isinstance(event, Fill):
                self._trade(event)
            else:
                self._day.publish(event)
            self._answer()
        self._advance(day_end(self._recorded.trading_day))
        return Enforced(first=self._first, locked=self._locked, net=self._day.view.net_pnl, not_made=self._not_made)

    def _advance(self, to: datetime) -> None:
        while (at := self._next(to)) is not None:
            self._day.go_to(at)
            if self._day.due(at) is not None:
                self._day.tick(at)
            self._answer()
        self._day.go_to(to)

    def _next(self, to: datetime) -> datetime | None:
        ends = day_end(self._recorded.trading_day)
        times = (self._day.due(to), self._desk.next_request_at())
        return min((at for at in times if at is not None and at <= to and at < ends), default=None)

    def _stepped(self, step: Step) -> None:
        for violation in step.violations:
            self._note(violation)
        for command in step.commands:
            if isinstance(command, LockAccount) and self._locked is None:
                self._locked = Locked(self._day.now, command.until)
        self._desk.take(step.commands)

    def _note(self, violation: RuleViolation) -> None:
        entry = next(entry for entry in self._day.rulebook.entries if entry.rule_id == violation.rule_id)
        if self._first is not None or entry.mode is Mode.SHADOW:
            return
        acting = would_act(self._day, violation)
        if acting.action is not ActionType.ALERT:
            self._first = acting

    def _answer(self) -> None:
        """Let the broker do what riskd asks; a close fills at what the position is valued at."""
        market = self._day.core.state_manager.market
        for contract in self._day.state.positions:
            row = market.get(contract)
            if row is not None and row.mark is not None:
                self._desk.fill_prices[contract] = row.mark
        self._desk.answer()

    # --- what the trader did -----------------------------------------------------------------------------------

    def _trade(self, fill: Fill) -> None:
        made = self._made(fill)
        self._not_made += made < fill.quantity
        charged = fill.fees + (fill.commission or ZERO)
        self._fees[root_of_contract(fill.contract)] = charged / fill.quantity
        held = self._desk.ledgers[self._day.account].quantity(fill.contract)
        self._as_it_was = self._as_it_was and made == fill.quantity and held == self._positions.get(fill.contract, 0)
        self._positions[fill.contract] = self._positions.get(fill.contract, 0) + fill.signed
        if made:
            self._desk.fill(
                self._day.account,
                Execution(
                    contract=fill.contract,
                    side=fill.side,
                    quantity=made,
                    price=fill.price,
                    order=fill.order_id,
                    trade=f"{_AS_RECORDED}{fill.trade_id}",
                    fee=charged * made / fill.quantity,
                    # The platform's own figure is about the lots that it saw, which are other ones from here on.
                    pnl=fill.pnl if self._as_it_was else None,
                ),
            )

    def _made(self, fill: Fill) -> int:
        """Return how many contracts of a recorded fill would have been traded."""
        recorded = self._positions.get(fill.contract, 0)
        exits = min(fill.quantity, abs(recorded)) if recorded * fill.signed < 0 else 0
        held = self._desk.ledgers[self._day.account].quantity(fill.contract)
        opens = 0 if self._closed_to(fill.contract) else fill.quantity - exits
        return min(exits, abs(held)) + opens

    def _closed_to(self, contract: str) -> bool:
        """Tell whether the account may open nothing in a contract now."""
        state = self._day.state
        return state.locked or any(cause.contract in (None, contract) for cause in state.no_new_risk)

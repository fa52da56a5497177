"""Who trades: someone disciplined, someone on tilt, a bot, and someone who copies. They trade as from the web UI."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from riskd.simulator.exchange.admission import ModifyOrder, PlaceOrder
from riskd.simulator.exchange.exchange import Reply
from riskd.simulator.exchange.model import Bracket, Order, OrderType, Side
from tests.simulation.plan import AccountPlan, Character
from tests.simulation.truth import Change
from tests.simulation.world import World

PACE_S: Final = {Character.DISCIPLINED: 90.0, Character.TILTED: 20.0, Character.BOT: 8.0, Character.COPIER: 120.0}
Choice = tuple[int, Callable[[str], object]]


class Trader:
    """One account's trader, who sees what the platform shows."""

    def __init__(self, world: World, plan: AccountPlan, contracts: Sequence[str]) -> None:
        self.plan = plan
        self._schedule = world.schedule
        self._venue = world.venue
        self._contracts = contracts
        self._truth = world.truth.of(plan.number)
        self._rng = world.rng(f"trader {plan.number}")
        self._until = world.schedule.now
        self._choices = self._repertoire()

    def trade(self, until: datetime) -> None:
        """Trade from now until a time."""
        self._until = until
        self._wait()

    def copy(self, change: Change) -> None:
        """Repeat what the leader's position did, some time later."""
        moved = change.after - change.before
        delay = timedelta(seconds=self._rng.uniform(0.2, 3))
        self._schedule.after(delay, lambda: self._market(change.contract, moved))

    def _wait(self) -> None:
        pause = timedelta(seconds=self._rng.expovariate(1 / PACE_S[self.plan.character]))
        if self._schedule.now + pause < self._until:
            self._schedule.after(pause, self._act)

    def _act(self) -> None:
        contract = self._rng.choice(self._contracts)
        if self._venue.trades(contract):
            weights = [weight for weight, _ in self._choices]
            (_, choice), *_ = self._rng.choices(self._choices, weights)
            choice(contract)
        self._wait()

    def _repertoire(self) -> tuple[Choice, ...]:
        match self.plan.character:
            case Character.DISCIPLINED:
                return ((5, self._enter_with_stop), (3, self._exit), (2, self._tighten), (1, self._scale_out))
            case Character.TILTED:
                return (
                    (6, self._revenge),
                    (3, self._rest_an_entry),
                    (2, self._reverse),
                    (2, self._exit),
                    (1, self._enter_with_stop),
                    (1, self._cancel_something),
                )
            case Character.BOT:
                return ((5, self._nibble), (3, self._rest_an_entry), (3, self._cancel_something), (2, self._exit))
            case Character.COPIER:
                return ((1, self._exit), (1, self._cancel_something))

    # --- what they do ------------------------------------------------------------------------------------------

    def _enter_with_stop(self, contract: str) -> None:
        size = self._rng.choice((1, 1, 2)) * self._rng.choice((1, -1))
        ticks = self._rng.randint(8, 80)
        if self.plan.auto_oco:
            sign = 1 if size > 0 else -1
            stop = Bracket(ticks=-sign * ticks, type=OrderType.STOP)
            target = Bracket(ticks=sign * 2 * ticks, type=OrderType.LIMIT)
            self._place(contract, size, OrderType.MARKET, stop_loss=stop, take_profit=target)
            return
        self._market(contract, size)
        held = self._held(contract)
        if held:
            self._stop_for(contract, -held, ticks)
            if self._rng.random() < 0.5:
                self._limit(contract, -held, 2 * ticks)

    def _revenge(self, contract: str) -> None:
        self._market(contract, self._rng.randint(1, 6) * self._rng.choice((1, -1)))

    def _nibble(self, contract: str) -> None:
        self._market(contract, self._rng.choice((1, -1)))

    def _rest_an_entry(self, contract: str) -> None:
        self._limit(contract, self._rng.randint(1, 4) * self._rng.choice((1, -1)), self._rng.randint(1, 40))

    def _reverse(self, contract: str) -> None:
        held = self._held(contract)
        if held:
            self._market(contract, -2 * held)

    def _exit(self, contract: str) -> None:
        held = self._held(contract)
        if held:
            self._market(contract, -held)

    def _scale_out(self, contract: str) -> None:
        held = self._held(contract)
        if abs(held) > 1:
            self._market(contract, -1 if held > 0 else 1)

    def _tighten(self, contract: str) -> None:
        for order in self._mine(contract):
            if order.stop_price is not None:
                step = self._tick(contract) * order.side.opposite.sign
                self._venue.modify(
                    ModifyOrder(account_id=self.plan.number, order_id=order.id, stop_price=order.stop_price + step)
                )

    def _cancel_something(self, contract: str) -> None:
        mine = self._mine(contract)
        if mine:
            self._venue.cancel(self.plan.number, self._rng.choice(mine).id)

    # --- how they do it ----------------------------------------------------------------------------------------

    def _held(self, contract: str) -> int:
        return self._truth.held.get(contract, 0)

    def _mine(self, contract: str) -> list[Order]:
        return [
            order
            for order in self._venue.live_orders(self.plan.number)
            if order.contract_id == contract and order.working and not order.closing
        ]

    def _tick(self, contract: str) -> Decimal:
        return self._venue.exchange.books.contract(contract).tick_size

    def _market(self, contract: str, signed: int) -> None:
        self._place(contract, signed, OrderType.MARKET)

    def _limit(self, contract: str, signed: int, away: int) -> None:
        price = self._last(contract)
        if price is not None:
            level = price - away * self._tick(contract) * (1 if signed > 0 else -1)
            self._place(contract, signed, OrderType.LIMIT, limit_price=level)

    def _stop_for(self, contract: str, signed: int, away: int) -> None:
        price = self._last(contract)
        if price is not None:
            level = price + away * self._tick(contract) * (1 if signed > 0 else -1)
            self._place(contract, signed, OrderType.STOP, stop_price=level)

    def _last(self, contract: str) -> Decimal | None:
        return self._venue.exchange.books.market.last(contract)

    def _place(
        self,
        contract: str,
        signed: int,
        kind: OrderType,
        *,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        stop_loss: Bracket | None = None,
        take_profit: Bracket | None = None,
    ) -> Reply:
        return self._venue.place(
            PlaceOrder(
                account_id=self.plan.number,
                contract_id=contract,
                type=kind,
                side=Side.BUY if signed > 0 else Side.SELL,
                size=abs(signed),
                limit_price=limit_price,
                stop_price=stop_price,
                stop_loss=stop_loss,
                take_profit=take_profit,
            )
        )

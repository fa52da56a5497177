"""Safety, always owed: nothing riskd sends makes a position larger or turns it round, and nothing goes out twice."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from riskd.domain.commands import BrokerCommand, CancelOrder, ClosePosition
from riskd.domain.events import Outcome
from riskd.simulator.exchange.exchange import Reply
from riskd.simulator.exchange.model import Order
from tests.simulation.lockouts import Lockouts
from tests.simulation.schedule import ms
from tests.simulation.truth import Change
from tests.simulation.verdict import Broken
from tests.simulation.world import World

LOOKS_APART: Final = ms(500)
RECENT: Final = timedelta(seconds=5)


@dataclass(slots=True)
class Request:
    """One close that riskd has sent; ``doubted_at`` is when riskd could no longer know what became of it."""

    command: ClosePosition
    sent_at: datetime
    arrives: bool
    reached: bool = False
    order_id: int | None = None
    refused: bool = False
    doubted_at: datetime | None = None
    looks: list[datetime] = field(default_factory=list)


class Safety:
    """Watches every request against what is true at the moment it takes effect."""

    def __init__(self, world: World, lockouts: Lockouts) -> None:
        self._lockouts = lockouts
        self._schedule = world.schedule
        self._venue = world.venue
        self._truth = world.truth
        self._calm = world.calm
        self._closes: dict[tuple[str, str], Request] = {}
        self._by_order: dict[int, Request] = {}
        self._recent: dict[int, Change] = {}
        self._closed_at: dict[tuple[int, str], datetime] = {}

    # --- closes ------------------------------------------------------------------------------------------------

    def sent(self, command: BrokerCommand, *, arrives: bool) -> None:
        """Judge a request as it leaves."""
        if isinstance(command, ClosePosition):
            self._sent_close(command, arrives=arrives)
        elif isinstance(command, CancelOrder):
            self._sent_cancel(command)

    def _sent_close(self, command: ClosePosition, *, arrives: bool) -> None:
        key = (command.account, command.contract)
        before = self._closes.get(key)
        if before is not None:
            self._may_follow(before, command)
        self._closes[key] = Request(command, self._schedule.now, arrives)
        self._closed_at[int(command.account), command.contract] = self._schedule.now

    def _may_follow(self, before: Request, command: ClosePosition) -> None:
        if before.arrives and not before.reached:
            raise _twice(command, f"while {before.command.command_id} is on its way")
        order = self._venue.exchange.books.orders.get(before.order_id) if before.order_id is not None else None
        if order is not None and not order.final:
            raise _twice(command, f"while {before.command.command_id} is still working")
        done = order is not None and order.filled == order.size
        if before.doubted_at is not None and not done and not _looked_twice(before.looks):
            how = f"{command} after {before.command.command_id}, looks {before.looks}"
            raise Broken("never again in doubt", how, account=command.account, command=command)

    def reached(self, command: BrokerCommand, reply: Reply) -> None:
        """Judge what a request did at the exchange."""
        if not isinstance(command, ClosePosition):
            return
        request = self._closes[command.account, command.contract]
        if request.command is not command:
            raise _twice(command, f"reached the exchange after {request.command}")
        request.reached, request.order_id = True, reply.order_id
        if reply.order_id is not None:
            self._by_order[reply.order_id] = request
            if (change := self._recent.get(reply.order_id)) is not None:
                self._judge(change, request)

    def changed(self, account: int, change: Change) -> None:
        """Judge a fill, if it is of an order that riskd caused."""
        self._recent[change.order_id] = change
        request = self._by_order.get(change.order_id)
        if request is not None:
            self._judge(change, request)

    def _judge(self, change: Change, request: Request) -> None:
        if change.voided:
            return
        if abs(change.after) > abs(change.before) or change.before * change.after < 0:
            # An order that the broker works for a while may meet the trader's own exit; that is not riskd's doing.
            raced = change.at > self._venue.exchange.books.orders[change.order_id].created_at
            if not raced:
                how = f"{request.command} took {change.before} to {change.after}"
                raise Broken("only ever reduces", how, account=request.command.account, command=request.command)

    def answered(self, command: BrokerCommand, outcome: Outcome) -> None:
        """Take note of what riskd has been told."""
        request = self._request(command)
        if request is not None:
            request.refused = outcome in (Outcome.REJECTED, Outcome.UNAVAILABLE)
            request.doubted_at = self._schedule.now if outcome is Outcome.UNKNOWN else None

    def died(self) -> None:
        """Take note that nothing is known any more of what was under way."""
        for request in self._closes.values():
            if not request.refused and not _looked_twice(request.looks):
                request.doubted_at = self._schedule.now
                request.looks.clear()

    def read(self, account: int, began_at: datetime) -> None:
        """Take note that riskd has looked."""
        for request in self._closes.values():
            doubted = request.doubted_at
            if int(request.command.account) == account and doubted is not None and began_at >= doubted:
                request.looks.append(self._schedule.now)

    def _request(self, command: BrokerCommand) -> Request | None:
        request = self._closes.get((command.account, command.contract))
        return request if request is not None and request.command is command else None

    # --- cancels -----------------------------------------------------------------------------------------------

    def _sent_cancel(self, command: CancelOrder) -> None:
        account, order = int(command.account), self._venue.exchange.books.orders[int(command.order_id)]
        since = self._calm.since(account, self._schedule.now)
        if since is None or self._schedule.now - since < RECENT or order.final or self._lockouts.until(account):
            return
        held = self._truth.of(account).held.get(order.contract_id, 0)
        closed_at = self._closed_at.get((account, order.contract_id))
        closing = closed_at is not None and self._schedule.now - closed_at < RECENT
        if held and not closing and self._is_exit(order, held):
            how = f"{command} cancels an exit of {held} {order.contract_id}"
            raise Broken("exits are sacred", how, account=account, command=command)

    def _is_exit(self, order: Order, held: int) -> bool:
        """Tell whether an order could, with every other on its side, do no more than close what is held."""
        if order.side.sign * held >= 0:
            return False
        others = [
            other
            for other in self._venue.live_orders(order.account_id)
            if other.contract_id == order.contract_id and other.side is order.side
        ]
        return _worst(others) <= abs(held)


def _twice(command: ClosePosition, how: str) -> Broken:
    return Broken("one close at a time", f"{command} {how}", account=command.account, command=command)


def _worst(orders: Iterable[Order]) -> int:
    """Return the most that orders of one side could fill, a pair of which one cancels the other counting once."""
    by_id = {order.id: order for order in orders}
    total = 0
    while by_id:
        number, order = next(iter(by_id.items()))
        del by_id[number]
        sibling = by_id.pop(order.oco_id, None) if order.oco_id is not None else None
        total += max(order.left, sibling.left) if sibling is not None else order.left
    return total


def _looked_twice(looks: list[datetime]) -> bool:
    return len(looks) > 1 and looks[-1] - looks[0] >= LOOKS_APART

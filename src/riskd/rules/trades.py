"""Counting trades: which fills belong to one trade, which trades count, and what those beyond the count opened.

A trade beyond the limit is excess: it is closed and never counts, so it does not push a later one over the limit.
"""

from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, assert_never

import msgspec

from riskd.domain.account import Execution
from riskd.domain.calendar import day_start

Count = Literal["entries", "round_trips", "orders", "fills"]


class Trade(msgspec.Struct, frozen=True):
    """What counts as one: fills that belong together.

    Shape: ``opens`` tells whether any of them opened contracts; only such a trade can be excess.
    """

    started_at: datetime
    contract: str
    executions: tuple[Execution, ...]

    @property
    def opens(self) -> bool:
        """Tell whether this trade opened anything."""
        return any(execution.opened for execution in self.executions)

    @property
    def order_ids(self) -> frozenset[str]:
        """Return the orders that it came from."""
        return frozenset(e.order_id for e in self.executions if e.order_id is not None)


class Counted(msgspec.Struct, frozen=True):
    """Trades told apart, each in order of its start."""

    counted: tuple[Trade, ...]
    excess: tuple[Trade, ...]


class Window(msgspec.Struct, frozen=True):
    """The time in which trades count: a length, or the TradingDay where there is none."""

    length: timedelta | None

    def seen_from(self, executions: Iterable[Execution], day: date) -> list[Execution]:
        """Return the executions that can matter, by time: all of them, or those of the day."""
        start = day_start(day) if self.length is None else None
        return sorted((e for e in executions if start is None or e.at >= start), key=lambda e: e.at)

    def holds(self, started_at: datetime, at: datetime) -> bool:
        """Tell whether a trade that started then still counts; one exactly one window old does not."""
        return self.length is None or at - started_at < self.length


def grouped(executions: Iterable[Execution], count: Count, merge_within: timedelta) -> list[Trade]:
    """Return the trades that a count sees, in order of their start; riskd's own closes are in none."""
    ours = [e for e in executions if not e.own]
    match count:
        case "entries":
            return _entries([e for e in ours if e.opened], merge_within)
        case "round_trips":
            return _by_key([(_position_key(e), e) for e in ours if e.opened])
        case "orders":
            return _by_key([(e.order_id or e.trade_id, e) for e in ours])
        case "fills":
            return _by_key([(e.trade_id, e) for e in ours])
        case _:
            assert_never(count)


def _position_key(execution: Execution) -> str:
    # A flip opens another position, which its own seq names; position_seq is the old one's.
    opening = execution.seq if execution.flat else execution.position_seq
    return f"{execution.contract}/{opening}"


def _by_key(keyed: Iterable[tuple[str, Execution]]) -> list[Trade]:
    groups: dict[str, list[Execution]] = {}
    for key, execution in keyed:
        groups.setdefault(key, []).append(execution)
    return [Trade(found[0].at, found[0].contract, tuple(found)) for found in groups.values()]


def _entries(executions: Iterable[Execution], merge_within: timedelta) -> list[Trade]:
    """Group by order, and orders of one contract and side that began within a moment of the first."""
    merged: list[list[Execution]] = []
    for order in _by_key((e.order_id or e.trade_id, e) for e in executions):
        near = _near(merged, order.executions[0], merge_within)
        if near is None:
            merged.append(list(order.executions))
        else:
            near.extend(order.executions)
    return [Trade(found[0].at, found[0].contract, tuple(found)) for found in merged]


def _near(merged: list[list[Execution]], first: Execution, within: timedelta) -> list[Execution] | None:
    for known in reversed(merged):
        if first.at - known[0].at > within:
            return None
        if known[0].contract == first.contract and known[0].side == first.side:
            return known
    return None


def told_apart(trades: Iterable[Trade], most: int, window: Window) -> Counted:
    """Tell the trades that count from the excess: an opening one that finds the count used up when it starts."""
    counted: list[Trade] = []
    excess: list[Trade] = []
    inside: deque[datetime] = deque()
    for trade in trades:
        while inside and not window.holds(inside[0], trade.started_at):
            inside.popleft()
        if trade.opens and len(inside) >= most:
            excess.append(trade)
        else:
            counted.append(trade)
            inside.append(trade.started_at)
    return Counted(tuple(counted), tuple(excess))


def allowances(executions: Iterable[Execution], excess: Iterable[Trade], held: Mapping[str, int]) -> dict[str, int]:
    """Return, for each contract in which excess contracts are still held, the signed quantity that may stay.

    Shape: whatever was closed since came out of the excess first, so a close of just the excess leaves the rest alone.
    """
    beyond = {e.trade_id for trade in excess for e in trade.executions}
    found: dict[str, int] = {}
    fills = list(executions)
    for contract in sorted({e.contract for e in fills if e.trade_id in beyond}):
        mine = [e for e in fills if e.contract == contract]
        kept = _kept(mine, beyond, held.get(contract, 0))
        if kept != held.get(contract, 0):
            found[contract] = kept
    return found


def _kept(mine: Sequence[Execution], beyond: Container[str], held: int) -> int:
    position = allowed = held - sum(_signed(e) for e in mine)
    for execution in mine:
        position += _signed(execution)
        opened = execution.side.sign * execution.opened
        if opened and position == opened:
            allowed = 0  # nothing of an older position is left
        if execution.trade_id not in beyond:
            allowed += opened
        allowed = _towards_zero(allowed, position)
    return allowed


def _signed(execution: Execution) -> int:
    return execution.side.sign * (execution.opened + execution.closed)


def _towards_zero(allowed: int, position: int) -> int:
    """Return the allowance cut to what is still held."""
    return min(allowed, position, key=abs) if allowed * position > 0 else 0


def frees_at(counted: Iterable[Trade], most: int, window: Window, at: datetime) -> datetime | None:
    """Return when the window frees a place, None while there is one or where the day must end first."""
    inside = [trade.started_at for trade in counted if window.holds(trade.started_at, at)]
    if len(inside) < most or window.length is None:
        return None
    return sorted(inside)[len(inside) - most] + window.length

"""The rules once more, as plainly as they can be said: one contract at a time, everything reckoned anew each time.

Written from the description of the rules, not from their code, with exact fractions and no regard for speed. Shared
with the real thing are only the events: what was traded when, what rests, and what the prices are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

POINT = {"MNQ": Fraction(2), "NQ": Fraction(20), "ES": Fraction(50), "CL": Fraction(1000)}
TICK_VALUE = {"MNQ": Fraction(1, 2), "NQ": Fraction(5), "ES": Fraction(25, 2), "CL": Fraction(10)}
MINIS = {"MNQ": Fraction(1, 10), "NQ": Fraction(1), "ES": Fraction(1), "CL": Fraction(1)}
FAMILY = {"MNQ": "nasdaq", "NQ": "nasdaq", "ES": "sp", "CL": "crude"}


def cents(amount: Fraction) -> Fraction:
    """Round half a cent up; a fill that turns a position pays for two, each in whole cents."""
    return Fraction(floor(amount * 100 + Fraction(1, 2)), 100)


@dataclass(frozen=True)
class Trade:
    """One fill: signed contracts at a price, with its fee."""

    at: datetime
    root: str
    quantity: int
    price: Fraction
    fee: Fraction
    order: str


@dataclass(frozen=True)
class Resting:
    """One resting order: signed contracts, where it stops if it is a stop, and when it was placed."""

    name: str
    root: str
    quantity: int
    stop: Fraction | None
    placed: int
    kind: str = "limit"
    asleep: bool = False


@dataclass
class Single:
    """One contract that is held: bought or sold at a price, the how-manieth to be opened in this account."""

    root: str
    sign: int
    price: Fraction
    number: int
    trade: Trade


@dataclass
class Book:
    """One account at one moment, contract by contract."""

    trades: list[Trade]
    orders: list[Resting]
    marks: dict[str, Fraction]
    now: datetime
    held: list[Single] = field(default_factory=list)
    realized: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    paid: Fraction = Fraction(0)
    """What the day cost, and what its trades paid (below zero) and received."""
    closings: list[tuple[Trade, int, Fraction]] = field(default_factory=list)
    """For each fill that closed something: it, which position of its product, and what that has made so far."""
    openings: dict[int, int] = field(default_factory=dict)
    """For each fill, by its place: how many contracts it opened."""
    numbers: dict[str, int] = field(default_factory=dict)
    """For each product: the how-manieth position it is in, or was in last."""

    def __post_init__(self) -> None:
        """Go through the trades, first in first out."""
        results: dict[tuple[str, int], Fraction] = {}
        for place, trade in enumerate(self.trades):
            self._one(place, trade, results, self.numbers)
            self.cost += trade.fee
            self.paid -= trade.quantity * trade.price * POINT[trade.root]

    def _one(
        self, place: int, trade: Trade, results: dict[tuple[str, int], Fraction], positions: dict[str, int]
    ) -> None:
        sign, left, closed = (1 if trade.quantity > 0 else -1), abs(trade.quantity), 0
        opposite = [one for one in self._of(trade.root) if one.sign != sign]
        opened = max(left - len(opposite), 0)
        for_the_new = cents(trade.fee * opened / left)
        if not self._of(trade.root):
            positions[trade.root] = positions.get(trade.root, 0) + 1
        old = (trade.root, positions[trade.root])
        while left and self._of(trade.root) and self._of(trade.root)[0].sign != sign:
            gone = self._of(trade.root)[0]
            self.held.remove(gone)
            made = (trade.price - gone.price) * gone.sign * POINT[trade.root]
            self.realized += made
            results[old] = results.get(old, Fraction(0)) + made
            left, closed = left - 1, closed + 1
        if closed:
            results[old] -= trade.fee - for_the_new
            self.closings.append((trade, old[1], results[old]))
        if left and closed:
            positions[trade.root] += 1
        new = (trade.root, positions[trade.root])
        for _ in range(left):
            self.held.append(Single(trade.root, sign, trade.price, len(self.held) + place * 1000, trade))
        if left:
            results[new] = results.get(new, Fraction(0)) - for_the_new
        self.openings[place] = left

    def _of(self, root: str) -> list[Single]:
        return [one for one in self.held if one.root == root]

    # --- figures ----------------------------------------------------------------------------------------------------

    def quantity(self, root: str) -> int:
        """Return the signed position."""
        return sum(one.sign for one in self._of(root))

    def fees(self) -> Fraction:
        """Return what the day cost."""
        return self.cost

    def open_result(self, roots: Iterable[str]) -> Fraction:
        """Return U of some products."""
        mine = [one for one in self.held if one.root in set(roots)]
        return sum(((self.marks[o.root] - o.price) * o.sign * POINT[o.root] for o in mine), Fraction(0))

    def net(self) -> Fraction:
        """Return N by cash: what was paid and received, and what is held at its mark."""
        worth = sum((one.sign * self.marks[one.root] * POINT[one.root] for one in self.held), Fraction(0))
        return self.paid + worth - self.cost

    def basis(self, name: str, *, loss: bool) -> Fraction:
        """Return the figure a daily limit judges."""
        realized = self.realized - self.fees()
        worst = min(self.net(), realized) if loss else max(self.net(), realized)
        return {"combined": self.net(), "realized": realized, "worst": worst}[name]

    def reserve_of(self, reserve: object, roots: Iterable[str]) -> Fraction:
        """Return how much earlier to act; no commission is known here, so ticks are all there is."""
        if isinstance(reserve, str):
            return Fraction(reserve)
        assert isinstance(reserve, dict)
        return sum((TICK_VALUE[o.root] * reserve["ticks"] for o in self.held if o.root in set(roots)), Fraction(0))

    # --- what each rule would say -----------------------------------------------------------------------------------

    def too_many(self, most: Fraction, *, minis: bool) -> dict[str, int]:
        """Return, per product, how many of the newest contracts must go so that the rest fits."""
        staying = sorted(self.held, key=lambda one: one.number)
        going: dict[str, int] = {}
        while (sum(MINIS[o.root] for o in staying) if minis else len(staying)) > most:
            gone = staying.pop()
            going[gone.root] = going.get(gone.root, 0) + 1
        return going

    def resting_surplus(self, most: int, going: dict[str, int]) -> list[str]:
        """Return the entries, newest first, to cancel so that nothing that can fill exceeds the limit."""
        position = {root: self.quantity(root) for root in POINT}
        for root, count in going.items():
            position[root] -= count if position[root] > 0 else -count
        left = list(self.orders)
        cancelled: list[str] = []
        # what goes is settled before the first is cut: room that a cut frees makes no exit of another order
        closing = exits(position, left)
        while sum(_furthest(position[root], [o for o in left if o.root == root]) for root in POINT) > most:
            newest = max((o for o in left if abs(o.quantity) > closing[o.name]), key=lambda order: order.placed)
            kept = closing[newest.name] if newest.quantity > 0 else -closing[newest.name]
            left[left.index(newest)] = replace(newest, quantity=kept)
            cancelled.append(newest.name)
        return cancelled

    def used_up(self, most: int, window: timedelta | None) -> bool:
        """Tell whether one trade more would be beyond the count now."""
        counted, _ = self._told_apart(most, window)
        starts = [self.trades[group[0]].at for group in counted]
        return len([start for start in starts if window is None or self.now - start < window]) >= most

    def counted(self, most: int, window: timedelta | None) -> tuple[list[int], list[int]]:
        """Return the places of the opening fills that count, and of those beyond the count; 2 s merge orders."""
        counted, beyond = self._told_apart(most, window)
        return [p for g in counted for p in g], [p for g in beyond for p in g]

    def _told_apart(self, most: int, window: timedelta | None) -> tuple[list[list[int]], list[list[int]]]:
        groups: list[list[int]] = []
        for place, trade in enumerate(self.trades):
            if not self.openings[place]:
                continue
            for group in groups:
                first = self.trades[group[0]]
                same_side = (first.quantity > 0) == (trade.quantity > 0)
                by_order = any(self.trades[p].order == trade.order for p in group)
                near = first.root == trade.root and same_side and trade.at - first.at <= timedelta(seconds=2)
                if by_order or near:
                    group.append(place)
                    break
            else:
                groups.append([place])
        counted: list[list[int]] = []
        beyond: list[list[int]] = []
        for group in groups:
            start = self.trades[group[0]].at
            used = [g for g in counted if window is None or start - self.trades[g[0]].at < window]
            (beyond if len(used) >= most else counted).append(group)
        return counted, beyond

    def beyond_the_count(self, most: int, window: timedelta | None) -> dict[str, int]:
        """Return, per product, the signed position that may stay where trades beyond the count opened more."""
        _, beyond = self.counted(most, window)
        allowed = dict.fromkeys(POINT, 0)
        position = dict.fromkeys(POINT, 0)
        for place, trade in enumerate(self.trades):
            sign = 1 if trade.quantity > 0 else -1
            for _ in range(abs(trade.quantity)):
                opens = position[trade.root] * sign >= 0
                position[trade.root] += sign
                if opens and place not in beyond:
                    allowed[trade.root] += sign
                elif not opens and abs(allowed[trade.root]) > abs(position[trade.root]):
                    allowed[trade.root] = position[trade.root]
        return {root: allowed[root] for root in POINT if allowed[root] != position[root]}

    def pauses(self, tiers: list[tuple[Fraction, timedelta]]) -> list[datetime]:
        """Return when each cooldown that is running ends."""
        begun: set[tuple[str, int, Fraction]] = set()
        ends: list[datetime] = []
        for trade, position, result in self.closings:
            reached = [tier for tier in tiers if result <= tier[0]]
            if not reached:
                continue
            threshold, duration = min(reached)
            if (trade.root, position, threshold) not in begun:
                begun.add((trade.root, position, threshold))
                ends.append(trade.at + duration)
        return sorted(end for end in ends if end > self.now)


def _furthest(position: int, orders: list[Resting]) -> int:
    """Return the largest position that could come of it if only one side filled."""
    buys = sum(order.quantity for order in orders if order.quantity > 0)
    sells = sum(-order.quantity for order in orders if order.quantity < 0)
    return max(abs(position), position + buys, sells - position)


def exits(position: dict[str, int], orders: list[Resting]) -> dict[str, int]:
    """Return how many contracts of each order only close: stops first, then the older, as long as any are held."""
    room = {root: abs(held) for root, held in position.items()}
    found: dict[str, int] = {}
    for order in sorted(orders, key=lambda o: (o.kind == "limit", o.placed)):
        closing = position[order.root] * order.quantity < 0
        found[order.name] = min(abs(order.quantity), room[order.root]) if closing else 0
        room[order.root] -= found[order.name]
    return found

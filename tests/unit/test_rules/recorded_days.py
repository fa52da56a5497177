"""Recorded trading days for the rules and their plain-spoken twins: the same happenings, in the words of each."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from riskd.app.exports.fills import read_export
from riskd.app.replay.book import Day, make_book
from riskd.domain.calendar import day_end, day_start, trading_day
from riskd.domain.events import (
    AccountArmed,
    AnyEvent,
    ClockTicked,
    ConnectionChanged,
    DaemonStarted,
    Envelope,
    Fill,
    Link,
    OrderReported,
    RulesApplied,
    SnapshotReported,
)
from riskd.domain.instruments import contract_of_symbol, root_of_contract
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from riskd.domain.violations import RuleViolation
from riskd.engine.core import Core
from riskd.rules.registry import compile_rulebook
from tests.unit.test_rules.naive import Resting, Trade
from tests.unit.test_rules.naive_day import Connection, Decision, Ended, Happening

KINDS = {"Stop": OrderType.STOP, "Limit": OrderType.LIMIT, "TrailingStop": OrderType.TRAILING_STOP}


@dataclass(frozen=True)
class Recorded:
    """One account's day: what happened, as events and as happenings, in one order."""

    account: str
    begins: datetime
    ends: datetime
    events: tuple[tuple[datetime, AnyEvent], ...]
    happenings: tuple[Happening, ...]


@dataclass(frozen=True)
class Placed:
    """An order of an export that worked for a while."""

    order: WorkingOrder
    begins: datetime
    ends: datetime


def recorded_days(file: Path) -> list[Recorded]:
    """Return every day of an export, with the orders that worked where it is one of orders."""
    raw = file.read_bytes()
    book = make_book([read_export(str(file), raw)])
    placed = list(_placed(file)) if file.name.startswith("orders") else []
    return [_day(day, placed) for day in book.days]


def realized_days(file: Path) -> list[Recorded]:
    """Return every day of a list of results without prices: each as one MNQ, bought and sold for just that result."""
    fills: dict[date, list[Fill]] = {}
    with file.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            at = datetime.fromisoformat(row["createdAt"])
            exit_price = _PRICE + Decimal(row["profitAndLoss"]) / 2
            cost = Decimal(row["fees"])
            for side, price, fee in ((Side.BUY, _PRICE, Decimal(0)), (Side.SELL, exit_price, cost)):
                name = f"T{number}{side.value}"
                fill = Fill("A1", name, contract_of_symbol("MNQM6"), side, 1, price, at, fee, Decimal(0), order_id=name)
                fills.setdefault(trading_day(at), []).append(fill)
    days = [Day(account="A1", trading_day=day, fills=tuple(fills[day]), has_fees=True) for day in sorted(fills)]
    return [_day(day, []) for day in days]


_PRICE = Decimal(20_000)


def _placed(file: Path) -> Iterator[Placed]:
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            ended = row["FilledAt"] or row["CancelledAt"]
            if row["Type"] in KINDS and row["Status"] in {"Filled", "Cancelled"} and ended:
                yield Placed(_order(row), _time(row["CreatedAt"]), _time(ended))


def _order(row: Mapping[str, str]) -> WorkingOrder:
    # A stop that has been triggered is exported as the limit order that it became.
    kind = OrderType.STOP if row["CreationDisposition"] == "StopLoss" else KINDS[row["Type"]]
    return WorkingOrder(
        order_id=row["Id"],
        contract=contract_of_symbol(row["ContractName"]),
        side=Side.BUY if row["Side"] == "Bid" else Side.SELL,
        type=kind,
        status=OrderStatus.WORKING,
        size=int(row["Size"]),
        stop_price=Decimal(row["StopPrice"]) if row["StopPrice"] else None,
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y %H:%M:%S %z").astimezone(UTC)


def _day(day: Day, placed: Sequence[Placed]) -> Recorded:
    begins, ends = day_start(day.trading_day), day_end(day.trading_day)
    timed: list[tuple[datetime, int, AnyEvent]] = [(fill.at, 1, fill) for fill in day.fills]
    for one in placed:
        if begins <= one.begins < ends and one.begins < one.ends:
            timed.append((one.begins, 2, OrderReported(day.account, one.order)))
            timed.append((one.ends, 0, OrderReported(day.account, ended(one.order))))
    timed += _blindness(day)
    timed.sort(key=lambda event: event[:2])
    events = tuple((at, event) for at, _, event in timed if at < ends)
    happenings = tuple((at, plain(event, number)) for number, (at, event) in enumerate(events))
    return Recorded(day.account, begins, ends, events, happenings)


def ended(order: WorkingOrder) -> WorkingOrder:
    """Return the order as it is reported when it works no longer."""
    return WorkingOrder(
        order.order_id, order.contract, order.side, order.type, OrderStatus.CANCELLED, order.size
    )  # fmt: skip


def _blindness(day: Day) -> Iterator[tuple[datetime, int, AnyEvent]]:
    """Lose a connection for a while with every third trade; no export tells of that."""
    for number, fill in enumerate(day.fills):
        link = (Link.USER_HUB, Link.LOGIN, Link.REST)[number % 3]
        if number % 3 == 0:
            yield fill.at, 3, ConnectionChanged(link, up=False)
            yield fill.at + timedelta(seconds=7 + number), 3, ConnectionChanged(link, up=True)


def plain(event: AnyEvent, number: int) -> Trade | Resting | Ended | Connection:
    """Return an event as the plain-spoken rules know it; ``number`` is its place in the day."""
    match event:
        case Fill():
            root, order = root_of_contract(event.contract), event.order_id or event.trade_id
            fee = Fraction(event.fees + (event.commission or 0))
            return Trade(event.at, root, event.signed, Fraction(event.price), fee, order)
        case OrderReported(order=order) if order.status is OrderStatus.WORKING:
            root, signed = root_of_contract(order.contract), order.side.sign * order.size
            stop = None if order.stop_price is None else Fraction(order.stop_price)
            return Resting(order.order_id, root, signed, stop, number, order.type.value)
        case OrderReported():
            return Ended(event.order.order_id)
        case ConnectionChanged():
            return Connection(event.link.value, event.up)
        case _:
            raise AssertionError(event)


class Shadow:
    """The real core, told of a recorded day, in shadow: what it would have done is written down."""

    def __init__(self, day: Recorded, spec: str, balance: Decimal) -> None:
        self._core = Core(compile_rulebook)
        self._day = day
        self._seq = 0
        self._now = day.begins
        self.decisions: list[Decision] = []
        self._publish(DaemonStarted(), -1)
        self._publish(RulesApplied(day.account, spec), -1)
        none: tuple[()] = ()
        self._publish(
            SnapshotReported(day.account, asked_seq=2, positions=none, orders=none, fills=none, balance=balance), -1
        )
        self._publish(AccountArmed(day.account), -1)
        assert not self._core.rulebooks[day.account].faults, "a rule could not be made"

    def live(self) -> list[Decision]:
        """Return what would have been decided."""
        for place, (at, event) in enumerate(self._day.events):
            self._let_pass(at)
            self._now = max(self._now, at)
            self._publish(event, place)
        self._let_pass(self._day.ends - timedelta(microseconds=1))
        return self.decisions

    def _let_pass(self, until: datetime) -> None:
        while (due := self._core.next_deadline()) is not None and due <= until:
            self._now = max(self._now, due)
            self._publish(ClockTicked(), -1)

    def _publish(self, event: AnyEvent, place: int) -> None:
        self._seq += 1
        broker_at = event.at if isinstance(event, Fill) else None
        step = self._core.step(Envelope(seq=self._seq, at=self._now, event=event, broker_at=broker_at))
        self.decisions += [self._decision(violation, place) for violation in step.violations]

    def _decision(self, violation: RuleViolation, place: int) -> Decision:
        rulebook = self._core.rulebooks[self._day.account]
        entry = next(entry for entry in rulebook.entries if entry.rule_id == violation.rule_id)
        action = entry.rule.get_enforcement_action(violation)
        closes = {root_of_contract(cut.contract): cut.closed for cut in action.reductions}
        until = action.lockout_until
        return Decision(
            at=self._now,
            place=place,
            rule=violation.rule_name,
            action=action.action_type.value,
            quantity=sum(closes.values()),
            closes=tuple(sorted(closes.items())),
            cancels=tuple(sorted(action.cancels)),
            until=until.astimezone(UTC).isoformat() if until else "",
        )

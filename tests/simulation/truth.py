"""What really happened, kept by the judge: every half-turn as the exchange booked it, and sums of its own.

Nothing here comes from riskd: own arithmetic, own calendar, own table of what a point is worth.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from riskd.simulator.exchange.events import Event, TradeEvent
from riskd.simulator.exchange.model import Side, Trade

CHICAGO: Final = ZoneInfo("America/Chicago")
POINT_USD: Final = {
    "CON.F.US.MNQ": Decimal(2),
    "CON.F.US.EP": Decimal(50),
    "CON.F.US.MES": Decimal(5),
    "CON.F.US.MCLE": Decimal(100),
    "CON.F.US.MGC": Decimal(10),
}
_ROOTS: Final = {"EP": "ES", "MCLE": "MCL"}
_HOLIDAYS: Final = "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 11-27 12-24 12-25"
HOLIDAYS: Final = frozenset(date.fromisoformat(f"2026-{day}") for day in _HOLIDAYS.split())
"""When the real exchange closes early and riskd's sessions with it, though the simulated one trades on."""
ZERO: Final = Decimal(0)


def point_usd(contract: str) -> Decimal:
    """Return what one point of one contract is worth in USD."""
    return POINT_USD[contract.rsplit(".", 1)[0]]


@cache
def root_of(contract: str) -> str:
    """Return the product of a contract, as traders call it."""
    symbol = contract.split(".")[3]
    return _ROOTS.get(symbol, symbol)


def day_of(at: datetime) -> date:
    """Return the TradingDay of a moment: the date seven hours on, the weekend belonging to Monday."""
    day = (at.astimezone(CHICAGO).replace(tzinfo=None) + timedelta(hours=7)).date()
    return day + timedelta(days={5: 2, 6: 1}.get(day.weekday(), 0))


class Today:
    """Remembers which TradingDay it is, since it is asked at every look."""

    def __init__(self) -> None:
        self._day = date.min
        self._ends_at = datetime.min.replace(tzinfo=UTC)
        self._begins_at = self._ends_at

    def at(self, now: datetime) -> date:
        """Return the TradingDay of a moment."""
        if not self._begins_at <= now < self._ends_at:
            self._day = day_of(now)
            self._begins_at, self._ends_at = now, end_of(self._day)
        return self._day


def end_of(day: date) -> datetime:
    """Return when a TradingDay ends."""
    return datetime.combine(day, time(17), CHICAGO)


@dataclass(slots=True)
class Deal:
    """One half-turn; ``cost`` in USD, ``reported`` the broker's own gross figure for what it closed."""

    trade_id: int
    at: datetime
    contract: str
    signed: int
    price: Decimal
    cost: Decimal
    reported: Decimal
    order_id: int
    day: date
    voided: bool = False


@dataclass(slots=True)
class DaySums:
    """What a TradingDay's half-turns add up to: USD paid and received, contracts per contract, the broker's figures."""

    flow: Decimal = ZERO
    costs: Decimal = ZERO
    reported: Decimal = ZERO
    moved: dict[str, int] = field(default_factory=dict)
    voided: bool = False

    def add(self, deal: Deal, times: int) -> None:
        """Count a half-turn, or with -1 take it back."""
        self.flow -= times * deal.signed * deal.price * point_usd(deal.contract)
        self.costs += times * deal.cost
        self.reported += times * deal.reported
        self.moved[deal.contract] = self.moved.get(deal.contract, 0) + times * deal.signed


@dataclass(frozen=True, slots=True)
class Change:
    """A position that one half-turn changed."""

    at: datetime
    contract: str
    before: int
    after: int
    order_id: int
    voided: bool


@dataclass(slots=True)
class AccountTruth:
    """One account as it is."""

    deals: dict[int, Deal] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    days: dict[date, DaySums] = field(default_factory=dict)
    _lots: dict[str, list[list[Decimal | int]]] = field(default_factory=dict)

    def day(self, day: date) -> DaySums:
        """Return the sums of a TradingDay."""
        sums = self.days.get(day)
        if sums is None:
            sums = self.days[day] = DaySums()
        return sums

    def size(self) -> int:
        """Return all contracts held, long and short alike."""
        return sum(abs(quantity) for quantity in self.held.values())

    def book(self, trade: Trade) -> Change:
        """Book a new half-turn, or take a voided one back."""
        before = self.held.get(trade.contract_id, 0)
        if trade.voided:
            deal = self.deals[trade.id]
            deal.voided = True
            self.day(deal.day).add(deal, -1)
            self.day(deal.day).voided = True
            after = before - deal.signed
            self._match_anew(deal.contract)
        else:
            deal = _deal(trade)
            self.deals[trade.id] = deal
            self.day(deal.day).add(deal, 1)
            after = before + deal.signed
            _match(self._lots.setdefault(deal.contract, []), deal)
        self.held[trade.contract_id] = after
        return Change(trade.created_at, trade.contract_id, before, after, trade.order_id, trade.voided)

    def realized(self, day: date) -> Decimal:
        """Return R net of costs, by the broker's own figures."""
        return self.day(day).reported - self.day(day).costs

    def net(self, day: date, marks: Mapping[str, Decimal], carried_marks: Mapping[str, Decimal]) -> Decimal:
        """Return N from cash flows; ``marks`` value what is held, ``carried_marks`` what was carried in."""
        sums = self.day(day)
        total = sums.flow - sums.costs
        for contract, held in self.held.items():
            carried = held - sums.moved.get(contract, 0)
            if held:
                total += held * marks[contract] * point_usd(contract)
            if carried:
                total -= carried * carried_marks[contract] * point_usd(contract)
        return total

    def open_lots(self) -> Iterator[tuple[str, list[tuple[Decimal, int]]]]:
        """Yield what is held, by contract, as prices and signed contracts: first in, first out."""
        for contract, lots in self._lots.items():
            if lots:
                yield contract, [(Decimal(price), int(held)) for price, held in lots]

    def newest_held(self) -> str | None:
        """Return the contract that was traded last of those held, None when flat."""
        traded = (deal.contract for deal in reversed(self.deals.values()))
        return next((contract for contract in traded if self.held.get(contract)), None)

    def _match_anew(self, contract: str) -> None:
        """Match a contract's half-turns once more, without those that were taken back."""
        lots = self._lots[contract] = []
        for deal in self.deals.values():
            if deal.contract == contract and not deal.voided:
                _match(lots, deal)


def _deal(trade: Trade) -> Deal:
    sign = 1 if trade.side is Side.BUY else -1
    return Deal(
        trade_id=trade.id,
        at=trade.created_at,
        contract=trade.contract_id,
        signed=sign * trade.size,
        price=trade.price,
        cost=trade.fees + trade.commissions,
        reported=trade.profit_and_loss or ZERO,
        order_id=trade.order_id,
        day=day_of(trade.created_at),
    )


def _match(lots: list[list[Decimal | int]], deal: Deal) -> None:
    """Match one half-turn against the open lots (price, signed quantity), oldest first."""
    left = deal.signed
    while left and lots and int(lots[0][1]) * left < 0:
        held = int(lots[0][1])
        size = min(abs(left), abs(held))
        direction = 1 if held > 0 else -1
        left += size * direction
        lots[0][1] = held - size * direction
        if lots[0][1] == 0:
            del lots[0]
    if left:
        lots.append([deal.price, left])


class Truth:
    """All accounts as they are."""

    def __init__(self) -> None:
        self.accounts: dict[int, AccountTruth] = {}

    def of(self, account: int) -> AccountTruth:
        """Return one account."""
        known = self.accounts.get(account)
        if known is None:
            known = self.accounts[account] = AccountTruth()
        return known

    def note(self, events: Iterable[Event]) -> Iterator[tuple[int, Change]]:
        """Take what the exchange emitted, and yield the positions it changed, one after the other."""
        for event in events:
            if isinstance(event, TradeEvent) and not event.resent:
                yield event.account_id, self.of(event.account_id).book(event.trade)

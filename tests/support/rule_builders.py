"""Accounts as rules see them, built in one line for a test.

Symbols are product roots; the contract is always the one in `MONTH`. Prices and amounts are decimal text.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from riskd.domain.account import AccountState, Lot, PnlSettings, Position, Reported
from riskd.domain.account_view import AccountView
from riskd.domain.booking import new_account
from riskd.domain.calendar import CHICAGO
from riskd.domain.events import Fill
from riskd.domain.instruments import PRODUCTS, Instrument, contract_of_symbol, table_instrument
from riskd.domain.market import Quote
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from riskd.domain.violations import RuleViolation
from riskd.rules.params import ConfiguredRule

MONTH = "Z5"
NOON = datetime(2025, 10, 15, 17, 0, tzinfo=UTC)
"""Wednesday 2025-10-15, 12:00 in Chicago."""
PRICES = {"MNQ": "21000", "NQ": "21000", "ES": "5800", "MES": "5800", "CL": "75", "GC": "2400", "MGC": "2400"}


def contract(root: str) -> str:
    """Return the contract id of a product root."""
    return contract_of_symbol(f"{root}{MONTH}")


def _instrument(root: str) -> Instrument:
    found = table_instrument(contract(root))
    assert found is not None
    return found


INSTRUMENTS: Mapping[str, Instrument] = {contract(root): _instrument(root) for root in PRODUCTS}


def ct(text: str) -> datetime:
    """Return the instant of a Chicago wall time such as `2025-10-17 16:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO).astimezone(UTC)


def position(
    root: str, *quantities: int, price: str | None = None, seq: int = 1, orders: tuple[str, ...] = ()
) -> Position:
    """Return a position of lots opened one after the other, the first of them by envelope `seq`."""
    at = Decimal(price if price is not None else PRICES.get(root, "100"))
    lots = tuple(
        Lot(
            quantity=quantity,
            price=at,
            opened_at=NOON,
            seq=seq + index,
            trade_id=f"{root}-{seq + index}",
            order_id=orders[index] if index < len(orders) else None,
        )
        for index, quantity in enumerate(quantities)
    )
    return Position(
        contract=contract(root), quantity=sum(quantities), lots=lots, opening_seq=seq, opened_at=lots[0].opened_at
    )


def order(
    order_id: str,
    root: str,
    quantity: int,
    *,
    kind: OrderType = OrderType.LIMIT,
    status: OrderStatus = OrderStatus.WORKING,
    filled: int = 0,
    seq: int = 50,
    parent: str | None = None,
) -> WorkingOrder:
    """Return a working order; a negative quantity sells."""
    return WorkingOrder(
        order_id=order_id,
        contract=contract(root),
        side=Side.BUY if quantity > 0 else Side.SELL,
        type=kind,
        status=status,
        size=abs(quantity),
        filled=filled,
        parent=parent,
        seq=seq,
    )


def fill(
    root: str,
    quantity: int,
    price: str | None = None,
    *,
    at: datetime = NOON,
    trade_id: str = "T1",
    order_id: str | None = None,
    fees: str = "0",
    pnl: str | None = None,
) -> Fill:
    """Return a fill; a negative quantity sells."""
    return Fill(
        account="A1",
        trade_id=trade_id,
        contract=contract(root),
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=abs(quantity),
        price=Decimal(price if price is not None else PRICES.get(root, "100")),
        at=at,
        fees=Decimal(fees),
        pnl=Decimal(pnl) if pnl is not None else None,
        order_id=order_id,
    )


def account(
    *,
    positions: Iterable[Position] = (),
    orders: Iterable[WorkingOrder] = (),
    realized: str = "0",
    fees: str = "0",
    reported: Mapping[str, Reported] | None = None,
    at: datetime = NOON,
) -> AccountState:
    """Return the state of account A1; what is realized was traded in a product of its own and is flat again."""
    held = {p.contract: p for p in positions}
    flow = {c: -sum((lot.price * lot.quantity for lot in p.lots), Decimal(0)) for c, p in held.items()}
    traded = contract("M6B")  # its point value is a round 6,250 USD
    flow[traded] = flow.get(traded, Decimal(0)) + Decimal(realized) / INSTRUMENTS[traded].point_value
    state = new_account("A1", at)
    return AccountState(
        account="A1",
        trading_day=state.trading_day,
        day_ends_at=state.day_ends_at,
        reconciled=True,
        armed=True,
        last_fill_seq=max((lot.seq for p in held.values() for lot in p.lots), default=0),
        reported=reported or {},
        positions=held,
        orders={o.order_id: o for o in orders},
        realized=Decimal(realized),
        realized_own=Decimal(realized),
        fees=Decimal(fees),
        flow=flow,
    )


def view(
    state: AccountState | None = None,
    *,
    marks: Mapping[str, str] | None = None,
    at: datetime = NOON,
    settings: PnlSettings | None = None,
) -> AccountView:
    """Return the look at an account that a rule gets; `marks` gives prices by root."""
    prices = {root: Decimal(price) for root, price in (marks or {}).items()}
    market = {
        contract(root): Quote(contract=contract(root), at=at, mark=price, last=price, quoted=True)
        for root, price in prices.items()
    }
    return AccountView(
        state if state is not None else account(at=at),
        market=market,
        instruments=INSTRUMENTS,
        at=at,
        settings=settings or PnlSettings(),
    )


def with_pnl(realized: str, unrealized: str, *, fees: str = "0", at: datetime = NOON) -> AccountView:
    """Return a look at an account with this realized and this open P&L, from one MNQ contract that is held."""
    points = Decimal(unrealized) / INSTRUMENTS[contract("MNQ")].point_value
    held = account(positions=[position("MNQ", 1, price="21000")], realized=realized, fees=fees, at=at)
    return view(held, marks={"MNQ": str(Decimal(21000) + points)}, at=at)


def broker_says(root: str, quantity: int) -> dict[str, Reported]:
    """Return what the broker has shown for longer than a moment, against the fills."""
    since = NOON - timedelta(minutes=1)
    return {contract(root): Reported(quantity=quantity, average_price=Decimal(100), disagrees_since=since)}


def traded(*fills: Fill, at: datetime, state: AccountState | None = None) -> AccountView:
    """Return a look at an account after these fills, each a trade of its own unless it says otherwise."""
    seen = view(state if state is not None else account(at=at), at=at)
    for number, one in enumerate(fills, start=1):
        named = one if one.trade_id != "T1" else msgspec.structs.replace(one, trade_id=f"T{number}")
        seen = seen.including(named)
    return seen


def remembering(rule: ConfiguredRule, state: AccountView) -> AccountView:
    """Return the look that a rule gets once the core has kept what it wanted to remember."""
    memory = rule.remember(rule.memory(state), None, state)
    return state.of(msgspec.structs.replace(state.account, memories={rule.rule_id or rule.name: memory}))


def closed_per_root(violation: RuleViolation) -> dict[str, int]:
    """Return how many contracts of each product a violation asks to close."""
    roots = {contract(root): root for root in PRODUCTS}
    return {roots[cut.contract]: cut.closed for cut in violation.reductions}

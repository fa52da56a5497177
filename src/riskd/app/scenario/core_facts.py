"""What each fact of a scenario is to the bare core: entries in the broker's books, and the events that come of them."""

from datetime import UTC, datetime, time
from typing import Final, assert_never

from riskd.app.scenario.broker_desk import Execution
from riskd.app.scenario.core_bench import Bench
from riskd.app.scenario.language import (
    AdminReleases,
    BalanceIs,
    BrokerAnswers,
    CarriedIn,
    ClockJumps,
    ConfigChanges,
    Crash,
    Disconnect,
    Fact,
    FillHappens,
    FillRepeats,
    MarketSwitches,
    MayTrade,
    OrderAppears,
    OrderEnds,
    OrderFills,
    PriceGoesSilent,
    PriceMoves,
    Reconnect,
    TradeVoided,
    WhatIf,
)
from riskd.app.scenario.rule_changes import edited
from riskd.app.scenario.words import Unreadable
from riskd.app.scenario.world import CannotHappen
from riskd.domain.calendar import CHICAGO
from riskd.domain.events import (
    ConnectionChanged,
    FeedSilent,
    Link,
    LockoutReleased,
    QuoteReported,
)
from riskd.domain.orders import OrderStatus, OrderType, WorkingOrder
from riskd.engine.what_if import NoPrice, what_if

LINKS: Final = (Link.USER_HUB, Link.MARKET_HUB, Link.REST)

TradeFact = FillHappens | FillRepeats | TradeVoided
OrderFact = OrderAppears | OrderFills | OrderEnds
MarketFact = PriceMoves | PriceGoesSilent | MarketSwitches
AccountFact = BalanceIs | MayTrade
PersonFact = AdminReleases | WhatIf | ConfigChanges
ProcessFact = Crash | Disconnect | Reconnect | ClockJumps


def happen(bench: Bench, fact: Fact) -> None:
    """Let a fact happen now.

    Errors: CannotHappen when it does not fit what went before.
    """
    match fact:
        case FillHappens() | FillRepeats() | TradeVoided():
            _trade(bench, fact)
        case OrderAppears() | OrderFills() | OrderEnds():
            _order(bench, fact)
        case PriceMoves() | PriceGoesSilent() | MarketSwitches():
            _market(bench, fact)
        case BalanceIs() | MayTrade():
            _account(bench, fact)
        case AdminReleases() | WhatIf() | ConfigChanges():
            _person(bench, fact)
        case BrokerAnswers():
            bench.desk.answer_by_hand(fact)
        case Crash() | Disconnect() | Reconnect() | ClockJumps():
            _process(bench, fact)
        case CarriedIn():
            pass  # it was brought in when the world began
        case _:
            assert_never(fact)


def _trade(bench: Bench, fact: TradeFact) -> None:
    match fact:
        case FillHappens(order=str() as order) if order in bench.desk.ledgers[fact.account].orders:
            bench.desk.fill_of_order(fact.account, order, _execution(bench, fact))
        case FillHappens():
            bench.desk.fill(fact.account, _execution(bench, fact))
        case FillRepeats(account, trade):
            bench.desk.report_fill(bench.desk.ledgers[account].fill_named(trade))
        case TradeVoided(account, trade):
            bench.desk.report_fill(bench.desk.ledgers[account].void(trade))


def _execution(bench: Bench, fact: FillHappens) -> Execution:
    return Execution(
        contract=bench.symbols.contract(fact.symbol),
        side=fact.side,
        quantity=fact.quantity,
        price=fact.price,
        order=fact.order,
        trade=fact.trade,
        fee=fact.fee,
        pnl=fact.pnl,
        at=_stamp(bench, fact.stamped),
    )


def _stamp(bench: Bench, stamped: time | None) -> datetime | None:
    if stamped is None:
        return None
    return datetime.combine(bench.now.astimezone(CHICAGO).date(), stamped, CHICAGO).astimezone(UTC)


def _order(bench: Bench, fact: OrderFact) -> None:
    match fact:
        case OrderAppears():
            bench.desk.place_order(fact.account, _working(bench, fact))
        case OrderFills():
            bench.desk.fill_order(fact.account, fact.order, quantity=fact.quantity, price=fact.price)
        case OrderEnds():
            bench.desk.end_order(fact.account, fact.order, fact.status)


def _working(bench: Bench, fact: OrderAppears) -> WorkingOrder:
    limit = fact.type is OrderType.LIMIT
    return WorkingOrder(
        order_id=fact.order,
        contract=bench.symbols.contract(fact.symbol),
        side=fact.side,
        type=fact.type,
        status=OrderStatus.WORKING,
        size=fact.quantity,
        limit_price=fact.price if limit else None,
        stop_price=None if limit else fact.price,
        parent=fact.parent,
        linked=fact.oco,
        created_at=bench.now,
    )


def _market(bench: Bench, fact: MarketFact) -> None:
    contract = bench.symbols.contract(fact.symbol)
    match fact:
        case PriceMoves(last=last, bid=bid, ask=ask):
            bench.desk.quote(QuoteReported(contract=contract, at=bench.now, last=last, bid=bid, ask=ask))
        case PriceGoesSilent():
            bench.publish(FeedSilent(contract=contract))
        case MarketSwitches(open=True):
            bench.desk.closed_markets.discard(contract)
        case MarketSwitches():
            bench.desk.closed_markets.add(contract)


def _account(bench: Bench, fact: AccountFact) -> None:
    ledger = bench.desk.ledgers[fact.account]
    match fact:
        case BalanceIs(balance=balance):
            ledger.balance = balance
        case MayTrade(allowed=allowed):
            ledger.can_trade = allowed
    bench.desk.report_balance(fact.account)


def _person(bench: Bench, fact: PersonFact) -> None:
    match fact:
        case AdminReleases(account):
            bench.publish(LockoutReleased(account=account, by="admin"))
        case WhatIf():
            _what_if(bench, fact)
        case ConfigChanges():
            _change_rules(bench, fact)


def _change_rules(bench: Bench, fact: ConfigChanges) -> None:
    try:
        spec = edited(bench.configured[fact.account], fact.change)
    except Unreadable as why:
        raise CannotHappen(expected="a change that can be used", actual=str(why)) from None
    bench.propose(fact.account, spec)


def _what_if(bench: Bench, fact: WhatIf) -> None:
    """Ask riskd what an order would lead to, and note which rules it would fire."""
    contract = bench.symbols.contract(fact.symbol)
    rulebook = bench.core.rulebooks[fact.account]
    try:
        answer = what_if(bench.view(fact.account), rulebook, contract=contract, side=fact.side, quantity=fact.quantity)
    except NoPrice:
        raise CannotHappen(expected=f"a price of {contract} before this", actual="none was given") from None
    for finding in answer.fires:
        bench.noticed.violation(finding.violation)


def _process(bench: Bench, fact: ProcessFact) -> None:
    match fact:
        case Crash():
            bench.desk.forget()
            bench.process.crash(bench.now)
            bench.begin_process()
        case Disconnect():
            bench.desk.connected = False
            for link in LINKS:
                bench.publish(ConnectionChanged(link=link, up=False))
        case Reconnect():
            bench.desk.connected = True
            for link in LINKS:
                bench.publish(ConnectionChanged(link=link, up=True))
            bench.report_everything()
        case ClockJumps():
            pass  # riskd's time is not the wall clock's; here there is no wall clock at all

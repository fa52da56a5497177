"""Reading what happens: the part of a line that follows its time."""

from collections.abc import Callable, Mapping
from datetime import time
from decimal import Decimal
from typing import Final

from riskd.app.scenario.clock import read_time
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
    RuleLine,
    TradeVoided,
    WhatIf,
)
from riskd.app.scenario.words import Unreadable, Words, amount, is_number, is_symbol
from riskd.domain.events import Outcome
from riskd.domain.orders import OrderStatus, OrderType
from riskd.rules.durations import parse_duration

_PRICED: Final[Mapping[str, OrderType]] = {
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "trailing": OrderType.TRAILING_STOP,
}
_PRICE_WORDS: Final = ("last", "bid", "ask")


def read_fact(words: Words, known_account: Callable[[str], bool]) -> Fact:
    """Read what happens.

    Errors: Unreadable, with what was expected, for anything that is no fact or names an account without rules.
    """
    for_all = _WORLD.get(words.next)
    if for_all is not None:
        words.take("a fact")
        fact = for_all(words)
    elif is_symbol(words.next) and _is_price(words.rest[1:2]):
        fact = _price(words)
    else:
        fact = _of_account(words, known_account)
    if isinstance(fact, ConfigChanges):
        _assert_known(fact.account, known_account)
    words.end()
    return fact


def read_rule(words: Words) -> RuleLine:
    """Read a rule's name and its settings."""
    name = words.name("the name of a rule such as DailyRealizedLoss")
    return RuleLine(name, words.settings())


def _is_price(word: list[str]) -> bool:
    return bool(word) and (word[0] in (*_PRICE_WORDS, "silent") or is_number(word[0]))


def _price(words: Words) -> Fact:
    symbol = words.symbol()
    if words.took("silent"):
        return PriceGoesSilent(symbol)
    if is_number(words.next):
        price = words.number("a price")
        return PriceMoves(symbol, price, price, price)
    found: dict[str, Decimal] = {}
    while words.next in _PRICE_WORDS and words.next not in found:
        field = words.take("last, bid or ask")
        found[field] = words.number("a price such as 17875.25")
    return PriceMoves(symbol, found.get("last"), found.get("bid"), found.get("ask"))


def _of_account(words: Words, known_account: Callable[[str], bool]) -> Fact:
    if words.rest[1:2] and words.rest[1] not in _ACCOUNT:
        verbs = ", ".join(_ACCOUNT)
        raise words.fail(f"an account and one of {verbs}; or a symbol and a price; or one of {', '.join(_WORLD)}")
    account = words.name("an account, a symbol, or one of " + ", ".join(_WORLD))
    _assert_known(account, known_account)
    return _ACCOUNT[words.one_of(_ACCOUNT)](words, account)


def _assert_known(account: str, known_account: Callable[[str], bool]) -> None:
    if not known_account(account):
        raise Unreadable(f"expected an account that has a rules line, found {account!r}")


def _fill(words: Words, account: str) -> Fact:
    if words.next not in ("buy", "sell"):
        trade = words.name("buy, sell, or the id of an earlier fill")
        words.one_of(("again",))
        return FillRepeats(account, trade)
    side, quantity, symbol, price = words.side(), words.contracts(), words.symbol(), words.at_price()
    more = words.settings(("order", "id", "fee", "pnl", "at"))
    return FillHappens(
        account=account,
        side=side,
        quantity=quantity,
        symbol=symbol,
        price=price,
        order=more.get("order"),
        trade=more.get("id"),
        fee=amount(more["fee"], "fee") if "fee" in more else None,
        pnl=amount(more["pnl"], "pnl") if "pnl" in more else None,
        stamped=_time(more["at"]) if "at" in more else None,
    )


def _time(text: str) -> time:
    words = Words([text])
    found = read_time(words)
    words.end()
    return found


def _void(words: Words, account: str) -> Fact:
    return TradeVoided(account, words.name("the id of a fill"))


def _order(words: Words, account: str) -> Fact:
    order = words.name("the name of an order such as O7")
    word = words.one_of(("buy", "sell", "filled", "cancelled", "rejected"))
    if word == "filled":
        quantity = None if words.next == "@" else words.contracts()
        return OrderFills(account=account, order=order, quantity=quantity, price=words.at_price())
    if word in ("cancelled", "rejected"):
        return OrderEnds(account, order, OrderStatus(word))
    words.rest.insert(0, word)
    return _new_order(words, account, order)


def _new_order(words: Words, account: str, order: str) -> Fact:
    side, quantity, symbol = words.side(), words.contracts(), words.symbol()
    kind = _PRICED[words.one_of(_PRICED)]
    priced = kind is not OrderType.TRAILING_STOP or words.next == "@"
    price = words.at_price() if priced else None
    more = words.settings(("parent", "oco"))
    return OrderAppears(
        account=account,
        order=order,
        side=side,
        quantity=quantity,
        symbol=symbol,
        type=kind,
        price=price,
        parent=more.get("parent"),
        oco=more.get("oco"),
    )


def _holds(words: Words, account: str) -> Fact:
    sign = 1 if words.one_of(("long", "short")) == "long" else -1
    quantity, symbol, price = words.contracts(), words.symbol(), words.at_price()
    words.one_of(("mark",))
    mark = words.number("the price at 17:00 of the day before")
    return CarriedIn(account=account, quantity=sign * quantity, symbol=symbol, price=price, mark=mark)


def _balance(words: Words, account: str) -> Fact:
    return BalanceIs(account, words.number("an amount in USD such as 50000"))


def _cantrade(words: Words, account: str) -> Fact:
    return MayTrade(account, words.one_of(("yes", "no")) == "yes")


def _check(words: Words, account: str) -> Fact:
    return WhatIf(account, words.side(), words.contracts(), words.symbol())


def _outcome(words: Words, account: str) -> Fact:
    kind = words.one_of(("close", "cancel"))
    about = None if words.next in tuple(Outcome) else words.name("accepted, rejected, unknown or unavailable")
    outcome = Outcome(words.one_of(tuple(str(outcome) for outcome in Outcome)))
    code = words.name("the broker's code") if outcome is Outcome.REJECTED else ""
    return BrokerAnswers(
        account=account, kind="close" if kind == "close" else "cancel", about=about, outcome=outcome, code=code
    )


_ACCOUNT: Final[Mapping[str, Callable[[Words, str], Fact]]] = {
    "fill": _fill,
    "order": _order,
    "outcome": _outcome,
    "void": _void,
    "holds": _holds,
    "balance": _balance,
    "cantrade": _cantrade,
    "release": lambda _words, account: AdminReleases(account),
    "check": _check,
}


def _market(words: Words) -> Fact:
    return MarketSwitches(words.symbol(), words.one_of(("open", "closed")) == "open")


def _clock(words: Words) -> Fact:
    text = words.take("a duration with its sign such as +3h")
    try:
        by = parse_duration(text[1:])
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"expected a duration with its sign such as +3h: {error}") from None
    if text[0] not in "+-":
        raise Unreadable(f"expected a sign before the duration, such as +{text}, found {text!r}")
    return ClockJumps(by if text[0] == "+" else -by)


def _config(words: Words) -> Fact:
    return ConfigChanges(words.name("an account"), read_rule(words))


_WORLD: Final[Mapping[str, Callable[[Words], Fact]]] = {
    "market": _market,
    "crash": lambda _: Crash(),
    "disconnect": lambda _: Disconnect(),
    "reconnect": lambda _: Reconnect(),
    "clock": _clock,
    "config": _config,
}

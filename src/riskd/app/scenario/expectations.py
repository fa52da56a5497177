"""Reading what riskd must have done: the part of a line that follows ``->``."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from riskd.app.scenario.clock import ScenarioClock
from riskd.app.scenario.language import (
    Alerts,
    Anything,
    Cancels,
    Closes,
    CoolsDown,
    Expectation,
    Flattens,
    Locks,
    Nothing,
    StateIs,
    Unlocks,
    Violates,
    Waits,
)
from riskd.app.scenario.words import Unreadable, Words, amount

MONEY: Final = ("realized", "unrealized", "net", "headroom")


def read_expectation(words: Words, clock: ScenarioClock) -> Expectation:
    """Read one expectation.

    Errors: Unreadable, with what was expected, for anything else.
    """
    kind = words.next
    if kind in _TIMED:
        words.take("an expectation")
        found = _TIMED[kind](words, clock)
    elif kind in _UNTIMED:
        words.take("an expectation")
        found = _UNTIMED[kind](words)
    else:
        raise words.fail("one of " + ", ".join((*_UNTIMED, *_TIMED)))
    words.end()
    return found


def _account(words: Words) -> str:
    return words.name("an account")


def _lock(words: Words, clock: ScenarioClock) -> Expectation:
    account = _account(words)
    words.one_of(("until",))
    return Locks(account, clock.read_until(words))


def _cooldown(words: Words, clock: ScenarioClock) -> Expectation:
    account = _account(words)
    words.one_of(("until",))
    return CoolsDown(account, clock.read_until(words))


def _close(words: Words) -> Expectation:
    account, symbol = _account(words), words.symbol()
    quantity = words.contracts() if words.next and words.next != "left" else None
    return Closes(account, symbol, quantity, _left(words))


def _left(words: Words) -> int | None:
    if not words.took("left"):
        return None
    left = words.number("a signed number of contracts such as 2, -1 or 0")
    if left != int(left):
        raise Unreadable(f"expected a whole number of contracts, found {left}")
    return int(left)


def _cancel(words: Words) -> Expectation:
    return Cancels(_account(words), words.name("the name of an order such as O7"))


def _alert(words: Words) -> Expectation:
    text = " ".join(words.rest)
    words.rest.clear()
    return Alerts(text.replace('"', ""))


def _violation(words: Words) -> Expectation:
    rule = words.name("the name of a rule")
    values = _amounts(words, ("current", "limit"))
    return Violates(rule, values.get("current"), values.get("limit"))


def _state(words: Words) -> Expectation:
    account = _account(words)
    positions: dict[str, int] | None = None
    locked: bool | None = None
    while words.rest and "=" not in words.next:
        held = words.held()
        if held is not None:
            positions = {**(positions or {}), held[0]: held[1]}
            continue
        match words.one_of(("flat", "locked", "free"), "flat, a position such as MNQ+2, locked, free or realized="):
            case "flat":
                positions = {}
            case word:
                locked = word == "locked"
    return StateIs(account=account, positions=positions, locked=locked, money=_amounts(words, MONEY))


def _amounts(words: Words, keys: tuple[str, ...]) -> Mapping[str, Decimal]:
    return {key: amount(text, key) for key, text in words.settings(keys).items()}


def _pending(words: Words) -> Expectation:
    return Waits(_account(words), words.name("the name of a rule"))


_TIMED: Final[Mapping[str, Callable[[Words, ScenarioClock], Expectation]]] = {
    "lock": _lock,
    "cooldown": _cooldown,
}
_UNTIMED: Final[Mapping[str, Callable[[Words], Expectation]]] = {
    "nothing": lambda _: Nothing(),
    "anything": lambda _: Anything(),
    "unlock": lambda words: Unlocks(_account(words)),
    "close": _close,
    "cancel": _cancel,
    "flatten": lambda words: Flattens(_account(words)),
    "alert": _alert,
    "violation": _violation,
    "state": _state,
    "pending": _pending,
}

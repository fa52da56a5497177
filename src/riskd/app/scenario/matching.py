"""Holding what riskd did against what a ``->`` line expects.

Enforcement commands must be exactly those expected, in the order expected; within one step of riskd the closes of an
account have no order among themselves, and neither have its cancels. With ``anything`` there may be others, in any
order. Everything else is judged only where it is listed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from riskd.app.scenario.language import (
    Alerts,
    Anything,
    Cancels,
    Closes,
    CoolsDown,
    Enforced,
    Expectation,
    Expected,
    Flattens,
    Locks,
    StateIs,
    Unlocks,
    Until,
    Violates,
    Waits,
)
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.telling import (
    tell_given,
    tell_money,
    tell_positions,
    tell_violation,
)
from riskd.app.scenario.world import Given, Seen, SeenViolation, Standing
from riskd.domain.commands import CancelOrder, ClosePosition, LockAccount, StartCooldown
from riskd.domain.money import to_cents


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What was expected and what was found, in a trader's words."""

    expected: str
    actual: str


def mismatches(
    expected: Sequence[Expected], seen: Seen, standings: Mapping[str, Standing], symbols: Symbols
) -> list[Mismatch]:
    """Return everything that is not as expected.

    Shape: ``standings`` has every account that a state or pending expectation names.
    """
    found: list[Mismatch] = []
    enforced = [e for e in expected if isinstance(e.what, Enforced)]
    wanted = [e.what for e in expected if isinstance(e.what, Enforced)]
    loosely = any(isinstance(e.what, Anything) for e in expected)
    if not (_among if loosely else _as_expected)(wanted, seen.given, symbols):
        told = " ; ".join(tell_given(given) for given in seen.given)
        found.append(Mismatch(" ; ".join(e.text for e in enforced) or "nothing", told or "nothing"))
    for each in expected:
        if isinstance(each.what, StateIs):
            found.extend(_state(each.what, standings[each.what.account], symbols))
        else:
            actual = _missing(each.what, seen, standings)
            found.extend([Mismatch(each.text, actual)] if actual else [])
    return found


def _as_expected(wanted: Sequence[Enforced], given: Sequence[Given], symbols: Symbols) -> bool:
    blocks = _unordered_blocks(given)
    for expectation in wanted:
        if not blocks:
            return False
        taken = _taken(expectation, blocks[0], symbols)
        if not taken:
            return False
        blocks[0] = [g for g in blocks[0] if g not in taken]
        blocks = blocks if blocks[0] else blocks[1:]
    return not blocks


def _among(wanted: Sequence[Enforced], given: Sequence[Given], symbols: Symbols) -> bool:
    """Tell whether each of the commands wanted was given, whatever else was."""
    blocks = _unordered_blocks(given)
    return all(any(_taken(expectation, block, symbols) for block in blocks) for expectation in wanted)


def _unordered_blocks(given: Sequence[Given]) -> list[list[Given]]:
    """Group what has no order among itself: one step's closes, or cancels, of one account."""
    return [list(group) for _, group in groupby(given, key=lambda g: (g.step, type(g.command), g.command.account))]


def _taken(expectation: Enforced, block: Sequence[Given], symbols: Symbols) -> list[Given]:
    """Return the commands of a block that an expectation stands for."""
    if isinstance(expectation, Flattens):
        return list(block) if _is_flatten(expectation, block) else []
    fitting = (g for g in block if _fits(expectation, g, symbols))
    return [g for g in (next(fitting, None),) if g is not None]


def _is_flatten(expectation: Flattens, block: Sequence[Given]) -> bool:
    closes = [g.command for g in block if isinstance(g.command, ClosePosition)]
    if len(closes) != len(block) or any(c.account != expectation.account or c.left != 0 for c in closes):
        return False
    held = block[0].held
    return held is None or {contract for contract, quantity in held.items() if quantity} == {c.contract for c in closes}


def _fits(expectation: Enforced, given: Given, symbols: Symbols) -> bool:
    match expectation, given.command:
        case (Locks(account, until), LockAccount() as command) | (
            CoolsDown(account, until),
            StartCooldown() as command,
        ):
            return command.account == account and _ends(until, command)
        case Closes(account), ClosePosition() as close:
            return close.account == account and _closes(expectation, close, symbols)
        case Cancels(account, order), CancelOrder() as cancel:
            return (cancel.account, cancel.order_id) == (account, order)
        case _:
            return False


def _ends(until: Until, command: LockAccount | StartCooldown) -> bool:
    return command.until in until.moments if until.moments else command.until is None


def _closes(expectation: Closes, close: ClosePosition, symbols: Symbols) -> bool:
    if close.contract != symbols.contract(expectation.symbol):
        return False
    quantity = abs(close.held - close.left)
    return expectation.quantity in (None, quantity) and expectation.left in (None, close.left)


def _missing(expectation: Expectation, seen: Seen, standings: Mapping[str, Standing]) -> str:
    """Return what was found instead of what is judged only where it is listed; empty when it was found."""
    match expectation:
        case Unlocks(account) if account not in seen.unlocked:
            return f"{account} was not unlocked"
        case Alerts(text) if not any(text.casefold() in alert.casefold() for alert in seen.alerts):
            return " | ".join(seen.alerts) or "no alert"
        case Violates() if not any(_is_violation(expectation, v) for v in seen.violations):
            return " ; ".join(tell_violation(v) for v in seen.violations) or "no violation"
        case Waits(account, rule) if rule not in standings[account].pending:
            return "waiting: " + (", ".join(standings[account].pending) or "nothing")
        case _:
            return ""


def _is_violation(expectation: Violates, violation: SeenViolation) -> bool:
    return (
        expectation.rule in violation.rule
        and _same(expectation.current, violation.current)
        and _same(expectation.limit, violation.limit)
    )


def _same(expected: Decimal | None, actual: Decimal | None) -> bool:
    return expected is None or actual is None or expected == actual


def _state(expectation: StateIs, standing: Standing, symbols: Symbols) -> Iterable[Mismatch]:
    account = expectation.account
    if expectation.positions is not None:
        expected = {symbols.contract(symbol): quantity for symbol, quantity in expectation.positions.items()}
        if {c: q for c, q in expected.items() if q} != standing.positions:
            yield Mismatch(f"{account} {tell_positions(expected)}", f"{account} {tell_positions(standing.positions)}")
    if expectation.locked is not None and expectation.locked != standing.locked:
        words = ("free", "locked")
        yield Mismatch(f"{account} {words[expectation.locked]}", f"{account} {words[standing.locked]}")
    for key, wanted in expectation.money.items():
        actual = standing.money.get(key)
        if actual is None or to_cents(actual) != to_cents(wanted):
            yield Mismatch(f"{account} {key}={tell_money(wanted)}", f"{key}={tell_money(actual)}")

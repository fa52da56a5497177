from datetime import UTC, datetime
from decimal import Decimal

import pytest

from riskd.app.scenario.language import Judgement
from riskd.app.scenario.matching import mismatches
from riskd.app.scenario.parser import parse
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import EnforcementCommand, Given, Seen, SeenViolation, Standing
from riskd.domain.commands import CancelOrder, ClosePosition, LockAccount, StartCooldown

AT = datetime(2026, 3, 10, 14, 31, tzinfo=UTC)
RESET = datetime(2026, 3, 10, 22, 0, tzinfo=UTC)
SYMBOLS = Symbols(AT)
MNQ, ES = SYMBOLS.contract("MNQ"), SYMBOLS.contract("ES")
FLAT = Standing(positions={}, locked=False, money={"realized": Decimal(0)}, pending=())

LOCK = LockAccount(account="A1", cause="DailyRealizedLoss", until=RESET, reason="")


def close(contract: str, held: int, left: int = 0) -> ClosePosition:
    """Return a close from ``held`` to ``left``."""
    quantity = abs(held - left) if left else None
    return ClosePosition(
        account="A1", command_id="c", contract=contract, quantity=quantity, held=held, left=left, rule="", reason=""
    )


def cancel(order: str) -> CancelOrder:
    """Return a cancel."""
    return CancelOrder(account="A1", command_id="c", order_id=order, contract=MNQ, rule="", reason="")


def seen(*steps: tuple[EnforcementCommand, ...], held: dict[str, int] | None = None, **rest: tuple[str, ...]) -> Seen:
    """Return what was given, step by step."""
    given = tuple(Given(n, command, held) for n, step in enumerate(steps) for command in step)
    violation = SeenViolation("A1", ("MaxContracts",), Decimal(5), Decimal(4))
    return Seen(given, rest.get("unlocked", ()), rest.get("alerts", ()), (violation,))


def wrong(line: str, what: Seen, standing: Standing = FLAT) -> list[tuple[str, str]]:
    """Return expected and actual of everything that is not as a line says."""
    (scenario,) = parse("x", f'scenario "s"\ndate 2026-03-10\n09:31\n-> {line}\n', default_rules=True)
    judgement = scenario.steps[1]
    assert isinstance(judgement, Judgement)
    return [(m.expected, m.actual) for m in mismatches(judgement.expected, what, {"A1": standing}, SYMBOLS)]


LOCK_THEN_CLOSES = seen((LOCK, close(MNQ, 2), close(ES, -1)), held={MNQ: 2, ES: -1})


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("nothing", seen()),
        ("anything", LOCK_THEN_CLOSES),
        ("anything ; close A1 ES ; state A1 flat", LOCK_THEN_CLOSES),
        ("lock A1 until 17:00", seen((LOCK,))),
        ("lock A1 until 17:00 ; close A1 MNQ ; close A1 ES", LOCK_THEN_CLOSES),
        ("lock A1 until 17:00 ; close A1 ES 1 left 0 ; close A1 MNQ 2", LOCK_THEN_CLOSES),
        ("lock A1 until 17:00 ; flatten A1", LOCK_THEN_CLOSES),
        ("cancel A1 o2 ; cancel A1 o1", seen((cancel("o1"), cancel("o2")))),
        ("close A1 MNQH6 3 left 2", seen((close(MNQ, 5, 2),))),
        ("cooldown A1 until 17:00", seen((StartCooldown("A1", "CooldownAfterLoss", RESET, ""),))),
        ("lock A1 until admin", seen((LockAccount("A1", "AccountDrawdown", None, ""),))),
        ("alert CLOSED 1 es", seen(alerts=("violated: 5 > 4, closed 1 ES",))),
        ("violation MaxContracts current=5 limit=4", seen()),
        ("violation MaxContracts", seen()),
        ("unlock A1", seen(unlocked=("A1",))),
        ("state A1 flat free realized=0.00", seen()),
    ],
)
def test_what_is_as_expected_holds(line: str, what: Seen) -> None:
    """Exactly the listed commands in their order; within one step closes among themselves in any order."""
    assert wrong(line, what) == []


@pytest.mark.parametrize(
    ("line", "what", "expected", "actual"),
    [
        ("nothing", seen((LOCK,)), "nothing", "lock A1 until 2026-03-10 17:00"),
        ("lock A1 until 17:00", seen(), "lock A1 until 17:00", "nothing"),
        ("lock A1 until 16:00", seen((LOCK,)), "lock A1 until 16:00", "lock A1 until 2026-03-10 17:00"),
        # A line that lists none expects none, whatever else it says.
        ("state A1 flat", seen((cancel("o1"),)), "nothing", "cancel A1 o1"),
        # The order between lock and close is part of what is promised.
        (
            "close A1 MNQ ; lock A1 until 17:00",
            seen((LOCK, close(MNQ, 2))),
            "close A1 MNQ ; lock A1 until 17:00",
            "lock A1 until 2026-03-10 17:00 ; close A1 MNQH6 2 left 0",
        ),
        # Closes of different steps have an order.
        ("close A1 ES ; close A1 MNQ", seen((close(MNQ, 2),), (close(ES, 1),)), None, None),
        ("close A1 MNQ 1", seen((close(MNQ, 2),)), "close A1 MNQ 1", "close A1 MNQH6 2 left 0"),
        ("close A1 MNQ left 1", seen((close(MNQ, 2),)), "close A1 MNQ left 1", "close A1 MNQH6 2 left 0"),
        ("close A1 MNQ ; close A1 MNQ", seen((close(MNQ, 2),)), None, "close A1 MNQH6 2 left 0"),
        ("close A1 MNQ", seen((close(MNQ, 2),), (close(MNQ, 2),)), None, None),
        ("flatten A1", seen((close(MNQ, 2),), held={MNQ: 2, ES: 1}), "flatten A1", "close A1 MNQH6 2 left 0"),
        ("flatten A1", seen((close(MNQ, 2, 1),), held={MNQ: 2}), "flatten A1", "close A1 MNQH6 1 left 1"),
        ("unlock A1", seen(), "unlock A1", "A1 was not unlocked"),
        ("alert closed", seen(alerts=("something else",)), "alert closed", "something else"),
        ("alert", seen(), "alert", "no alert"),
        ("violation MaxContracts current=6", seen(), None, "violation MaxContracts current=5 limit=4"),
        ("pending A1 MaxContracts", seen(), "pending A1 MaxContracts", "waiting: nothing"),
        ("state A1 MNQ+2", seen(), "A1 MNQH6+2", "A1 flat"),
        ("state A1 locked", seen(), "A1 locked", "A1 free"),
        ("state A1 realized=-1", seen(), "A1 realized=-1.00", "realized=0.00"),
        ("state A1 headroom=5", seen(), "A1 headroom=5.00", "headroom=unknown"),
    ],
)
def test_what_is_not_as_expected_is_told(line: str, what: Seen, expected: str | None, actual: str | None) -> None:
    """A difference is told in the words of the language, with what riskd really did."""
    ((told_expected, told_actual),) = wrong(line, what)
    assert expected in (None, told_expected)
    assert actual in (None, told_actual)

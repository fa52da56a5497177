from decimal import Decimal

import pytest

from riskd.rules.open_pnl import Scope, open_pnl
from tests.support.rule_builders import account, contract, position, view

FIGURES = [
    ("MNQ", 2, "21000", "20950", "-200"),
    ("ES", 1, "5800", "5775", "-1250"),
    ("MNQ", 1, "26385.00", "26391.00", "12"),
    ("CL", -1, "75.00", "75.37", "-370"),
    ("GC", 2, "2400.0", "2395.5", "-900"),
    ("MGC", 2, "2400.0", "2395.5", "-90"),
]


@pytest.mark.parametrize(("root", "quantity", "entry", "mark", "amount"), FIGURES)
def test_worked_figures(root: str, quantity: int, entry: str, mark: str, amount: str) -> None:
    """Price difference times quantity times point value."""
    state = view(account(positions=[position(root, quantity, price=entry)]), marks={root: mark})

    assert [unit.amount for unit in open_pnl(state, "position")] == [Decimal(amount)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("position", {contract("NQ"): "-500", contract("MNQ"): "-100", contract("GC"): "450"}),
        ("group", {"NASDAQ100": "-600", "GOLD": "450"}),
        ("account", {"account": "-150"}),
    ],
)
def test_what_is_judged_together(scope: Scope, expected: dict[str, str]) -> None:
    """NQ and MNQ are one family, gold another."""
    held = [position("NQ", 1), position("MNQ", 2), position("GC", -1)]
    state = view(account(positions=held), marks={"NQ": "20975", "MNQ": "20975", "GC": "2395.5"})

    assert {unit.key: unit.amount for unit in open_pnl(state, scope)} == {k: Decimal(v) for k, v in expected.items()}


def test_nothing_held_is_nothing_to_judge() -> None:
    """A flat account has no open P&L."""
    assert open_pnl(view(), "account") == []

"""What an order would lead to, asked of the real rules; nothing is changed by asking."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from riskd.domain.commands import LockAccount
from riskd.domain.orders import Side
from riskd.engine.what_if import NoPrice, WhatIf, what_if
from tests.support.desk import Desk, contract

RULES: Mapping[str, Mapping[str, object]] = {
    "MaxContracts": {"max_contracts": 4},
    "DailyRealizedLoss": {"limit": "-500.00"},
}


def ask(desk: Desk, side: str, quantity: int, root: str, price: str | None = None) -> WhatIf:
    """Ask about an order on the desk's account; check that asking leaves everything as it was."""
    before = desk.state
    answer = what_if(
        desk.core.state_manager.view("A1", desk.at),
        desk.core.rulebooks["A1"],
        contract=contract(root),
        side=Side(side),
        quantity=quantity,
        price=None if price is None else Decimal(price),
    )
    assert desk.state is before
    return answer


def test_an_order_within_the_limits_is_harmless() -> None:
    """No rule fires, and the headroom is what it was."""
    desk = Desk(RULES)
    desk.quote("MNQ", "21000")

    answer = ask(desk, "buy", 2, "MNQ")

    assert (answer.harmless, answer.fires, answer.position, answer.price) == (True, (), 2, Decimal(21000))
    assert answer.now == answer.after == {"DailyRealizedLoss": Decimal(500)}


def test_the_rule_that_would_fire_says_what_it_would_do() -> None:
    """3 ES on top of 2 MNQ against 4: one ES would be closed."""
    desk = Desk(RULES)
    desk.fill("buy", 2, "MNQ", "21000")

    answer = ask(desk, "buy", 3, "ES", "5800")

    assert not answer.harmless
    assert [(f.entry.rule_id, f.action.quantity) for f in answer.fires] == [("MaxContracts", 1)]


def test_a_market_order_pays_the_spread_and_the_fee() -> None:
    """Bought at the ask and marked at the last price, less the commission that the account has learned."""
    desk = Desk(RULES)
    desk.quote("MNQ", "21000", bid="20999.75", ask="21000.25")

    answer = ask(desk, "buy", 2, "MNQ")

    assert answer.price == Decimal("21000.25")
    assert answer.after["DailyRealizedLoss"] == Decimal("499.00")


def test_an_exit_is_an_order_like_any_other() -> None:
    """Selling what is held realizes its loss, which may be the day's last."""
    desk = Desk(RULES)
    desk.fill("buy", 2, "MNQ", "21000")

    answer = ask(desk, "sell", 2, "MNQ", "20875")

    assert answer.position == 0
    assert [f.entry.rule_id for f in answer.fires] == ["DailyRealizedLoss"]


def test_under_a_lockout_everything_new_is_closed() -> None:
    """The answer names the lockout and its end."""
    desk = Desk(RULES)
    desk.fill("buy", 2, "MNQ", "21000")
    desk.fill("sell", 2, "MNQ", "20875")
    assert any(isinstance(command, LockAccount) for command in desk.commands)

    answer = ask(desk, "buy", 1, "MNQ")

    assert not answer.harmless
    assert answer.closed_by == ("locked until 2026-03-10 17:00 CT: daily loss -500.00 USD is at limit -500.00 USD",)


def test_under_a_cooldown_only_what_is_held_may_stay() -> None:
    """Adding is closed, reducing is not."""
    desk = Desk({"CooldownAfterLoss": {"loss_threshold": "-50.00", "cooldown_duration": "10min"}})
    desk.fill("buy", 3, "MNQ", "21000")
    desk.fill("sell", 1, "MNQ", "20950", pnl="-100")
    desk.wait(timedelta(seconds=1))

    assert ask(desk, "buy", 1, "MNQ", "20950").closed_by
    assert ask(desk, "sell", 1, "MNQ", "20950").closed_by == ()
    assert ask(desk, "sell", 3, "MNQ", "20950").closed_by


def test_what_only_watches_is_told_apart() -> None:
    """Nothing is done about an account that is not armed yet."""
    desk = Desk(RULES, armed=False)

    answer = what_if(
        desk.core.state_manager.view("A1", desk.at),
        desk.core.rulebooks["A1"],
        contract=contract("ES"),
        side=Side.BUY,
        quantity=5,
        price=Decimal(5800),
    )

    assert answer.shadow == ("MaxContracts",)
    assert answer.harmless


def test_without_a_price_there_is_no_answer() -> None:
    """Nothing is guessed."""
    with pytest.raises(NoPrice, match="no price of MNQ is known"):
        ask(Desk(RULES), "buy", 1, "MNQ")

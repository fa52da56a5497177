from datetime import timedelta

from tests.support.desk import Desk

RULES: dict[str, dict[str, object]] = {"MaxContracts": {"max_contracts": 40}}


def notices(desk: Desk) -> list[str]:
    """Return the notices that were given."""
    return [alert.text for alert in desk.alerts if alert.kind == "notice"]


def test_the_holder_of_a_contract_hears_days_ahead_that_it_ends() -> None:
    """Once a TradingDay, and when it is bought; not of a month that is far away."""
    desk = Desk(RULES, start="2026-03-10 09:30")
    desk.fill("buy", 2, "MNQ", "21000")
    assert notices(desk) == []

    desk.wait("2026-03-13 09:30")
    assert notices(desk) == ["+2 MNQH6: its last trading day is 2026-03-20, in 7 days; roll or close it"]
    desk.fill("buy", 1, "MNQ", "21000")
    assert len(notices(desk)) == 1

    desk.wait("2026-03-19 17:00")
    assert notices(desk)[-1] == "+3 MNQH6: its last trading day is 2026-03-20, today; roll or close it"
    assert len(notices(desk)) == 6


def test_who_holds_nothing_hears_nothing() -> None:
    """Until the calendar itself is about to end."""
    desk = Desk(RULES, start="2026-03-18 09:30")
    desk.wait("2026-03-20 09:30")
    assert notices(desk) == []

    late = Desk(RULES, start="2027-12-09 09:30")
    late.wait(timedelta(hours=8))
    assert len(notices(late)) == 1
    assert "until 2027-12-31" in notices(late)[0]

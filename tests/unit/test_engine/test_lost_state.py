from riskd.domain.events import AccountArmed, DaemonStarted
from tests.support.desk import Desk, contract, ct

MAX9 = {"MaxContracts": {"max_contracts": 9}}


def stranger(start: str = "2026-03-10 09:30", held: int = 0) -> Desk:
    """Return a core that finds nothing of an account that holds so many MNQ and that was enforced before."""
    desk = Desk(start=start)
    desk.publish(DaemonStarted(lost={"A1": "/old"}))
    desk.rules("A1", MAX9)
    desk.snapshot({"MNQ": held})
    desk.publish(AccountArmed(account="A1"))
    return desk


def test_people_are_told_what_is_missing_and_what_follows() -> None:
    """The alert names the place where it was, and until when nothing new is allowed."""
    (told,) = [alert for alert in stranger().alerts if alert.kind == "lost"]
    assert told.severity == "critical"
    assert told.text == (
        "what riskd last wrote about this account was in /old and is not there any more: its lockouts, waiting changes "
        "and high-water marks may be forgotten, so it takes no new risk until 2026-03-11 17:00 CT"
    )


def test_what_is_held_may_be_kept_and_sold_but_nothing_is_added() -> None:
    """Two were held when riskd saw the account again: one may be sold, and what is bought back is closed."""
    desk = stranger(held=2)
    assert desk.closes == []
    desk.fill("sell", 1, "MNQ", "18000")
    desk.position("MNQ", 1)
    assert desk.closes == []
    desk.fill("buy", 1, "MNQ", "18000")
    desk.position("MNQ", 2)
    assert desk.closes == [(contract("MNQ"), 1)]


def test_it_lasts_as_long_as_a_loosening_would_wait() -> None:
    """A state that is lost at 16:59 is no quicker way to looser rules than an edited file."""
    desk = stranger("2026-03-10 16:59")
    desk.wait("2026-03-10 17:00:01")
    desk.fill("buy", 1, "MNQ", "18000")
    assert desk.closes == [(contract("MNQ"), None)]
    desk.fill("sell", 1, "MNQ", "18000")
    desk.wait("2026-03-11 17:00:01")
    desk.forget()
    desk.fill("buy", 1, "MNQ", "18000")
    assert (desk.closes, desk.state.no_new_risk) == ([], ())


def test_a_second_start_makes_it_no_longer() -> None:
    """The time runs from when it was first found out."""
    desk = stranger("2026-03-10 03:00")
    desk.at = ct("2026-03-10 12:00")
    desk.publish(DaemonStarted(lost={"A1": "/old"}))
    (cause,) = desk.state.no_new_risk
    assert cause.until == ct("2026-03-10 17:00")


def test_an_account_that_is_known_keeps_what_it_knows() -> None:
    """Where an older state than the last one is found, its lockout still counts."""
    desk = Desk({"DailyRealizedLoss": {"limit": "-500.00"}})
    desk.fill("buy", 2, "MNQ", "18000")
    desk.fill("sell", 2, "MNQ", "17800")
    desk.publish(DaemonStarted(lost={"A1": "/old"}))
    desk.snapshot()
    assert desk.state.locked
    assert [cause.cause for cause in desk.state.no_new_risk] == ["lost state"]

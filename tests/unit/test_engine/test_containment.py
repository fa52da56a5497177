"""A bug of riskd's own stays in the account in which it shows: the others are protected as if nothing had happened."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from riskd.domain.account import AccountState
from riskd.domain.commands import Alert, ClosePosition, LockAccount, Severity
from riskd.domain.events import AccountArmed, Fill, SnapshotReported
from riskd.domain.orders import Side
from riskd.engine import invariants, judging
from tests.support.desk import Desk, contract

LOSS = {"DailyRealizedLoss": {"limit": "-100.00"}}


def two_accounts() -> Desk:
    """Return a desk of the accounts A1 and B2, each long two MNQ."""
    desk = Desk(LOSS)
    desk.rules("B2", LOSS)
    desk.publish(SnapshotReported(account="B2", asked_seq=desk.event_bus.last_seq, positions=(), orders=(), fills=()))
    desk.publish(AccountArmed(account="B2"))
    for account in ("A1", "B2"):
        desk.publish(bought(account, desk))
    desk.forget()
    return desk


def bought(account: str, desk: Desk, trade_id: str = "1") -> Fill:
    """Return a purchase of two MNQ."""
    return Fill(
        account=account,
        trade_id=trade_id,
        contract=contract("MNQ"),
        side=Side.BUY,
        quantity=2,
        price=Decimal(21000),
        at=desk.at,
    )


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the accounts in whose invariants a bug shows, to be filled."""
    accounts: list[str] = []
    right = invariants.broken

    def wrong(before: AccountState, after: AccountState) -> Iterable[str]:
        if after.account in accounts:
            raise KeyError("a bug")
        return right(before, after)

    monkeypatch.setattr(judging, "broken", wrong)
    return accounts


def of(desk: Desk, account: str) -> list[object]:
    """Return what was commanded and told of one account, by kind."""
    return [c.kind if isinstance(c, Alert) else type(c) for c in desk.commands if c.account == account]


def test_the_other_account_is_locked_and_flattened(bug: list[str]) -> None:
    """A price is judged for every account that holds the contract, whatever happens in one of them."""
    desk = two_accounts()
    bug.append("B2")

    desk.quote("MNQ", "20900")

    assert LockAccount in of(desk, "A1")
    assert ClosePosition in of(desk, "A1")


def test_the_account_itself_takes_no_new_risk_and_people_are_told_once(bug: list[str]) -> None:
    """What a bug leaves undecided is decided the careful way."""
    desk = two_accounts()
    bug.append("B2")

    desk.quote("MNQ", "20900")
    desk.quote("MNQ", "20890")

    state = desk.core.state_manager.accounts["B2"]
    assert [cause.cause for cause in state.no_new_risk] == ["invariant"]
    told = [c for c in desk.alerts if c.account == "B2" and c.kind == "invariant"]
    assert [c.severity for c in told] == [Severity.CRITICAL]
    assert "KeyError" in told[0].text


def test_new_exposure_is_closed_while_the_bug_lasts(bug: list[str]) -> None:
    """The rules cannot be heard; what exceeds the allowance is closed all the same."""
    desk = two_accounts()
    bug.append("B2")
    desk.publish(bought("B2", desk, "2"))
    assert ClosePosition not in of(desk, "B2")

    desk.publish(bought("B2", desk, "3"))

    assert ClosePosition in of(desk, "B2")


def test_what_cannot_be_booked_is_asked_of_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fill that riskd fails to book is not lost: the account is as before, and a snapshot is asked for."""
    desk = two_accounts()
    manager = desk.core.state_manager
    right = manager.book_account_event

    def wrong(account: str, envelope: object) -> object:
        if account == "B2":
            raise ZeroDivisionError("a bug")
        return right(account, envelope)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(manager, "book_account_event", wrong)

    desk.publish(bought("B2", desk, "2"))

    state = manager.accounts["B2"]
    assert state.quantity(contract("MNQ")) == 2
    assert [cause.cause for cause in state.no_new_risk] == ["invariant"]
    assert desk.snapshots_asked == 1

from decimal import Decimal

import pytest

from riskd.adapters.projectx.capabilities import Call, Capabilities, Support, settle
from riskd.adapters.projectx.roster import Listed, Roster
from riskd.domain.events import AccountReported


def listed(account: str, *, simulated: bool | None = True) -> Listed:
    """Return an account as the gateway lists it."""
    return Listed(AccountReported(account=account, name="", balance=Decimal(0), can_trade=True), simulated)


def test_a_simulated_account_can_do_everything() -> None:
    """Practice accounts, evaluations and simulated funded accounts are enforced in full."""
    assert settle("101", simulated=True) == Capabilities("101")


@pytest.mark.parametrize("simulated", [False, None])
def test_a_live_account_is_doubtful_until_it_has_been_tried(*, simulated: bool | None) -> None:
    """What is only reported to be refused is tried, and says why it may fail."""
    capabilities = settle("101", simulated=simulated)
    assert capabilities.close is Support.YES
    assert {capabilities.partial_close, capabilities.cancel, capabilities.resize} == {Support.DOUBTFUL}
    assert "account" in capabilities.why


@pytest.mark.parametrize("call", [Call.PARTIAL_CLOSE, Call.CANCEL, Call.RESIZE])
def test_an_observed_refusal_settles_one_call_only(call: Call) -> None:
    """What the broker refuses for good is not tried again; the rest is."""
    capabilities = Capabilities("101").refused(call, "the broker says no")
    assert capabilities.of(call) is Support.NO
    assert capabilities.why == "the broker says no"
    assert [c for c in Call if capabilities.of(c) is Support.NO] == [call]


def test_a_full_close_is_never_given_up() -> None:
    """Whatever the broker said once, closing is asked for again."""
    assert Capabilities("101").refused(Call.CLOSE, "no").close is Support.YES


def test_named_accounts_only_are_watched() -> None:
    """The others of the login are left alone, and a name that the login cannot see is told."""
    roster = Roster(("102", "999"))
    assert roster.take([listed("101"), listed("102")]) == ("102",)
    assert roster.watched() == ("102",)
    assert roster.missing() == ("999",)


def test_without_names_every_account_is_watched_and_new_ones_join() -> None:
    """An account that appears later is new once, and one that vanishes from the list is still watched."""
    roster = Roster(())
    assert roster.take([listed("101")]) == ("101",)
    assert roster.take([listed("102")]) == ("102",)
    assert roster.watched() == ("101", "102")


def test_what_was_learned_survives_the_next_listing() -> None:
    """The list of accounts does not undo what the broker refused."""
    roster = Roster(())
    roster.take([listed("101")])
    roster.refused("101", Call.CANCEL, "no")
    roster.take([listed("101")])
    assert roster.capabilities("101").cancel is Support.NO

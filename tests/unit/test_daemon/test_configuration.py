from datetime import UTC, datetime

import msgspec

from riskd.daemon.configuration import changed_sections, channel_changes, proposals, watched
from riskd.domain.account import AccountState, NoNewRisk, PendingRules
from riskd.domain.booking import new_account
from riskd.notifications.channels import Channel

AT = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)


def state(account: str, rules: str = "", *, armed: bool = True, pending: str | None = None) -> AccountState:
    """Return an account with these rules in force, and others that wait."""
    waits = None if pending is None else PendingRules(spec=pending, effective_at=AT, since=AT)
    return msgspec.structs.replace(new_account(account, AT), rules=rules, armed=armed, pending=waits)


def proposed(rules: dict[str, str], *states: AccountState) -> dict[str, str]:
    """Return what is proposed, by account."""
    return {p.account: p.spec for p in proposals(rules, {s.account: s for s in states})}


def test_only_what_is_not_so_already_is_proposed() -> None:
    """A new account, a changed one, one that is no longer named; not those that have or await what is wanted."""
    found = proposed(
        {"1": "new", "2": "x", "3": "y", "4": "z", "5": "back"},
        state("2", "x"),
        state("3", "old"),
        state("4", "old", pending="z"),
        state("5", "back", pending="loose"),
        state("6", "left"),
        state("7", "left", pending=""),
        state("8", ""),
    )

    assert found == {"1": "new", "3": "y", "5": "back", "6": ""}


def test_rules_that_failed_are_proposed_again() -> None:
    """They may answer now: somebody has started riskd anew or changed the file."""
    failed = NoNewRisk(cause="fault MyRule", until=None, since=AT, reason="rule MyRule: ValueError")
    account = msgspec.structs.replace(state("1", "x"), no_new_risk=(failed,))

    assert proposed({"1": "x"}, account) == {"1": "x"}


def test_accounts_are_watched_for_as_long_as_they_are_enforced() -> None:
    """Those that are named, and those that are armed with rules."""
    states = {s.account: s for s in (state("2", "x"), state("3", ""), state("4", "x", armed=False))}

    assert watched({"1": "x"}, states) == ("1", "2")


def test_what_changed_is_named_without_its_content() -> None:
    """Sections and channels by name."""
    assert changed_sections({"api": 1, "broker": 2}, {"api": 1, "broker": 3, "paths": 4}) == ("broker", "paths")
    phone, desk = Channel(name="phone", url="json://a"), Channel(name="desk", url="json://b")
    assert channel_changes(
        (phone, desk), (Channel(name="phone", url="json://c"), Channel(name="tv", url="json://d"))
    ) == (
        "desk removed",
        "tv added",
        "phone changed",
    )

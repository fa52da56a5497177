"""Every rule in every case, on the real core, with the stories of `subjects.py`.

At the limit and one unit either side, locked, across 17:00 and the clock changes, from a bare snapshot, on repeats, on
a flip, after a tightening.
"""

from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest

from riskd.domain.account import Lockout
from riskd.domain.commands import Alert, StartCooldown
from riskd.domain.events import AccountArmed, Fill, PositionReported, RulesProposed, SnapshotReported
from riskd.rules.registry import canonical, rule_names
from tests.support.desk import Desk, ct
from tests.unit.test_rules.subjects import BALANCE, SUBJECTS, Subject, desk_with, tell_balance

EVERY = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=lambda subject: subject.rule)
FLIPS = [subject for subject in SUBJECTS.values() if subject.flip is not None]
SEEN_IN_A_SNAPSHOT = [subject for subject in SUBJECTS.values() if subject.rule != "AuthLossGuard"]


def found(desk: Desk) -> list[str]:
    """Return the rules that were broken since the desk last forgot."""
    return [violation.rule_name for violation in desk.violations]


def told(subject: Subject, params: Mapping[str, object], **where: str) -> Desk:
    """Return a desk at which the story happened under these parameters."""
    desk = desk_with(subject.rule, params, **where)
    subject.story(desk)
    return desk


def test_no_rule_is_left_out() -> None:
    """Whoever adds a rule adds its story."""
    assert sorted(SUBJECTS) == sorted(rule_names())


@EVERY
def test_at_the_limit_and_one_unit_either_side(subject: Subject) -> None:
    """One unit inside is nothing; at the limit by the rule's own sign; one unit beyond is a breach, told once."""
    assert found(told(subject, subject.inside)) == []
    assert found(told(subject, subject.at)) == ([subject.rule] if subject.at_counts else [])
    assert found(told(subject, subject.beyond)) == [subject.rule]


@EVERY
def test_a_breach_leads_to_what_the_rule_is_for(subject: Subject) -> None:
    """A close, a lockout, a cooldown, an alert; where stops are missing, first a look at the broker's orders."""
    desk = told(subject, subject.beyond)
    did = {
        "close": bool(desk.closes),
        "lock": bool(desk.locks),
        "cooldown": any(isinstance(command, StartCooldown) for command in desk.commands),
        "alert": any(isinstance(c, Alert) and c.rule == subject.rule for c in desk.commands),
        "look": desk.snapshots_asked > 0,
    }
    assert did[subject.does]


@EVERY
def test_a_locked_account_is_judged_all_the_same(subject: Subject) -> None:
    """A lockout hides no other breach: facts are booked and rules are heard."""
    desk = desk_with(subject.rule, subject.beyond)
    lockout = Lockout(cause="Other", until=ct("2026-03-10 17:00"), since=desk.at, seq=1, reason="another rule")
    accounts = desk.core.state_manager.accounts
    accounts["A1"] = msgspec.structs.replace(accounts["A1"], lockouts=(lockout,))

    subject.story(desk)

    assert found(desk) == [subject.rule]
    assert desk.state.locked


@EVERY
def test_across_the_reset(subject: Subject) -> None:
    """At 17:00 the day's own limits begin anew; what is still held, unprotected, blind or over is still broken."""
    desk = told(subject, subject.beyond, start="2026-03-10 16:50")
    assert found(desk) == [subject.rule]

    desk.wait("2026-03-10 17:00:00")

    still = any(episode.rule == subject.rule for episode in desk.state.episodes.values())
    assert still is subject.after_reset


@EVERY
@pytest.mark.parametrize("start", ["2026-03-06", "2026-03-09", "2025-10-31", "2025-11-03"])
def test_on_either_side_of_a_clock_change(subject: Subject, start: str) -> None:
    """The Friday before and the Monday after, in spring and in autumn, are days like others."""
    assert found(told(subject, subject.inside, start=f"{start} 14:59:50")) == []
    assert found(told(subject, subject.beyond, start=f"{start} 14:59:50")) == [subject.rule]


@pytest.mark.parametrize("rule", ["TradeFrequencyLimit", "CooldownAfterLoss", "NoStopLossGrace", "AuthLossGuard"])
@pytest.mark.parametrize("start", ["2026-03-08 01:59:55", "2025-11-02 01:59:55"])
def test_a_duration_across_a_clock_change_is_as_long_as_any(rule: str, start: str) -> None:
    """Ten seconds are ten seconds while the wall clock jumps."""
    subject = SUBJECTS[rule]
    assert found(told(subject, subject.inside, start=start)) == []
    assert found(told(subject, subject.beyond, start=start)) == [rule]


@pytest.mark.parametrize("start", ["2026-03-06 16:30", "2025-10-31 16:30"])
@pytest.mark.parametrize("rule", ["DailyRealizedLoss", "DailyRealizedProfit"])
def test_a_lockout_across_a_clock_change_ends_by_the_wall_clock(rule: str, start: str) -> None:
    """Locked on the Sunday evening after the change until 17:00 on Monday, in Chicago."""
    desk = desk_with(rule, SUBJECTS[rule].beyond, start=start)
    desk.wait("2026-03-08 17:30" if start.startswith("2026") else "2025-11-02 17:30")
    SUBJECTS[rule].story(desk)
    assert [lock.until for lock in desk.locks] == [ct("2026-03-09 17:00" if "2026" in start else "2025-11-03 17:00")]


def seen_by_snapshot(subject: Subject, params: Mapping[str, object]) -> Desk:
    """Return a desk that has heard of the story by a snapshot alone, before anything else; prices come after it."""
    told_first = told(subject, params)
    fills = tuple(envelope.event for envelope, _ in told_first.steps if isinstance(envelope.event, Fill))
    quotes = [e.event for e, _ in told_first.steps if not isinstance(e.event, Fill) and hasattr(e.event, "bid")]
    held = told_first.core.state_manager.accounts["A1"].positions
    desk = Desk()
    desk.at = told_first.at
    desk.rules("A1", {subject.rule: params})
    state = told_first.state
    desk.publish(
        SnapshotReported(
            "A1",
            asked_seq=desk.event_bus.last_seq,
            positions=tuple(PositionReported("A1", c, p.quantity, p.lots[0].price) for c, p in held.items()),
            orders=(),
            fills=fills,
            balance=BALANCE + state.realized - state.fees,
        )
    )
    desk.publish(AccountArmed(account="A1"))
    for quote in quotes:
        desk.publish(quote)
    return desk


@pytest.mark.parametrize("subject", SEEN_IN_A_SNAPSHOT, ids=lambda subject: subject.rule)
def test_from_a_bare_snapshot(subject: Subject) -> None:
    """What the broker shows at the start is judged like what riskd saw happen; only a grace begins anew."""
    assert found(seen_by_snapshot(subject, subject.inside)) == []
    desk = seen_by_snapshot(subject, subject.beyond)
    if subject.rule == "NoStopLossGrace":
        assert found(desk) == []
        desk.wait(timedelta(seconds=9))
    assert found(desk) == [subject.rule]


@EVERY
def test_what_is_told_twice_happened_once(subject: Subject) -> None:
    """Every event of the story again, one after the other: no other violation, no other close, the same account."""
    desk = told(subject, subject.beyond)
    before = desk.state.positions, desk.state.realized, found(desk), desk.closes
    for envelope, _ in list(desk.steps):
        if isinstance(envelope.event, Fill):
            desk.publish(envelope.event)
    assert (desk.state.positions, desk.state.realized, found(desk), desk.closes) == before


@EVERY
def test_just_inside_twice_is_still_inside(subject: Subject) -> None:
    """A story told twice does not reach a limit that it did not reach once."""
    desk = told(subject, subject.inside)
    for envelope, _ in list(desk.steps):
        if isinstance(envelope.event, Fill):
            desk.publish(envelope.event)
    assert found(desk) == []


@pytest.mark.parametrize("subject", FLIPS, ids=lambda subject: subject.rule)
def test_on_a_flip(subject: Subject) -> None:
    """The closing half realizes, the new half is a position of its own, and what is to be closed is on its side."""
    assert subject.flip is not None
    desk = desk_with(subject.rule, subject.beyond)
    subject.flip(desk)
    assert set(found(desk)) == {subject.rule}
    (entry,) = desk.core.rulebooks["A1"].entries
    cuts = [
        cut
        for violation in entry.rule.violations(None, desk.core.state_manager.view("A1", desk.at))
        for cut in violation.reductions
    ]
    assert [cut.held for cut in cuts] == [desk.state.quantity(cut.contract) for cut in cuts]
    assert all(abs(cut.left) < abs(cut.held) for cut in cuts)
    assert bool(cuts) is (subject.does in {"close", "look"})


@EVERY
def test_after_a_tightening(subject: Subject) -> None:
    """What the old limit allowed is judged by the new one at once."""
    desk = told(subject, subject.inside)
    assert found(desk) == []
    tighter = canonical({"rules": [{"rule": subject.rule, "params": subject.beyond}]})

    desk.publish(RulesProposed(account="A1", spec=tighter))

    assert desk.state.pending is None
    assert found(desk) == [subject.rule]


def test_a_balance_alone_can_be_over() -> None:
    """AccountDrawdown judges what the broker says, without a single trade."""
    desk = Desk({"AccountDrawdown": SUBJECTS["AccountDrawdown"].beyond})
    tell_balance(desk, BALANCE - 500)
    assert found(desk) == ["AccountDrawdown"]

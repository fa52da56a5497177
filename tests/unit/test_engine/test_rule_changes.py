"""Configurations that change while an account lives, on the real core."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from riskd.daemon.restoring import restored
from riskd.domain.account import AccountState
from riskd.domain.account_view import AccountView
from riskd.domain.commands import Severity
from riskd.domain.events import AccountArmed, AnyEvent, DaemonStarted, Outcome, RulesProposed, SnapshotReported
from riskd.domain.violations import RuleViolation
from riskd.engine.core import Core
from riskd.engine.rule_changes import loosening_due
from riskd.ports import JournalEntry
from riskd.rules.contract import Rulebook, RuleEntry
from riskd.rules.max_contracts import MaxContractsRule
from riskd.rules.registry import canonical, compile_rulebook
from riskd.storage.journal_lines import GENESIS, LineEncoder, read_entry
from riskd.storage.state_files import SavedState, decode, encode
from tests.support.desk import Desk, contract, ct

Rules = Mapping[str, Mapping[str, object]]
MAX4: Rules = {"MaxContracts": {"max_contracts": 4}}
LOSS500: Rules = {"DailyRealizedLoss": {"limit": "-500.00"}}


def spec(rules: Rules, **more: object) -> str:
    """Return the canonical text of rules by name."""
    return canonical({"rules": [{"rule": name, "params": dict(params)} for name, params in rules.items()], **more})


def propose(desk: Desk, rules: Rules | None, **more: object) -> None:
    """Let the configuration name these rules for the account, or no longer name it."""
    desk.publish(RulesProposed(account="A1", spec="" if rules is None else spec(rules, **more)))


def restart(desk: Desk) -> None:
    """Let riskd die, and start again from what it writes; the broker answers with what it holds."""
    held = {c: p.quantity for c, p in desk.state.positions.items()}
    file = encode(SavedState(state=desk.state, seq=desk.event_bus.last_seq, saved_at=desk.at, journal_head=""))
    desk.core = Core(compile_rulebook, desk.enforcement_engine)
    desk.core.restore({"A1": decode(file).state})
    desk.publish(DaemonStarted(last_at=desk.at))
    desk.snapshot()
    assert {c: p.quantity for c, p in desk.state.positions.items()} == held


def told(desk: Desk) -> list[str]:
    """Return what people were told about rules."""
    return [alert.text for alert in desk.alerts if alert.kind == "rules"]


def lock(desk: Desk) -> None:
    """Lose more than 500 dollars."""
    desk.fill("buy", 1, "ES", "5800")
    desk.fill("sell", 1, "ES", "5785")
    assert desk.state.locked
    desk.snapshot()


# --- at once -------------------------------------------------------------------------------------------------------


def test_a_tighter_limit_applies_and_is_judged_at_once() -> None:
    """4 contracts are held when the limit becomes 3: one is closed now."""
    desk = Desk(MAX4)
    desk.fill("buy", 4, "MNQ", "21000")

    propose(desk, {"MaxContracts": {"max_contracts": 3}})

    assert desk.closes == [(contract("MNQ"), 1)]
    assert desk.state.pending is None
    assert told(desk) == ["rules changed: MaxContracts max_contracts 4 → 3"]


def test_the_first_rules_of_an_account_apply_as_they_are() -> None:
    """There is nothing yet that they could loosen."""
    desk = Desk()
    propose(desk, MAX4)

    assert desk.state.rules == spec(MAX4)
    assert told(desk) == []


@pytest.mark.parametrize("arming", [None, AccountArmed(account="A1", shadow=True)])
def test_an_account_that_is_only_watched_may_change_at_will(arming: AccountArmed | None) -> None:
    """Before it is armed, and while it is armed in shadow, nothing is enforced that could be loosened."""
    desk = Desk(MAX4, armed=False)
    if arming is not None:
        desk.publish(arming)

    propose(desk, {"MaxContracts": {"max_contracts": 40}})

    assert desk.state.rules == spec({"MaxContracts": {"max_contracts": 40}})
    assert desk.state.pending is None


def test_who_wants_it_loosens_immediately() -> None:
    """`loosening: immediate` lets every change apply at once; to say so is a change that waits."""
    desk = Desk(MAX4)
    propose(desk, MAX4, loosening="immediate")
    assert told(desk) == ["the change waits until 2026-03-11 17:00 CT: loosening next_day → immediate"]

    desk.wait("2026-03-11 17:00")
    propose(desk, {"MaxContracts": {"max_contracts": 9}}, loosening="immediate")

    assert desk.state.pending is None
    assert desk.state.rules == spec({"MaxContracts": {"max_contracts": 9}}, loosening="immediate")


# --- later ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2025-10-15 04:59:59", "2025-10-15 17:00"),
        ("2025-10-15 05:00:00", "2025-10-15 17:00"),
        ("2025-10-15 05:00:01", "2025-10-16 17:00"),
        ("2025-10-15 16:59:00", "2025-10-16 17:00"),
        ("2025-10-15 17:00:00", "2025-10-16 17:00"),
        ("2025-10-17 12:00:00", "2025-10-20 17:00"),
        ("2025-10-18 12:00:00", "2025-10-20 17:00"),
        ("2026-03-08 12:00:00", "2026-03-09 17:00"),
        ("2025-11-02 12:00:00", "2025-11-03 17:00"),
    ],
)
def test_a_loosening_waits_for_a_reset_that_is_half_a_day_away(at: str, due: str) -> None:
    """The first 17:00 Chicago time at least 12 hours away, never on a weekend."""
    assert loosening_due(ct(at)) == ct(due)


def test_a_looser_limit_waits_and_then_applies() -> None:
    """Until 17:00 of the day after 4 is the limit, from then on 6; both are told, the second person hears of it."""
    desk = Desk(MAX4)
    propose(desk, {"MaxContracts": {"max_contracts": 6}})

    assert desk.state.pending is not None
    assert desk.state.pending.rules == ("MaxContracts",)
    assert [(a.severity, a.text) for a in desk.alerts] == [
        (Severity.WARNING, "the change waits until 2026-03-11 17:00 CT: MaxContracts max_contracts 4 → 6")
    ]
    desk.wait("2026-03-11 16:59:59")
    desk.fill("buy", 5, "MNQ", "21000")
    assert desk.closes == [(contract("MNQ"), 1)]

    desk.fill("sell", 1, "MNQ", "21000")
    desk.wait("2026-03-11 17:00")
    desk.forget()
    desk.fill("buy", 2, "MNQ", "21000")

    assert desk.closes == []
    assert desk.state.rules == spec({"MaxContracts": {"max_contracts": 6}})


def test_of_a_mixed_change_the_tighter_part_applies_now() -> None:
    """The size becomes smaller at once, the loss limit larger when its time has come."""
    desk = Desk({**MAX4, **LOSS500})
    propose(desk, {"MaxContracts": {"max_contracts": 3}, "DailyRealizedLoss": {"limit": "-900.00"}})

    assert told(desk) == [
        "rules changed: MaxContracts max_contracts 4 → 3",
        "the change waits until 2026-03-11 17:00 CT: DailyRealizedLoss limit -500.00 → -900.00",
    ]
    lock(desk)


def test_no_loosening_ends_a_day_with_a_lockout() -> None:
    """Locked on Tuesday and on Wednesday, it waits until Thursday 17:00."""
    desk = Desk({**MAX4, **LOSS500}, start="2026-03-10 04:00")
    propose(desk, {**MAX4, "DailyRealizedLoss": {"limit": "-900.00"}})
    lock(desk)
    desk.wait("2026-03-10 17:00")
    assert not desk.state.locked
    assert told(desk)[-1] == (
        "the account was locked: the change waits until 2026-03-11 17:00 CT: DailyRealizedLoss limit -500.00 → -900.00"
    )

    lock(desk)
    desk.wait("2026-03-12 16:59:59")
    assert desk.state.pending is not None
    desk.wait("2026-03-12 17:00")

    assert desk.state.rules == spec({**MAX4, "DailyRealizedLoss": {"limit": "-900.00"}})


def test_a_lockout_in_force_is_never_shortened() -> None:
    """Whatever the configuration says meanwhile, the lockout ends when it was to end."""
    desk = Desk(LOSS500)
    lock(desk)
    lockouts = desk.state.lockouts

    for rules in (
        {"DailyRealizedLoss": {"limit": "-100.00"}},
        {"DailyRealizedLoss": {"limit": "-9000.00"}},
        MAX4,
        None,
    ):
        propose(desk, rules)

    assert desk.state.lockouts == lockouts


def test_a_lockout_that_only_an_admin_ends_keeps_the_change_waiting() -> None:
    """Every day of it is a day with a lockout."""
    drawdown = {"kind": "static", "start_balance": "50000.00", "drawdown": "2000.00"}
    desk = Desk({"AccountDrawdown": drawdown}, start="2026-03-10 04:00")
    propose(desk, {"AccountDrawdown": {**drawdown, "drawdown": "3000.00"}})
    desk.publish(
        SnapshotReported(
            account="A1",
            asked_seq=desk.event_bus.last_seq,
            positions=(),
            orders=(),
            fills=(),
            balance=Decimal(47000),
        )
    )
    assert desk.state.locked
    desk.snapshot()

    desk.wait("2026-03-16 17:00")

    assert desk.state.pending is not None
    assert desk.state.pending.effective_at == ct("2026-03-17 17:00")


def test_an_account_that_is_no_longer_named_stays_enforced_until_then() -> None:
    """Its rules hold until the 17:00, then it is let go."""
    desk = Desk(MAX4)
    propose(desk, None)
    assert told(desk) == ["the change waits until 2026-03-11 17:00 CT: the configuration no longer names the account"]
    desk.fill("buy", 5, "MNQ", "21000")
    assert desk.closes == [(contract("MNQ"), 1)]
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "MNQ", "21000")

    desk.wait("2026-03-11 17:00")
    desk.forget()
    desk.fill("buy", 5, "MNQ", "21000")

    assert (desk.closes, desk.state.rules, desk.state.armed) == ([], "", False)


# --- one change after another --------------------------------------------------------------------------------------


def test_a_change_that_is_taken_back_no_longer_waits() -> None:
    """The file says again what applies."""
    desk = Desk(MAX4)
    propose(desk, {"MaxContracts": {"max_contracts": 6}})
    propose(desk, MAX4)

    assert desk.state.pending is None
    assert told(desk)[-1] == "no longer waiting: MaxContracts max_contracts 4 → 6"


def test_what_is_no_looser_than_what_waits_need_not_wait_anew() -> None:
    """6 was announced in the morning: 5 instead may apply at the same time, 7 may not."""
    desk = Desk(MAX4, start="2026-03-10 04:00")
    propose(desk, {"MaxContracts": {"max_contracts": 6}})
    desk.wait("2026-03-10 12:00")

    propose(desk, {"MaxContracts": {"max_contracts": 5}})
    assert desk.state.pending is not None
    assert desk.state.pending.effective_at == ct("2026-03-10 17:00")

    propose(desk, {"MaxContracts": {"max_contracts": 7}})
    assert desk.state.pending is not None
    assert desk.state.pending.effective_at == ct("2026-03-11 17:00")


def test_the_same_proposal_again_says_nothing() -> None:
    """As at every start with a change that waits."""
    desk = Desk(MAX4)
    propose(desk, {"MaxContracts": {"max_contracts": 6}})
    pending = desk.state.pending
    desk.forget()
    desk.wait(timedelta(hours=2))
    propose(desk, {"MaxContracts": {"max_contracts": 6}})

    assert desk.state.pending == pending
    assert told(desk) == []


def test_both_apply_where_neither_is_stricter() -> None:
    """4 contracts become 1 mini: 3 ES break the new one now, and 5 MNQ still break the old one."""
    desk = Desk(MAX4)
    propose(desk, {"MaxContracts": {"max_contracts": 1, "unit": "minis"}})
    desk.fill("buy", 5, "MNQ", "21000")
    assert desk.closes == [(contract("MNQ"), 1)]
    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "MNQ", "21000")
    desk.forget()
    desk.fill("buy", 1, "ES", "5800")
    assert desk.closes == [(contract("ES"), None)]

    desk.outcome(Outcome.ACCEPTED)
    desk.fill("sell", 1, "ES", "5800")
    desk.wait("2026-03-11 17:00")

    assert desk.state.rules == spec({"MaxContracts": {"max_contracts": 1, "unit": "minis"}})
    assert desk.state.episodes == {}


# --- across a stop -------------------------------------------------------------------------------------------------


def test_stop_edit_start_is_the_same_change() -> None:
    """What applied before the stop applies after it, and what waits waits as long."""
    desk = Desk(MAX4)
    restart(desk)
    propose(desk, {"MaxContracts": {"max_contracts": 6}})
    restart(desk)
    desk.fill("buy", 5, "MNQ", "21000")

    assert desk.closes == [(contract("MNQ"), 1)]
    assert desk.state.pending is not None
    assert desk.state.pending.effective_at == ct("2026-03-11 17:00")


def test_a_change_whose_time_came_while_riskd_was_down_applies_at_the_start() -> None:
    """Unless the day that ended then had a lockout: then it waits for the end of one that had none."""
    free, locked = Desk(MAX4, start="2026-03-10 04:00"), Desk({**MAX4, **LOSS500}, start="2026-03-10 04:00")
    wanted = {"MaxContracts": {"max_contracts": 6}}
    propose(free, wanted)
    propose(locked, {**wanted, **LOSS500})
    lock(locked)

    for desk in (free, locked):
        desk.at = ct("2026-03-10 23:00")
        restart(desk)
    assert free.state.rules == spec(wanted)
    assert locked.state.pending is not None

    locked.at = ct("2026-03-12 09:00")
    restart(locked)
    assert locked.state.rules == spec({**wanted, **LOSS500})


def test_a_change_waits_through_days_on_which_riskd_did_not_run() -> None:
    """A lockout until Tuesday 17:00 is not one of Wednesday, even if nobody was there to end it on Tuesday."""
    desk = Desk({**MAX4, **LOSS500})
    lock(desk)
    propose(desk, {"MaxContracts": {"max_contracts": 6}, **LOSS500})
    desk.at = ct("2026-03-12 09:00")
    restart(desk)

    assert desk.state.rules == spec({"MaxContracts": {"max_contracts": 6}, **LOSS500})


def test_the_journal_alone_brings_back_what_waits() -> None:
    """After a kill before any state file was written, and after the change has applied."""
    desk = Desk()
    desk.publish(RulesProposed(account="A1", spec=spec(MAX4)))
    desk.snapshot()
    desk.publish(AccountArmed(account="A1"))
    propose(desk, {"MaxContracts": {"max_contracts": 3}})
    propose(desk, {"MaxContracts": {"max_contracts": 6}})
    assert rebuilt(desk) == desk.state

    desk.wait("2026-03-12 09:00")
    assert desk.state.rules == spec({"MaxContracts": {"max_contracts": 6}})
    assert rebuilt(desk) == desk.state


def rebuilt(desk: Desk) -> AccountState:
    """Return the account as the journal of everything so far leads to it."""
    encoder = LineEncoder()
    entries = [JournalEntry(envelope=e, market=step.market, commands=step.commands) for e, step in desk.steps]
    lines = [read_entry(bytes(encoder.encode(entry, GENESIS))) for entry in entries]
    return restored({}, lines, compile_rulebook)["A1"]


class Moody(MaxContractsRule):
    """A rule that fails while its mood is bad."""

    bad = True

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Fail, or answer as usual."""
        if Moody.bad:
            raise ValueError("not today")
        return super().violations(event, state)


def moody_rulebook(account: str, text: str) -> Rulebook:
    """Compile rules, all of them moody."""
    book = compile_rulebook(account, text)
    return msgspec.structs.replace(book, entries=(RuleEntry("MaxContracts", Moody({"max_contracts": 4})),))


def test_a_rule_that_answers_again_is_believed_after_a_reload() -> None:
    """While it fails the account takes no new risk; a reload while it still fails changes nothing about that."""
    desk = Desk()
    desk.core = Core(moody_rulebook, desk.enforcement_engine)
    Moody.bad = True
    propose(desk, MAX4)
    desk.snapshot()
    desk.publish(AccountArmed(account="A1"))
    assert [cause.cause for cause in desk.state.no_new_risk] == ["fault MaxContracts"]

    propose(desk, MAX4)
    assert desk.state.no_new_risk

    Moody.bad = False
    desk.wait(timedelta(minutes=1))
    assert desk.state.no_new_risk
    propose(desk, MAX4)

    assert desk.state.no_new_risk == ()

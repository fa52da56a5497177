from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from riskd.domain.account import AccountState, FlattenTarget, Lockout, NoNewRisk
from riskd.domain.drawdowns import Restart, restarted, with_close, with_equity
from riskd.engine.lockouts import CONTRADICTION
from riskd.engine.releasing import released
from tests.support.rule_builders import NOON, account, position, view

YESTERDAY = NOON - timedelta(days=1)
DRAWDOWN = Lockout(cause="AccountDrawdown", until=None, since=YESTERDAY, seq=1, reason="equity is at the floor")
DAILY = Lockout(cause="DailyRealizedLoss", until=NOON + timedelta(hours=5), since=NOON, seq=2, reason="daily loss")
BALANCE = Decimal(48000)


def locked(**more: object) -> AccountState:
    """Return an account that has been at its drawdown since yesterday, with more about it."""
    wanted: dict[str, object] = {"lockouts": (DRAWDOWN,), "base": BALANCE, "reconciled": True, **more}
    return msgspec.structs.replace(account(), **wanted)


def test_the_lockout_ends_now_and_the_drawdown_counts_from_the_balance() -> None:
    """The words say what was released, by whom, and from where it counts."""
    release = released(view(locked()), "ada")
    assert release.done
    assert release.text == "AccountDrawdown released by ada: counted anew from 48000.00 USD"
    assert [lockout.until for lockout in release.state.lockouts] == [NOON]
    assert release.state.restarts == {"AccountDrawdown": Restart(BALANCE, BALANCE, BALANCE)}


def test_without_a_balance_nothing_is_counted_anew() -> None:
    """A rule of somebody else's may wait for an admin on an account that tells no balance."""
    release = released(view(locked(base=None)), "ada")
    assert (release.done, release.text, release.state.restarts) == (True, "AccountDrawdown released by ada", {})


def test_what_riskd_stopped_for_a_bug_of_its_own_can_be_released() -> None:
    """Somebody has looked: riskd trusts its books again, and nothing is counted anew."""
    stop = NoNewRisk(cause=CONTRADICTION, until=None, since=NOON, reason="KeyError: a bug")
    cooldown = NoNewRisk(cause="CooldownAfterLoss", until=NOON + timedelta(hours=1), since=NOON, reason="loss")
    release = released(view(locked(lockouts=(), no_new_risk=(stop, cooldown))), "ada")
    assert release.text == "the stop for a contradiction of riskd's own released by ada"
    assert release.done
    assert release.state.no_new_risk == (cooldown,)
    assert not release.state.restarts


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"lockouts": ()}, "the account is not locked"),
        ({"lockouts": (DRAWDOWN, DAILY)}, "locked until 2025-10-15 17:00 CT by DailyRealizedLoss: daily loss"),
        ({"lockouts": (msgspec.structs.replace(DRAWDOWN, since=NOON),)}, "from 2025-10-15 17:00 CT on"),
        ({"reconciled": False}, "the broker has not been heard since riskd started"),
        ({"positions": {position("MNQ", -2).contract: position("MNQ", -2)}}, "it holds -2 MNQZ5"),
        ({"flatten": FlattenTarget(rule="x", reason="y", seq=1, since=NOON)}, "has not confirmed yet"),
        ({"base_drift": Decimal(50000)}, "two different balances"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(more: dict[str, object], why: str) -> None:
    """Whatever is missing, the account stays as it is."""
    state = locked(**more)
    release = released(view(state), "ada")
    assert not release.done
    assert release.text.startswith("release asked for by ada and refused: ")
    assert why in release.text
    assert release.state is state


def test_a_lockout_of_friday_evening_can_be_released_on_monday_evening() -> None:
    """From Friday 17:00 all is Monday: its 17:00 is the next one."""
    friday = NOON.replace(day=17) + timedelta(hours=6)
    state = msgspec.structs.replace(
        locked(lockouts=(msgspec.structs.replace(DRAWDOWN, since=friday),)), trading_day=friday.date().replace(day=20)
    )
    assert "from 2025-10-20 17:00 CT on" in released(view(state), "ada").text


def test_marks_only_rise() -> None:
    """A higher close is a higher mark, and an equity only while nothing is held; a lower one changes nothing."""
    start = restarted({}, "near", BALANCE)
    assert with_equity(start, BALANCE) is start
    assert with_close(start, None, flat=True) is start
    assert with_close({}, BALANCE, flat=True) == {}
    higher = with_close(start, BALANCE + 500, flat=True)["near"]
    assert (higher.balance, higher.highest_close, higher.highest_equity) == (BALANCE, BALANCE + 500, BALANCE + 500)
    held = with_close(start, BALANCE + 500, flat=False)["near"]
    assert (held.highest_close, held.highest_equity) == (BALANCE + 500, BALANCE)
    assert with_close({"near": higher}, BALANCE, flat=True) == {"near": higher}

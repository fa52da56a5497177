from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.adapters.projectx.budget import LIMIT, SHARE_OF_POLLS, WINDOW_S, Budget, Purpose


def spend(budget: Budget, purpose: Purpose, now: float) -> int:
    """Take as much as a purpose may have, and return how much that was."""
    taken = 0
    while budget.take(purpose, now):
        taken += 1
    return taken


def test_reads_leave_the_reserve_to_enforcement() -> None:
    """However much is read, sixty requests of the minute are left to enforce with."""
    budget = Budget()
    assert spend(budget, Purpose.READ, 0.0) == 140
    assert spend(budget, Purpose.ENFORCEMENT, 1.0) == 60


def test_polls_take_a_quarter_at_most() -> None:
    """Polls stop at fifty a minute, and count as reads."""
    budget = Budget()
    assert spend(budget, Purpose.POLL, 0.0) == SHARE_OF_POLLS == 50
    assert spend(budget, Purpose.READ, 0.0) == 90


def test_bars_have_a_limit_of_their_own() -> None:
    """Asking for bars takes nothing from anybody, goes on when all is spent, and pauses when the gateway says so."""
    budget = Budget()
    assert all(budget.take(Purpose.BARS, 0.0) for _ in range(1000))
    assert spend(budget, Purpose.ENFORCEMENT, 0.0) == LIMIT
    assert budget.take(Purpose.BARS, 1.0)
    budget.pause(5.0)
    assert not budget.take(Purpose.BARS, 4.0)
    assert budget.wait(Purpose.BARS, 4.0) == 1.0


def test_enforcement_may_use_everything_that_is_left() -> None:
    """Enforcement is not held to its reserve, and reads wait when it has used up the limit."""
    budget = Budget()
    assert spend(budget, Purpose.ENFORCEMENT, 0.0) == LIMIT
    assert not budget.take(Purpose.READ, 0.0)


def test_a_place_is_free_again_after_the_window() -> None:
    """The wait says exactly when the oldest request leaves the window."""
    budget = Budget()
    assert budget.take(Purpose.POLL, 10.0)
    spend(budget, Purpose.POLL, 20.0)
    assert budget.wait(Purpose.POLL, 30.0) == 10.0 + WINDOW_S - 30.0
    assert budget.take(Purpose.POLL, 10.0 + WINDOW_S)
    assert not budget.take(Purpose.POLL, 10.0 + WINDOW_S)


def test_a_pause_stops_everything_but_enforcement() -> None:
    """After a 429 reads wait as long as the gateway asked, and a close does not."""
    budget = Budget()
    budget.pause(30.0)
    assert budget.wait(Purpose.READ, 10.0) == 20.0
    assert not budget.take(Purpose.POLL, 10.0)
    assert budget.take(Purpose.ENFORCEMENT, 10.0)
    assert budget.take(Purpose.READ, 30.0)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 2, allow_nan=False), st.sampled_from(Purpose)), min_size=1, max_size=400))
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[float, Purpose]]) -> None:
    """In every stretch of a window's length all shares are kept, in whatever order the requests come."""
    budget, now = Budget(), 0.0
    sent: list[tuple[float, Purpose]] = []
    for step, purpose in steps:
        now += step
        if budget.take(purpose, now):
            sent.append((now, purpose))
        recent = [kind for at, kind in sent if at > now - WINDOW_S]
        assert len(recent) <= LIMIT
        assert len([kind for kind in recent if kind is not Purpose.ENFORCEMENT]) <= 140
        assert recent.count(Purpose.POLL) <= SHARE_OF_POLLS

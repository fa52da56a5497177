"""riskd's time against a broker's clock, with the machine's clocks in the test's hand."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.daemon.clock import BrokerClock

NOON = datetime(2026, 3, 10, 17, tzinfo=UTC)


class Machine:
    """A machine whose clocks stand still until the test moves them, and a broker whose time is the true one."""

    def __init__(self, *, wall_ahead_s: float = 0, history: datetime | None = None) -> None:
        self.ns = 5_000_000_000
        self.true = NOON
        self.wall = NOON + timedelta(seconds=wall_ahead_s)
        self.clock = BrokerClock(not_before=history, monotonic_ns=lambda: self.ns, wall=lambda: self.wall)

    def pass_s(self, seconds: float) -> None:
        """Let time pass on every clock."""
        self.ns += round(seconds * 1e9)
        self.true += timedelta(seconds=seconds)
        self.wall += timedelta(seconds=seconds)

    def hear(self, *, latency_s: float = 0.0, off_s: float = 0.0) -> None:
        """Let an answer arrive whose Date was made so much earlier, cut to the second."""
        stamped = self.true - timedelta(seconds=latency_s) + timedelta(seconds=off_s)
        self.clock.observe(stamped.replace(microsecond=0))

    @property
    def ahead_s(self) -> float:
        """Return how far riskd's time is ahead of the true one."""
        return (self.clock.now() - self.true).total_seconds()


def test_time_advances_with_the_monotonic_clock() -> None:
    """A second is a second, whatever the wall clock says meanwhile."""
    machine = Machine()
    before = machine.clock.now()
    machine.pass_s(1.5)
    machine.wall += timedelta(hours=3)
    assert machine.clock.now() - before == timedelta(seconds=1.5)


def test_the_wall_clock_is_only_the_first_guess() -> None:
    """Before the broker was heard the wall clock serves, and the clock says that it does not know."""
    machine = Machine(wall_ahead_s=0.4)
    assert machine.clock.now() == NOON + timedelta(seconds=0.4)
    assert not machine.clock.known
    machine.hear()
    assert machine.clock.known


def test_a_wall_clock_within_the_brokers_second_is_kept() -> None:
    """The broker says whole seconds, so a good wall clock is the better of the two."""
    machine = Machine()
    machine.pass_s(0.7)
    machine.hear()
    assert machine.ahead_s == 0


@pytest.mark.parametrize("wrong_s", [-10_800, -30, 30, 10_800])
def test_a_wrong_wall_clock_is_put_right_by_the_first_answer(wrong_s: float) -> None:
    """Nobody has been told the guess yet, so it can be corrected in either direction; a log line tells nobody."""
    machine = Machine(wall_ahead_s=wrong_s)
    machine.clock.peek()
    machine.pass_s(0.5)
    machine.hear()
    assert -1 <= machine.ahead_s <= 0


def test_a_guess_that_was_told_is_never_taken_back() -> None:
    """Too late to turn back: time runs at half speed until the broker has caught up, and then with it."""
    machine = Machine(wall_ahead_s=20)
    told = machine.clock.now()
    machine.hear()
    assert machine.clock.now() >= told
    machine.pass_s(10)
    assert machine.ahead_s == pytest.approx(15)
    machine.pass_s(30)
    assert machine.ahead_s == pytest.approx(0, abs=0.01)
    machine.pass_s(30)
    assert machine.ahead_s == pytest.approx(0, abs=0.01)


def test_with_a_history_the_wall_clock_is_not_asked() -> None:
    """Setting the wall clock forward and starting riskd anew ends no lockout: time goes on from the journal."""
    machine = Machine(wall_ahead_s=6 * 3600, history=NOON - timedelta(minutes=5))
    assert machine.clock.now() == NOON - timedelta(minutes=5)
    machine.pass_s(2)
    machine.hear()
    assert -1 <= machine.ahead_s <= 0


def test_a_history_is_never_undercut() -> None:
    """A restart does not run time backwards behind what is already in the journal."""
    machine = Machine(history=NOON + timedelta(seconds=8))
    machine.hear()
    assert machine.clock.now() == NOON + timedelta(seconds=8)


def test_a_small_difference_is_worked_off_smoothly() -> None:
    """Half a second behind, time runs five per cent faster until it is made up; no step is seen."""
    machine = Machine()
    machine.hear()
    machine.true += timedelta(seconds=0.5)
    machine.pass_s(0.5)
    machine.hear()
    assert machine.ahead_s == pytest.approx(-0.5)
    machine.pass_s(5)
    assert machine.ahead_s == pytest.approx(-0.25)
    machine.pass_s(10)
    assert machine.ahead_s == pytest.approx(0)


def test_the_brokers_whole_seconds_do_not_shake_the_clock() -> None:
    """With answers at all fractions of a second and the usual delays, time stays within a fraction of a second."""
    machine = Machine()
    machine.hear()
    for n in range(300):
        machine.pass_s(1.37)
        machine.hear(latency_s=0.02 + (n * 7 % 10) / 100)
        assert abs(machine.ahead_s) < 0.3


def test_a_machine_that_slept_catches_up_in_one_step() -> None:
    """The monotonic clock stood still for three hours; several answers agree, and only then time steps forward."""
    machine = Machine()
    machine.hear()
    machine.true += timedelta(hours=3)
    for _ in range(2):
        machine.pass_s(1.1)
        machine.hear()
        assert machine.ahead_s == pytest.approx(-10_800)
    machine.pass_s(1.1)
    machine.hear()
    assert -1 <= machine.ahead_s <= 0


def test_one_wrong_answer_is_not_believed() -> None:
    """A single Date from the future ends no lockout, and one from the past slows nothing down."""
    machine = Machine()
    for off_s in (10_800, -10_800):
        for n in range(20):
            machine.pass_s(2.3)
            machine.hear(off_s=off_s if n % 5 == 4 else 0)
            assert abs(machine.ahead_s) < 0.5


def test_a_burst_is_one_opinion() -> None:
    """Three wrong answers within a moment may come from one wrong machine."""
    machine = Machine()
    machine.hear()
    for _ in range(5):
        machine.pass_s(0.01)
        machine.hear(off_s=600)
    assert abs(machine.ahead_s) < 0.5


def test_a_clock_far_ahead_is_slowed_when_answers_agree() -> None:
    """A lockout must not end early by a clock that is ahead; it runs at half speed, never backwards."""
    machine = Machine()
    machine.hear()
    machine.true -= timedelta(seconds=10)
    for _ in range(4):
        machine.pass_s(1.5)
        machine.hear()
    ahead = machine.ahead_s
    machine.pass_s(2)
    assert machine.ahead_s == pytest.approx(ahead - 1)


def test_a_slow_answer_is_no_reason_to_slow_down() -> None:
    """An answer that was long on its way says little; the best of the recent ones counts."""
    machine = Machine()
    for n in range(30):
        machine.pass_s(1.7)
        machine.hear(latency_s=30 if n % 2 else 0.05)
        assert abs(machine.ahead_s) < 0.5


@pytest.mark.parametrize(("speed", "passed_s"), [(0, 0), (1, 2), (60, 120), (0.5, 1)])
def test_a_simulated_clock_is_followed_at_its_speed(speed: float, passed_s: float) -> None:
    """Simulated time starts where it is told and runs as fast as it is told, standing still at zero."""
    machine = Machine()
    sunday = datetime(2031, 1, 5, 23, tzinfo=UTC)
    machine.clock.simulate(sunday, speed)
    machine.pass_s(2)
    assert machine.clock.now() == sunday + timedelta(seconds=passed_s)


def test_a_simulated_clock_may_be_anywhere_at_first() -> None:
    """A demo's day may lie in the past, as long as nobody was told another time before."""
    machine = Machine()
    day = datetime(2026, 1, 5, 15, tzinfo=UTC)
    machine.clock.simulate(day, 1)
    assert machine.clock.now() == day


def test_a_simulated_clock_jumps_forward_only() -> None:
    """A jump forward is followed at once; set back, time waits until it would have been passed again."""
    machine = Machine()
    machine.clock.simulate(NOON, 10)
    assert machine.clock.now() == NOON
    machine.clock.simulate(NOON + timedelta(hours=8), 10)
    assert machine.clock.now() == NOON + timedelta(hours=8)
    machine.clock.simulate(NOON + timedelta(hours=8) - timedelta(seconds=20), 10)
    for passed_s, expected_s in ((1, 0), (1, 0), (1, 10)):
        machine.pass_s(passed_s)
        assert machine.clock.now() == NOON + timedelta(hours=8, seconds=expected_s)
    machine.clock.simulate(NOON, 0)
    machine.pass_s(100)
    assert machine.clock.now() == NOON + timedelta(hours=8, seconds=10)


def test_the_wire_does_not_disturb_simulated_time() -> None:
    """A gateway that simulates time stamps its answers with the machine's; they are not heard."""
    machine = Machine()
    machine.clock.simulate(NOON + timedelta(days=400), 0)
    machine.hear()
    assert machine.clock.now() == NOON + timedelta(days=400)


def test_delays_are_in_real_seconds() -> None:
    """The event loop sleeps by the machine's clock, so a delay allows for the speed of time."""
    machine = Machine()
    at = NOON + timedelta(seconds=90)
    assert machine.clock.delay_until(at) == 90
    machine.clock.simulate(NOON, 60)
    assert machine.clock.delay_until(at) == 1.5
    assert machine.clock.delay_until(NOON) == 0
    machine.clock.simulate(NOON, 0)
    assert machine.clock.delay_until(at) == math.inf
    assert machine.clock.delay_until(NOON - timedelta(days=1)) == 0


@given(st.datetimes(datetime(1970, 1, 2), datetime(2240, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the strategy adds the zone
def test_time_is_exact_to_the_microsecond(at: datetime) -> None:
    """What the clock was told is what it says."""
    assert BrokerClock(not_before=at, monotonic_ns=lambda: 5_000_000_000).now() == at


@pytest.mark.parametrize("after_s", [1, 9, 10, 11, 500])
def test_a_delay_allows_for_the_bend(after_s: int) -> None:
    """While a difference is worked off, and beyond, what is slept is exactly what is missing."""
    machine = Machine(wall_ahead_s=20)
    at = machine.clock.now() + timedelta(seconds=after_s)
    machine.hear()
    machine.pass_s(machine.clock.delay_until(at))
    assert abs(machine.clock.now() - at) <= timedelta(microseconds=2)


Step = tuple[str, float]
STEPS = st.lists(
    st.tuples(st.sampled_from(["pass", "hear", "lie", "simulate", "stand"]), st.floats(-20_000, 20_000)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, told_first=st.booleans())
def test_time_never_runs_backwards(*, steps: list[Step], told_first: bool) -> None:
    """Whatever the broker says, however the wall clock jumps, no reading is earlier than the one before."""
    machine = Machine(wall_ahead_s=500)
    last = machine.clock.now() if told_first else datetime.min.replace(tzinfo=UTC)
    for what, amount in steps:
        machine.wall += timedelta(seconds=amount)
        match what:
            case "pass":
                machine.pass_s(abs(amount) / 1000)
            case "hear":
                machine.hear(latency_s=abs(amount) / 10_000)
            case "lie":
                machine.hear(off_s=amount)
            case "simulate":
                machine.clock.simulate(NOON + timedelta(seconds=amount), abs(amount) / 100)
            case _:
                machine.clock.simulate(NOON + timedelta(seconds=amount), 0)
        assert machine.clock.now() >= last
        last = machine.clock.now()

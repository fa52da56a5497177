"""The daemon's log lines, as riskd writes them, become what the demo shows."""

from datetime import UTC, datetime
from decimal import Decimal

from riskd.app.demo.daemon_log import AnyLine, CloseSent, Enforced, Heard, Locked, Status, Target, understood

ENFORCED = (
    '{"at":"2026-11-22T23:35:34.779017Z","level":"warning","event":"enforced","account":"101","seq":69,'
    '"rule":"MaxContracts","action":"close_position","targets":[{"symbol":"ES","closed":1,"left":2}],'
    '"breach_to_sent_ms":"1.981","breach_to_done_ms":"11.651","breached_at":"2026-03-17T14:32:00Z",'
    '"text":"MaxContracts violated: 5 > 4, closed 1 ES","overshoot":null}'
)
CLOSE = (
    '{"at":"2026-11-22T23:35:35.867798Z","level":"warning","event":"close","account":"101","seq":214,'
    '"rule":"DailyRealizedLoss","symbol":"ESM6","quantity":null,"held":2,"left":0,"command":"101-214-1"}'
)
LOCKED = (
    '{"at":"2026-11-22T23:35:35.867732Z","level":"warning","event":"locked","account":"101","seq":214,'
    '"rule":"AccountDrawdown","until":null,"reason":"the floor is reached"}'
)
STATUS = (
    '{"at":"2026-11-22T23:35:35.929904Z","level":"info","event":"status","account":"101",'
    '"at_account":"2026-03-17T14:32:35Z","state":"locked","positions":{"MNQM6":-1,"ESM6":2},"realized":"-1009.34",'
    '"unrealized":"0.00","net":"-1009.34","headroom":"-9.34","headrooms":{"DailyRealizedLoss":"-9.34"},'
    '"locked":[{"cause":"DailyRealizedLoss","until":"2026-03-17T22:00:00Z","reason":"lost"}],"working":0,'
    '"flattening":true}'
)


def line(raw: str) -> AnyLine:
    """Return a line that has to be understood."""
    found = understood(raw)
    assert found is not None
    return found


def test_an_enforcement_is_read_whole() -> None:
    """Rule, action, targets and both durations are those of the log."""
    assert line(ENFORCED) == Enforced(
        account="101",
        rule="MaxContracts",
        action="close_position",
        targets=(Target(symbol="ES", closed=1, left=2),),
        breach_to_sent_ms=Decimal("1.981"),
        breach_to_done_ms=Decimal("11.651"),
        breached_at=datetime(2026, 3, 17, 14, 32, tzinfo=UTC),
        text="MaxContracts violated: 5 > 4, closed 1 ES",
    )


def test_what_has_no_value_is_none() -> None:
    """A close of all has no quantity, a lockout that an admin ends no time."""
    close, lock = line(CLOSE), line(LOCKED)
    assert isinstance(close, CloseSent)
    assert isinstance(lock, Locked)
    assert (close.quantity, lock.until) == (None, None)


def test_a_status_tells_products_contracts_and_the_lock() -> None:
    """Symbols become products, contracts count long and short alike, the lock ends with its last cause."""
    status = line(STATUS)
    assert isinstance(status, Status)
    assert status.held == {"MNQ": -1, "ES": 2}
    assert status.contracts == 3
    assert status.locked_until == datetime(2026, 3, 17, 22, tzinfo=UTC)
    assert status.headrooms == {"DailyRealizedLoss": Decimal("-9.34")}


def test_other_lines_are_passed_over() -> None:
    """Events that the demo does not show, tracebacks and torn lines are no lines to it."""
    others = ('{"event":"link_up","link":"rest"}', "Traceback (most recent call last):", ENFORCED[:80], "")
    assert [understood(raw) for raw in others] == [None] * 4


def test_flat_is_confirmed_by_figures_that_came_later() -> None:
    """A status from before the enforcement proves nothing, nor does one that is still flattening."""
    heard = Heard()
    quiet = STATUS.replace('"flattening":true', '"flattening":false')
    confirmed = []
    for raw in (quiet, ENFORCED, STATUS, quiet):
        heard.take(line(raw))
        confirmed.append(heard.confirmed)
    assert confirmed == [True, False, False, True]


def test_a_new_run_has_to_speak_for_itself() -> None:
    """What a process said of the present is forgotten when the next one starts; what happened is kept."""
    heard = Heard()
    heard.take(line(ENFORCED))
    heard.take(line(STATUS))
    heard.begin_run()
    assert (heard.status, heard.confirmed, len(heard.enforced)) == (None, False, 1)

"""The small parts of the server: clock, tokens, limits, records, times and numbers."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from riskd.simulator.exchange.codes import SessionCode
from riskd.simulator.gateway import signalr, wire
from riskd.simulator.gateway.clock import GatewayClock
from riskd.simulator.gateway.limits import RateLimit, Window
from riskd.simulator.gateway.request_log import Bell, RequestLog
from riskd.simulator.gateway.signalr import ProtocolFailed, RecordReader
from riskd.simulator.gateway.tokens import TokenOffice

_NOW = datetime(2026, 11, 18, 15, 0, 0, 123450, tzinfo=UTC)


def test_a_clock_by_hand_stands_still_and_jumps_forward_only() -> None:
    """At speed 0 only a jump moves the time, and never back."""
    clock = GatewayClock(start=_NOW, speed=Decimal(0))

    clock.jump(_NOW + timedelta(hours=1))

    assert clock.now() == _NOW + timedelta(hours=1)
    assert clock.real_seconds_until(_NOW + timedelta(hours=2)) is None
    with pytest.raises(ValueError, match="cannot go back"):
        clock.jump(_NOW)


def test_a_fast_clock_waits_less() -> None:
    """At sixty times real time a minute takes a second."""
    clock = GatewayClock(start=_NOW, speed=Decimal(60))

    waits = clock.real_seconds_until(_NOW + timedelta(minutes=1))

    assert waits is not None
    assert 0.5 < waits <= 1
    with pytest.raises(ValueError, match="negative"):
        clock.set_speed(Decimal(-1))


def test_real_time_is_real() -> None:
    """Without a start the gateway's time is the machine's."""
    clock = GatewayClock()

    assert abs(clock.now().timestamp() - time.time()) < 1
    assert not clock.simulated


def test_a_token_lives_its_life() -> None:
    """It is three parts with an expiry inside, good until then, and gone when revoked."""
    office = TokenOffice(lifetime=timedelta(hours=24), key=b"k")
    token = office.issue("trader", _NOW)
    later = _NOW + timedelta(hours=24)

    assert len(token.split(".")) == 3
    assert office.check(token, _NOW) is SessionCode.SUCCESS
    assert office.check(token, later) is SessionCode.EXPIRED_TOKEN
    office.revoke(token)
    assert office.check(token, _NOW) is SessionCode.SESSION_NOT_FOUND


@pytest.mark.parametrize("token", [None, "", "a.b", "a.b.c", "é.é.é"])
def test_what_is_no_token_opens_nothing(token: str | None) -> None:
    """Absent, short, unsigned and unreadable tokens are no session."""
    office = TokenOffice(lifetime=timedelta(hours=24), key=b"k")

    assert office.check(token, _NOW) is SessionCode.INVALID_SESSION


def test_revoking_all_ends_earlier_sessions_only() -> None:
    """A login after that is good again."""
    office = TokenOffice(lifetime=timedelta(hours=24), key=b"k")
    old = office.issue("trader", _NOW)

    office.revoke_all()

    assert office.check(old, _NOW) is SessionCode.SESSION_NOT_FOUND
    assert office.check(office.issue("trader", _NOW), _NOW) is SessionCode.SUCCESS


def test_a_rate_limit_slides_by_either_clock() -> None:
    """A request leaves the window when it is old in real time or in the gateway's."""
    limit = RateLimit(Window(2, 60))

    assert limit.admit(real=0, simulated=0) is None
    assert limit.admit(real=10, simulated=0) is None
    assert limit.admit(real=20, simulated=0) == 40
    assert limit.admit(real=60, simulated=0) is None
    assert limit.admit(real=61, simulated=100) is None


def test_records_may_arrive_in_pieces_and_together() -> None:
    """A frame may end within a record and hold several."""
    reader = RecordReader()

    first = reader.feed(b'{"type":6}\x1e{"ty')
    second = reader.feed(b'pe":6}\x1e{"type":1}\x1e')

    assert [first, second] == [[b'{"type":6}'], [b'{"type":6}', b'{"type":1}']]


def test_a_record_has_a_limit() -> None:
    """Ten megabytes are refused, whole or in pieces."""
    with pytest.raises(ProtocolFailed, match="maximum message size"):
        RecordReader().feed(b"x" * 40_000)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"", "not valid"),
        (b"\xff", "not valid"),
        (b"[1]", "not valid"),
        (b'{"protocol":"messagepack","version":1}', "messagepack"),
        (b'{"protocol":"json","version":7}', "version 7"),
    ],
)
def test_a_bad_handshake_is_told_why(record: bytes, why: str) -> None:
    """The client learns what the server does not speak."""
    with pytest.raises(ProtocolFailed, match=why):
        signalr.read_handshake(record)


def test_versions_zero_and_one_shake_hands() -> None:
    """Both versions that clients send are welcome."""
    signalr.read_handshake(b'{"protocol":"json","version":0}')
    signalr.read_handshake(b'{"protocol":"json","version":1}')


def test_times_are_written_as_the_broker_writes_them() -> None:
    """REST trims zeros, the hub has seven digits, market trades have three."""
    assert wire.rest_time(_NOW) == "2026-11-18T15:00:00.12345+00:00"
    assert wire.rest_time(_NOW.replace(microsecond=0)) == "2026-11-18T15:00:00+00:00"
    assert wire.market_time(_NOW) == "2026-11-18T15:00:00.123+00:00"
    hub = wire.hub_time(_NOW)
    assert hub.startswith("2026-11-18T15:00:00.123450")
    assert len(hub) == len("2026-11-18T15:00:00.1234567+00:00")


@pytest.mark.parametrize("text", ["0.0000005", "20000.25", "-49", "100", "0.00", "28446.375"])
def test_numbers_keep_every_digit(text: str) -> None:
    """A price is on the wire as it is in the books, without an exponent."""
    assert wire.encode(wire.number(Decimal(text))) == text.encode()


def test_a_completion_carries_a_result_or_an_error() -> None:
    """Both are closed by the record separator."""
    fine, failed = signalr.completion("1"), signalr.completion("2", "no")

    assert msgspec.json.decode(fine[:-1]) == {"type": 3, "invocationId": "1", "result": None}
    assert msgspec.json.decode(failed[:-1]) == {"type": 3, "invocationId": "2", "error": "no"}
    assert fine[-1:] == b"\x1e"


def test_the_log_of_requests_forgets_the_oldest() -> None:
    """A gateway that runs for weeks keeps the newest; numbers go on, and what came after one is still found."""
    log = RequestLog(Bell(), keep=10)
    for _ in range(25):
        log.begin(_NOW, method="POST", path="/api/Order/place", body=b"{}")

    assert [each.number for each in log.find("place")] == list(range(11, 26))
    assert [each.number for each in log.find(after=23)] == [24, 25]
    assert [each.number for each in log.find(after=5)] == list(range(11, 26))

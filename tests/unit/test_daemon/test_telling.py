"""What riskd itself has to say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import structlog
from msgspec.structs import replace

from riskd.daemon.telling import Teller
from riskd.domain.commands import Alert
from riskd.domain.events import AnyEvent, ClockTicked, Envelope, PositionReported

AT = datetime(2026, 3, 10, 14, 31, 5, tzinfo=UTC)


class Phone:
    """A person's phone, and the time on it."""

    def __init__(self) -> None:
        self.told: list[Alert] = []
        self.now = AT
        self.teller = Teller(self, structlog.get_logger(), now=lambda: self.now, last_seq=lambda: 7)

    def notify(self, alert: Alert) -> None:
        """Take an alert."""
        self.told.append(alert)

    @property
    def texts(self) -> list[str]:
        """Return what was told."""
        return [alert.text for alert in self.told]


def ticked(seq: int) -> Envelope:
    """Return an event that has no account."""
    return Envelope(seq=seq, at=AT, event=ClockTicked(), broker_at=None)


def test_the_same_mistake_is_told_once_a_minute_with_its_count() -> None:
    """A bug that shows at every event fills nobody's phone; after a minute it is told how often it did."""
    phone = Phone()
    for seq in range(3000):
        phone.teller.bug(ticked(seq), KeyError("x"))
    assert phone.texts == ["riskd failed on event 0 (ClockTicked): KeyError: 'x'"]

    phone.now += timedelta(minutes=1)
    phone.teller.bug(ticked(3000), KeyError("x"))
    assert phone.texts[1:] == [
        "riskd failed on event 3000 (ClockTicked): KeyError: 'x' (and 2999 times since it was last told)"
    ]
    phone.now += timedelta(minutes=1)
    phone.teller.bug(ticked(3001), KeyError("x"))
    assert phone.texts[2:] == ["riskd failed on event 3001 (ClockTicked): KeyError: 'x'"]


def test_another_mistake_is_told_at_once() -> None:
    """Of another kind, on another event, of another account."""
    phone = Phone()
    of_1 = PositionReported(account="1", contract="C", quantity=1, average_price=Decimal(1))
    events: list[AnyEvent] = [ClockTicked(), of_1, replace(of_1, account="2")]
    for event in events:
        phone.teller.overflow(event)
        phone.teller.overflow(event)
    phone.teller.bug(ticked(1), KeyError("x"))
    phone.teller.bug(ticked(2), ValueError("x"))
    phone.teller.task_failed("riskd: desk failed", ValueError("x"))
    phone.teller.task_failed("riskd: desk failed", ValueError("y"))
    assert [(alert.account, alert.kind) for alert in phone.told] == [
        ("", "overflow"),
        ("1", "overflow"),
        ("2", "overflow"),
        ("", "bug"),
        ("", "bug"),
        ("", "bug"),
    ]
    assert phone.texts[-1] == "riskd: desk failed: ValueError: x"

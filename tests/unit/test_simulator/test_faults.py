"""A plan of faults: what strikes, when, and always the same for a seed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from riskd.simulator.exchange.books import CloseTerms
from riskd.simulator.exchange.events import QuoteEvent
from riskd.simulator.faults import rules
from riskd.simulator.faults.plan import FaultPlan
from riskd.simulator.faults.rules import FaultFile, FaultFileError, FaultRule, read_faults

_NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
_CLOSE = "/api/Position/closeContract"


def _plan(*faults: FaultRule, seed: int = 1) -> FaultPlan:
    return FaultPlan(FaultFile(faults=faults, seed=seed), _NOW)


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (rules.HttpError(status=429, retry_after=3), "status"),
        (rules.NoAnswer(), "silent"),
        (rules.NoAnswer(applied=True), "silent_applied"),
        (rules.NoAnswer(how="dropped"), "dropped"),
        (rules.NoAnswer(how="dropped", applied=True), "dropped_applied"),
        (rules.Rejected(code=5), "rejected"),
        (rules.Latency(ms=(7, 7)), "accepted"),
    ],
)
def test_a_call_meets_its_fault(rule: FaultRule, outcome: str) -> None:
    """Each kind of call fault becomes the outcome it names."""
    assert _plan(rule).handling(_CLOSE, _NOW).outcome == outcome


def test_a_fault_keeps_to_its_calls_its_times_and_its_window() -> None:
    """It strikes only what it names, only as often as allowed, only while it may."""
    rule = rules.HttpError(calls=("closeContract",), times=1, from_s=10, until_s=20)
    plan = _plan(rule)
    outcomes = [
        plan.handling(_CLOSE, _NOW).outcome,
        plan.handling("/api/Order/place", _NOW + timedelta(seconds=15)).outcome,
        plan.handling(_CLOSE, _NOW + timedelta(seconds=15)).outcome,
        plan.handling(_CLOSE, _NOW + timedelta(seconds=16)).outcome,
    ]

    assert outcomes == ["accepted", "accepted", "status", "accepted"]


def test_latencies_add_up_before_and_after() -> None:
    """A call may be slow on its way and its answer slow on its way back."""
    slow = _plan(rules.Latency(ms=(5, 5)), rules.Latency(ms=(9, 9), answer=True))

    handling = slow.handling(_CLOSE, _NOW)

    assert (handling.before_ms, handling.after_ms) == (5, 9)


def test_closes_may_be_slow_and_partial() -> None:
    """Only closes get such terms."""
    plan = _plan(rules.SlowClose(ms=(300, 300)), rules.PartialFill(part=2))

    assert plan.handling(_CLOSE, _NOW).close_terms == CloseTerms(delay_ms=300, part=2)
    assert plan.handling("/api/Order/place", _NOW).close_terms is None


@pytest.mark.parametrize(
    ("rule", "arrivals"),
    [
        (rules.LostEvent(), ()),
        (rules.LateEvent(ms=(40, 40)), (40,)),
        (rules.ReorderedEvent(ms=(3, 3)), (3,)),
        (rules.DuplicatedEvent(ms=(8, 8)), (0, 8)),
        (rules.LostEvent(events=("GatewayUserOrder",)), (0,)),
    ],
)
def test_an_event_meets_its_fault(rule: FaultRule, arrivals: tuple[int, ...]) -> None:
    """Lost, late, overtaken and doubled events; others arrive once and at once."""
    assert _plan(rule).deliveries("GatewayUserTrade", _NOW) == arrivals


def test_garbage_prices_change_the_quote_only() -> None:
    """What the hub shows is nonsense; a frozen contract shows nothing."""
    quote = QuoteEvent("MNQ", _NOW, Decimal(100), Decimal(100), Decimal("100.25"))
    plan = _plan(rules.GarbagePrice())

    seen = plan.seen_quote(quote, _NOW)
    plan.freeze(("MNQ",), _NOW + timedelta(seconds=5))

    assert seen != quote
    assert plan.seen_quote(quote, _NOW) is None
    assert plan.seen_quote(quote, _NOW + timedelta(seconds=5)) is not None


def test_what_comes_by_itself_comes_in_time() -> None:
    """A fault every ten seconds has struck five times after fifty-five, and lasts as it says."""
    plan = _plan(rules.HubDown(every_s=(10, 10), for_s=(3, 3)))

    struck = plan.due(_NOW + timedelta(seconds=55))

    assert [each.lasts for each in struck] == [timedelta(seconds=3)] * 5
    assert plan.next_at == _NOW + timedelta(seconds=60)


def test_one_seed_is_one_fate() -> None:
    """The same seed strikes the same calls, whatever other faults there are; another does not."""
    flaky = rules.HttpError(probability=0.5)

    def fate(plan: FaultPlan) -> list[str]:
        return [plan.handling(_CLOSE, _NOW).outcome for _ in range(40)]

    assert fate(_plan(flaky)) == fate(_plan(flaky, rules.LostEvent()))
    assert fate(_plan(flaky)) != fate(_plan(flaky, seed=2))


def test_a_fault_file_is_read() -> None:
    """Each fault by its kind, with a seed."""
    text = b'{"seed": 7, "faults": [{"kind": "latency", "ms": [1, 2], "probability": 0.5}]}'

    file = read_faults(text, "f.json")

    assert file == FaultFile(faults=(rules.Latency(ms=(1, 2), probability=0.5),), seed=7)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "truncated"),
        (b'{"faults": [{"kind": "latenci"}]}', "latenci.*faults\\[0\\]"),
        (b'{"faults": [{"kind": "latency", "mss": [1, 2]}]}', "mss"),
    ],
)
def test_a_wrong_fault_file_is_told_in_one_sentence(text: bytes, why: str) -> None:
    """The file, the place and the trouble."""
    with pytest.raises(FaultFileError, match=f"f.json: .*{why}"):
        read_faults(text, "f.json")

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskd.adapters.projectx.capabilities import Call
from riskd.adapters.projectx.outcomes import Verdict, judge
from riskd.domain.events import Outcome

OPEN = datetime(2026, 11, 18, 16, 0, tzinfo=UTC)  # a Wednesday, 10:00 in Chicago
CLOSED = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)  # a Saturday


def answered(call: Call, at: datetime = OPEN, status: int = 200, **reply: object) -> Verdict:
    """Return the verdict on a gateway's answer."""
    return judge(call, status, json.dumps(reply).encode(), at)


def refused(call: Call, number: int, message: str | None = None, at: datetime = OPEN) -> Verdict:
    """Return the verdict on a refusal."""
    return answered(call, at, success=False, errorCode=number, errorMessage=message)


@pytest.mark.parametrize("call", Call)
def test_success_is_accepted(call: Call) -> None:
    """A plain success of any call needs no word."""
    assert answered(call, success=True, errorCode=0, errorMessage=None) == Verdict(Outcome.ACCEPTED)


@pytest.mark.parametrize(
    ("call", "number", "word"),
    [
        (Call.CLOSE, 1, "account_not_found"),
        (Call.CLOSE, 2, "position_not_found"),
        (Call.CLOSE, 3, "contract_not_found"),
        (Call.CLOSE, 4, "contract_not_active"),
        (Call.CLOSE, 5, "order_rejected"),
        (Call.CLOSE, 8, "account_rejected"),
        (Call.PARTIAL_CLOSE, 2, "position_not_found"),
        (Call.PARTIAL_CLOSE, 5, "invalid_close_size"),
        (Call.PARTIAL_CLOSE, 6, "order_rejected"),
        (Call.PARTIAL_CLOSE, 9, "account_rejected"),
        (Call.CANCEL, 2, "order_not_found"),
        (Call.CANCEL, 3, "order_rejected"),
        (Call.CANCEL, 6, "account_rejected"),
        (Call.RESIZE, 2, "order_not_found"),
        (Call.RESIZE, 7, "contract_not_found"),
        (Call.CLOSE, 77, "77"),
    ],
)
def test_a_refusal_is_told_by_its_own_endpoints_number(call: Call, number: int, word: str) -> None:
    """The same number means different things at different endpoints; an unlisted one is passed on."""
    verdict = refused(call, number)
    assert (verdict.outcome, verdict.code) == (Outcome.REJECTED, word)
    assert f"({number})" in verdict.text


@pytest.mark.parametrize(
    ("call", "number"),
    [
        (Call.CLOSE, 6),
        (Call.CLOSE, 7),
        (Call.PARTIAL_CLOSE, 7),
        (Call.PARTIAL_CLOSE, 8),
        (Call.CANCEL, 4),
        (Call.CANCEL, 5),
        (Call.RESIZE, 5),
    ],
)
def test_a_pending_order_and_an_unknown_error_are_no_refusals(call: Call, number: int) -> None:
    """Where the broker itself does not know, or is still at it, asking again could close twice."""
    assert refused(call, number).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "message",
    [
        "Instrument is not in an active trading status",
        "Market is closed",
        "The exchange is currently closed.",
        "Order rejected: market in Pre-Open",
        "Outside of regular trading hours",
        "Trading halted",
        "Trading has been suspended for this contract",
    ],
)
@pytest.mark.parametrize("call", [Call.CLOSE, Call.PARTIAL_CLOSE, Call.CANCEL])
def test_a_closed_market_is_recognised_by_what_the_broker_says(call: Call, message: str) -> None:
    """A refusal because the market is closed waits for the open instead of counting as a failure."""
    assert refused(call, 5 if call is Call.CLOSE else 6, message).code == "market_closed"


@pytest.mark.parametrize(
    "message", ["Position already closed", "Order is closed", "Invalid price", "Account halted by administrator"]
)
def test_other_refusals_are_not_taken_for_a_closed_market(message: str) -> None:
    """A target must not wait for the open because a position was already closed."""
    assert refused(Call.CLOSE, 5, message).code == "order_rejected"


def test_a_refusal_without_a_reason_follows_the_calendar() -> None:
    """Outside the exchange's week a plain rejection means a closed market, inside it does not."""
    assert refused(Call.CLOSE, 5, at=CLOSED).code == "market_closed"
    assert refused(Call.PARTIAL_CLOSE, 6, at=CLOSED).code == "market_closed"
    assert refused(Call.CLOSE, 5, at=OPEN).code == "order_rejected"
    assert refused(Call.CLOSE, 2, at=CLOSED).code == "position_not_found"


@pytest.mark.parametrize(
    ("call", "number", "message", "word"),
    [
        (Call.PARTIAL_CLOSE, 9, "Live accounts not supported", "partial_not_supported"),
        (Call.CANCEL, 6, "Live accounts not supported", "cancel_not_supported"),
        (Call.CANCEL, 6, "Follower accounts cannot cancel orders", "cancel_not_supported"),
        (Call.RESIZE, 6, "Live accounts not supported", "resize_not_supported"),
        (Call.CLOSE, 8, "Live accounts not supported", "account_rejected"),
        (Call.PARTIAL_CLOSE, 9, "Account is locked", "account_rejected"),
    ],
)
def test_what_an_account_never_supports_has_its_own_word(call: Call, number: int, message: str, word: str) -> None:
    """The engine must know whether to ask again or to choose another way; a full close is always worth asking."""
    verdict = refused(call, number, message)
    assert verdict.code == word
    assert verdict.unsupported is word.endswith("_not_supported")


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (401, Outcome.UNAVAILABLE, "not_logged_in"),
        (403, Outcome.UNAVAILABLE, "forbidden"),
        (429, Outcome.UNAVAILABLE, "rate_limited"),
        (302, Outcome.UNAVAILABLE, "http_302"),
        (400, Outcome.REJECTED, "http_400"),
        (404, Outcome.REJECTED, "http_404"),
        (500, Outcome.UNKNOWN, "http_500"),
        (503, Outcome.UNKNOWN, "http_503"),
        (204, Outcome.UNKNOWN, "http_204"),
    ],
)
def test_http_says_whether_anything_can_have_happened(status: int, outcome: Outcome, code: str) -> None:
    """A refused login or rate did nothing, a bad request was refused, a server's failure leaves it open."""
    verdict = answered(Call.CLOSE, status=status)
    assert (verdict.outcome, verdict.code) == (outcome, code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"success":null,"errorCode":0}',
        b'{"success":true,"errorCode":5}',
        b'{"success":false,"errorCode":0}',
        b'{"success":false}',
        b'{"success":"yes"}',
    ],
)
def test_an_answer_that_says_neither_leaves_it_open(body: bytes) -> None:
    """What cannot be read, or contradicts itself, is neither done nor refused."""
    assert judge(Call.CLOSE, 200, body, OPEN).outcome is Outcome.UNKNOWN


@given(call=st.sampled_from(Call), status=st.integers(100, 599), body=st.binary(max_size=100))
def test_every_answer_has_exactly_one_outcome(call: Call, status: int, body: bytes) -> None:
    """No answer raises, and only a clear success counts as accepted."""
    verdict = judge(call, status, body, OPEN)
    assert isinstance(verdict.outcome, Outcome)
    if verdict.outcome is Outcome.ACCEPTED:
        assert b"true" in body

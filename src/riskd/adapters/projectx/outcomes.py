"""What the gateway's answer to a command means: done, refused, not done, or nobody knows.

Error numbers mean different things at different endpoints. The words here are the ones that the rest of riskd sees; a
number that is not listed is passed on as text. Two of the gateway's own errors are no refusals: ``UnknownError`` says
that it does not know, and ``OrderPending`` that an order of the request is still on its way, so a second request could
close twice. Both count as unknown, which makes the engine look before it asks again.
"""

import re
from datetime import datetime
from typing import Final

import msgspec

from riskd.adapters.projectx import wire
from riskd.adapters.projectx.capabilities import Call
from riskd.domain.calendar import market_open
from riskd.domain.decoding import UNDECODABLE
from riskd.domain.events import Outcome
from riskd.domain.exchange_days import Schedule

MARKET_CLOSED: Final = "market_closed"
ORDER_REJECTED: Final = "order_rejected"
NOT_LOGGED_IN: Final = "not_logged_in"
RATE_LIMITED: Final = "rate_limited"
UNSUPPORTED: Final = {
    Call.PARTIAL_CLOSE: "partial_not_supported",
    Call.CANCEL: "cancel_not_supported",
    Call.RESIZE: "resize_not_supported",
}

_ACCOUNT_REJECTED: Final = "account_rejected"
_NOT_KNOWN: Final = frozenset({"order_pending", "unknown_error"})
_CHANGE: Final = {
    1: "account_not_found",
    2: "order_not_found",
    3: ORDER_REJECTED,
    4: "order_pending",
    5: "unknown_error",
    6: _ACCOUNT_REJECTED,
}
_CLOSE: Final = {
    1: "account_not_found",
    2: "position_not_found",
    3: "contract_not_found",
    4: "contract_not_active",
}
WORDS: Final[dict[Call, dict[int, str]]] = {
    Call.CLOSE: _CLOSE | {5: ORDER_REJECTED, 6: "order_pending", 7: "unknown_error", 8: _ACCOUNT_REJECTED},
    Call.PARTIAL_CLOSE: _CLOSE
    | {
        5: "invalid_close_size",
        6: ORDER_REJECTED,
        7: "order_pending",
        8: "unknown_error",
        9: _ACCOUNT_REJECTED,
    },
    Call.CANCEL: _CHANGE,
    Call.RESIZE: _CHANGE | {7: "contract_not_found"},
}

# "Position already closed" must not be taken for a closed market: that would leave a target waiting for the open.
_SAYS_CLOSED: Final = re.compile(
    r"pre-?open|outside\b.{0,30}\btrading hours|not\b.{0,20}\bactive trading|"
    r"\b(?:market|exchange|session|trading)\b.{0,20}\b(?:closed|halted|paused|suspended|not open)",
    re.IGNORECASE,
)
_SAYS_NEVER: Final = re.compile(r"not supported|\bfollower\b|\bcannot\b", re.IGNORECASE)

_HTTP_OK: Final = 200
_HTTP_CLIENT_ERRORS: Final = range(400, 500)
_HTTP_NOTHING_DONE: Final = {401: NOT_LOGGED_IN, 403: "forbidden", 429: RATE_LIMITED}
_HTTP_REDIRECTS: Final = range(300, 400)


class Verdict(msgspec.Struct, frozen=True):
    """How a command ended, in words for programs (``code``) and for people (``text``)."""

    outcome: Outcome
    code: str = ""
    text: str = ""

    @property
    def unsupported(self) -> bool:
        """Tell whether the broker said that it never does this on the account."""
        return self.code in UNSUPPORTED.values()


def judge(call: Call, status: int, body: bytes, at: datetime, schedule: Schedule | None = None) -> Verdict:
    """Return what an HTTP answer to a command means.

    Shape: ``at`` decides, by the exchange's week and days, what a refusal without a reason is taken for.
    """
    if status != _HTTP_OK:
        return _by_status(status)
    try:
        reply = wire.REPLY.decode(body)
    except UNDECODABLE as error:
        return Verdict(Outcome.UNKNOWN, "unreadable_answer", f"the gateway's answer cannot be read: {error}")
    number = reply.error_code or 0
    if reply.success is True and number == 0:
        return Verdict(Outcome.ACCEPTED)
    if reply.success is not False or number == 0:
        return Verdict(Outcome.UNKNOWN, "contradiction", "the gateway's answer says neither done nor refused")
    return _refusal(call, number, reply.error_message, open_now=market_open(at, schedule))


def _by_status(status: int) -> Verdict:
    if status in _HTTP_NOTHING_DONE:
        return Verdict(Outcome.UNAVAILABLE, _HTTP_NOTHING_DONE[status], f"the gateway answered HTTP {status}")
    if status in _HTTP_REDIRECTS:
        return Verdict(Outcome.UNAVAILABLE, f"http_{status}", f"the gateway pointed elsewhere with HTTP {status}")
    if status in _HTTP_CLIENT_ERRORS:
        return Verdict(Outcome.REJECTED, f"http_{status}", f"the gateway refused the request with HTTP {status}")
    return Verdict(
        Outcome.UNKNOWN, f"http_{status}", f"the gateway failed with HTTP {status}; it may have acted or not"
    )


def _refusal(call: Call, number: int, message: str | None, *, open_now: bool) -> Verdict:
    word = WORDS[call].get(number, str(number))
    text = f"the broker answered {word} ({number})" + (f": {message}" if message else " and gave no reason")
    if word in _NOT_KNOWN:
        return Verdict(Outcome.UNKNOWN, word, text)
    if _means_closed(word, message, open_now=open_now):
        return Verdict(Outcome.REJECTED, MARKET_CLOSED, text)
    if word == _ACCOUNT_REJECTED and call in UNSUPPORTED and _SAYS_NEVER.search(message or ""):
        return Verdict(Outcome.REJECTED, UNSUPPORTED[call], text)
    return Verdict(Outcome.REJECTED, word, text)


def _means_closed(word: str, message: str | None, *, open_now: bool) -> bool:
    if message:
        return _SAYS_CLOSED.search(message) is not None
    return word == ORDER_REJECTED and not open_now

"""The faults that can be asked for, one struct each.

Every rule may be limited: `probability` of each occasion, `times` it acts at most, and a window
from `from_s` to `until_s`, in seconds of the gateway's time since the plan began. What happens by
itself comes after a pause drawn from `every_s` and, where it lasts, takes a time drawn from `for_s`.
`ms` is drawn evenly from its two ends. `calls` are ends of REST paths, `events` hub targets,
`contracts` contract ids; ("*",) is all of them.
"""

from typing import Literal, TypeAlias

import msgspec

HubChoice: TypeAlias = Literal["user", "market", "all"]
HangUpName: TypeAlias = Literal["clean", "abort", "error", "error_reconnect"]
Span: TypeAlias = tuple[float, float]
ALL = ("*",)


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all faults share."""

    probability: float = 1.0
    times: int | None = None
    from_s: float = 0.0
    until_s: float | None = None


class CallRule(Rule, frozen=True, kw_only=True):
    """A fault of REST calls."""

    calls: tuple[str, ...] = ALL


class EventRule(Rule, frozen=True, kw_only=True):
    """A fault of hub events."""

    events: tuple[str, ...] = ALL


class TimedRule(Rule, frozen=True, kw_only=True):
    """A fault that comes by itself."""

    every_s: Span = (30.0, 60.0)


# ---------------------------------------------------------------------- REST calls


class Latency(CallRule, frozen=True, kw_only=True, tag="latency"):
    """Calls take longer: before they take effect, or (`answer`) before the answer leaves."""

    ms: Span = (5.0, 50.0)
    answer: bool = False


class HttpError(CallRule, frozen=True, kw_only=True, tag="http_error"):
    """Calls are answered 401, 429 (with or without Retry-After), 5xx and not done."""

    status: int = 503
    retry_after: int | None = None


class NoAnswer(CallRule, frozen=True, kw_only=True, tag="no_answer"):
    """Calls are never answered (`silent`) or their connection breaks, before or after they acted."""

    how: Literal["silent", "dropped"] = "silent"
    applied: bool = False


class Rejected(CallRule, frozen=True, kw_only=True, tag="rejected"):
    """Calls are refused with an error code."""

    code: int = 2
    message: str | None = None


class SlowClose(Rule, frozen=True, kw_only=True, tag="slow_close"):
    """A close is accepted at once and fills later."""

    ms: Span = (200.0, 2000.0)


class PartialFill(Rule, frozen=True, kw_only=True, tag="partial_close"):
    """A close is accepted, fills in part, and its rest is cancelled."""

    part: int = 1


# ---------------------------------------------------------------------- hub events


class LateEvent(EventRule, frozen=True, kw_only=True, tag="late_event"):
    """Events come later; among them those that overtake each other."""

    ms: Span = (50.0, 1000.0)


class LostEvent(EventRule, frozen=True, kw_only=True, tag="lost_event"):
    """Events never come."""


class DuplicatedEvent(EventRule, frozen=True, kw_only=True, tag="duplicated_event"):
    """Events come a second time."""

    ms: Span = (0.0, 500.0)


class ReorderedEvent(EventRule, frozen=True, kw_only=True, tag="reordered_event"):
    """An event waits until the next ones have gone."""

    ms: Span = (1.0, 20.0)


class GarbagePrice(Rule, frozen=True, kw_only=True, tag="garbage_price"):
    """A quote on the hub is nonsense: zero, negative, off the grid, far away or crossed."""

    contracts: tuple[str, ...] = ALL


# ---------------------------------------------------------------------- by themselves


class FrozenPrices(TimedRule, frozen=True, kw_only=True, tag="frozen_prices"):
    """The market hub falls silent while its socket lives."""

    contracts: tuple[str, ...] = ALL
    for_s: Span = (90.0, 360.0)


class PositionsLag(TimedRule, frozen=True, kw_only=True, tag="positions_lag"):
    """Positions trail trades, on the hub and over REST."""

    ms: Span = (200.0, 3000.0)
    for_s: Span = (30.0, 60.0)


class Disconnect(TimedRule, frozen=True, kw_only=True, tag="disconnect"):
    """A hub's connections end."""

    hub: HubChoice = "all"
    how: HangUpName = "abort"


class HubDown(TimedRule, frozen=True, kw_only=True, tag="hub_down"):
    """A hub's connections break and new ones are refused for a while; REST lives."""

    hub: HubChoice = "all"
    for_s: Span = (2.0, 30.0)


class RestDown(TimedRule, frozen=True, kw_only=True, tag="rest_down"):
    """REST connections break for a while; the hubs live."""

    for_s: Span = (2.0, 30.0)


class HalfOpen(TimedRule, frozen=True, kw_only=True, tag="half_open"):
    """A hub's connections stay open and are dead."""

    hub: HubChoice = "all"


class Logout(TimedRule, frozen=True, kw_only=True, tag="logout"):
    """GatewayLogout comes unasked."""

    hub: HubChoice = "all"


class ExpireTokens(TimedRule, frozen=True, kw_only=True, tag="expire_tokens"):
    """Every token becomes invalid."""


class VoidTrade(TimedRule, frozen=True, kw_only=True, tag="void_trade"):
    """The newest trade that still counts is busted."""


FaultRule: TypeAlias = (
    Latency
    | HttpError
    | NoAnswer
    | Rejected
    | SlowClose
    | PartialFill
    | LateEvent
    | LostEvent
    | DuplicatedEvent
    | ReorderedEvent
    | GarbagePrice
    | FrozenPrices
    | PositionsLag
    | Disconnect
    | HubDown
    | RestDown
    | HalfOpen
    | Logout
    | ExpireTokens
    | VoidTrade
)


class FaultFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of faults and the seed that decides when they strike."""

    faults: tuple[FaultRule, ...]
    seed: int = 1


class FaultFileError(Exception):
    """A file of faults that cannot be used; the text says where and why."""


def read_faults(text: bytes, name: str) -> FaultFile:
    """Return the faults of a file's text; FaultFileError is one sentence for its writer."""
    try:
        return msgspec.json.decode(text, type=FaultFile)
    except msgspec.MsgspecError as error:
        raise FaultFileError(f"{name}: {error}; see docs/gateway.md for the faults") from None

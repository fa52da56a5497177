"""What becomes of one REST request: the outcomes a real network and broker can give it."""

from typing import Literal, TypeAlias

import msgspec

from riskd.simulator.exchange.books import CloseTerms

Outcome: TypeAlias = Literal["accepted", "rejected", "silent", "silent_applied", "dropped", "dropped_applied", "status"]


class Handling(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is dealt with.

    accepted: done and answered as the exchange says · rejected: not done, answered with `code` ·
    silent: never answered, not done · silent_applied: never answered, but done · dropped: the
    connection breaks, not done · dropped_applied: the connection breaks, but done ·
    status: not done, answered with an HTTP `status`.
    """

    outcome: Outcome = "accepted"
    code: int | None = None
    message: str | None = None
    status: int = 503
    retry_after: int | None = None
    before_ms: int = 0
    after_ms: int = 0
    close_terms: CloseTerms | None = None

    @property
    def applies(self) -> bool:
        """Return whether the request takes effect."""
        return self.outcome in {"accepted", "silent_applied", "dropped_applied"}


NORMAL = Handling()

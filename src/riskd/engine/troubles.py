"""When riskd cannot do what it wants: people are told once, and told in words."""

from typing import Final

import msgspec

from riskd.domain.account import AccountState, Retry
from riskd.domain.commands import Severity
from riskd.engine.closes import TOLD_AFTER, told_at
from riskd.engine.draft import Draft

FAILURES_TO_ERROR: Final = 3
"""How often the broker must have refused one thing before people are told."""
_replace: Final = msgspec.structs.replace


def tell_troubles(draft: Draft) -> None:
    """Tell when a close is refused again and again or does not end; the account's ``error_state`` lasts as long."""
    trouble = _refusals(draft.state) or _without_end(draft)
    if bool(trouble) == draft.state.error_state:
        return
    draft.state = _replace(draft.state, error_state=bool(trouble))
    if trouble:
        text = f"{trouble}; riskd goes on trying, close it by hand if you can"
        draft.tell(draft.alert("error_state", Severity.CRITICAL, text))


def _refusals(state: AccountState) -> str:
    worst = max(state.retries.values(), key=_failures, default=None)
    # Once told it lasts until the last failed request has come to its end, or each new try would be told anew.
    enough = 1 if state.error_state else FAILURES_TO_ERROR
    if worst is None or worst.failures < enough:
        return ""
    return f"the broker refused {worst.failures} times ({worst.code or 'no reason given'})"


def _failures(retry: Retry) -> int:
    return retry.failures


def _without_end(draft: Draft) -> str:
    late = [close.contract for close in draft.state.closes.values() if told_at(close) <= draft.at]
    seconds = int(TOLD_AFTER.total_seconds())
    return f"the close of {', '.join(sorted(late))} has not come to its end within {seconds} s" if late else ""

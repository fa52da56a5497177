"""The words of a notification. Pure functions: what happened, by which rule, why, what was done, when."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from riskd.domain.calendar import CHICAGO
from riskd.domain.commands import Alert
from riskd.domain.instruments import root_of_contract
from riskd.domain.violations import EnforcementAction, RuleViolation

_HEAD_SHOWN: Final = 16


def enforcement_text(
    violation: RuleViolation,
    action: EnforcementAction,
    *,
    event_id: int | None,
    account: str,
    at: datetime | None,
) -> str:
    """Tell of a violation and of what is done about it."""
    rule = violation.rule_name
    reason = violation.message or f"{violation.current_value} is past the limit of {violation.limit_value}"
    headline = reason if rule in reason else f"{rule} limit exceeded"
    return _lines(
        headline,
        ("Account", account),
        ("Rule", rule),
        ("Reason", reason),
        ("Action", action_text(action)),
        ("Time", time_text(at) if at else ""),
        ("Event", "" if event_id is None else str(event_id)),
    )


def alert_text(alert: Alert, *, journal_head: str = "") -> str:
    """Tell of an alert; the start of the journal's hash goes along, so that a rewritten journal is found out."""
    return _lines(
        alert.text,
        ("Account", alert.account),
        ("Rule", alert.rule),
        ("Reason", alert.reason),
        ("Action", alert.action),
        ("Time", time_text(alert.at)),
        ("Event", str(alert.seq) if alert.seq else ""),
        ("Journal", journal_head[:_HEAD_SHOWN]),
    )


def alert_title(alert: Alert) -> str:
    """Say in a few words how urgent it is and whom it concerns."""
    about = f", account {alert.account}" if alert.account else ""
    return f"riskd {alert.severity}{about}"


def action_text(action: EnforcementAction) -> str:
    """Say an action in one line, such as ``close_position 1 (1 ES)``."""
    parts = [str(action.action_type) if action.quantity is None else f"{action.action_type} {action.quantity}"]
    if action.reductions:
        parts[0] += f" ({', '.join(f'{cut.closed} {root_of_contract(cut.contract)}' for cut in action.reductions)})"
    if action.cancels:
        parts.append(f"cancel {len(action.cancels)} order{'s' if len(action.cancels) > 1 else ''}")
    if action.lock:
        until = "an admin releases it" if action.lockout_until is None else time_text(action.lockout_until)
        parts.append(f"locked until {until}")
    return ", ".join(parts)


def time_text(at: datetime) -> str:
    """Say an instant in Chicago time and in UTC."""
    return f"{at.astimezone(CHICAGO):%Y-%m-%d %H:%M:%S} CT ({at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)"


def _lines(headline: str, *facts: tuple[str, str]) -> str:
    return "\n".join([headline, *_told(facts)])


def _told(facts: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (f"{name}: {value}" for name, value in facts if value)

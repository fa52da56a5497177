"""What the day has shown: riskd's log and the broker's books side by side, for people and for programs."""

from collections import Counter
from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.app.demo.daemon_log import Enforced, Heard, Target
from riskd.app.demo.desk import Desk
from riskd.app.demo.limits import Limits
from riskd.app.demo.story import Outcome
from riskd.app.demo.wording import close_request, quantities, usd
from riskd.domain.calendar import CHICAGO
from riskd.domain.money import to_cents


class Enforcement(msgspec.Struct, frozen=True, kw_only=True):
    """One enforcement, as the summary's users read it.

    Units: milliseconds.
    """

    rule: str
    account: str
    action: str
    targets: tuple[Target, ...]
    breach_to_sent_ms: float | None
    breach_to_done_ms: float | None
    at: datetime


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's last line with ``--json``; its keys are fixed, more may come."""

    enforcements: tuple[Enforcement, ...]
    locked_until: datetime | None
    lock_survived_kill: bool
    reset_at_17: bool
    final_positions: dict[str, int]
    seed: int
    closes_match: bool
    loss_agrees: bool
    small_trade_left_alone: bool
    stopped_in_order: bool | None


class Check(msgspec.Struct, frozen=True):
    """One thing that the day had to show, and whether it did."""

    good: bool
    text: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that is left of the day when it is over."""

    summary: Summary
    enforced: tuple[Enforced, ...]
    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        """Tell whether the day showed everything it had to."""
        return all(check.good for check in self.checks)

    def json(self) -> str:
        """Return the summary as one line."""
        return msgspec.json.encode(self.summary).decode()


def report(heard: Heard, desk: Desk, outcome: Outcome, *, limits: Limits, seed: int) -> Report:
    """Compare what riskd says with what the broker has in its books."""
    summary = Summary(
        enforcements=tuple(map(_enforcement, heard.enforced)),
        locked_until=heard.locks[-1].until if heard.locks else None,
        lock_survived_kill=outcome.lock_survived_kill,
        reset_at_17=outcome.reset_at_17,
        final_positions=desk.held(),
        seed=seed,
        closes_match=_closes_match(heard, desk),
        loss_agrees=_loss_agrees(heard, outcome),
        small_trade_left_alone=outcome.left_alone,
        stopped_in_order=outcome.stopped_in_order,
    )
    checks = [
        _lock_check(heard, outcome, summary, limits),
        _closes_check(heard, desk, summary),
        Check(outcome.lock_survived_kill, "the lock outlived a kill without warning"),
        _reset_check(outcome),
        Check(outcome.left_alone, "a trade within the limits was left alone"),
        Check(not summary.final_positions, f"at the end the account is {quantities(summary.final_positions)}"),
    ]
    if outcome.stopped_in_order is not None:
        checks.append(Check(outcome.stopped_in_order, "riskd stopped in good order when asked"))
    return Report(summary=summary, enforced=tuple(heard.enforced), checks=tuple(checks))


def _enforcement(line: Enforced) -> Enforcement:
    return Enforcement(
        rule=line.rule,
        account=line.account,
        action=line.action,
        targets=line.targets,
        breach_to_sent_ms=_number(line.breach_to_sent_ms),
        breach_to_done_ms=_number(line.breach_to_done_ms),
        at=line.breached_at,
    )


def _number(duration: Decimal | None) -> float | None:
    return None if duration is None else float(duration)


def _closes_match(heard: Heard, desk: Desk) -> bool:
    """Tell whether the broker received exactly the closes that riskd logged, and no order at all from riskd."""
    received = Counter((close.symbol, close.quantity) for close in desk.closes_received())
    logged = Counter(map(close_request, heard.closes))
    cancels = Counter(line.order for line in heard.cancels)
    return received == logged and Counter(desk.cancels_received()) == cancels and not desk.orders_received()


def _loss_agrees(heard: Heard, outcome: Outcome) -> bool:
    """Tell whether riskd locked at the broker's own figure, to the cent."""
    if outcome.brokers_loss is None or not heard.locks:
        return False
    return f"{to_cents(outcome.brokers_loss)} USD" in heard.locks[0].reason


def _lock_check(heard: Heard, outcome: Outcome, summary: Summary, limits: Limits) -> Check:
    loss = usd(outcome.brokers_loss) if outcome.brokers_loss is not None else "unknown"
    if summary.loss_agrees:
        where = f"{loss} USD, limit {usd(limits.daily_loss)}"
        return Check(good=True, text=f"locked at exactly the broker's own figure: {where}")
    said = heard.locks[0].reason if heard.locks else "no lock"
    return Check(good=False, text=f"the broker's books say {loss} USD at the breach, but riskd said: {said}")


def _closes_check(heard: Heard, desk: Desk, summary: Summary) -> Check:
    received, cancels = len(desk.closes_received()), len(desk.cancels_received())
    verdict = "exactly those in riskd's log" if summary.closes_match else f"not the {len(heard.closes)} in riskd's log"
    return Check(
        summary.closes_match,
        f"the broker received {_count(received, 'close')} and {_count(cancels, 'cancel')}: {verdict}",
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _reset_check(outcome: Outcome) -> Check:
    at = "17:00" if outcome.reset_at is None else f"{outcome.reset_at.astimezone(CHICAGO):%H:%M:%S}"
    return Check(outcome.reset_at_17, f"free again at {at} in Chicago, and locked the second before")

"""Carry out what the core commands: requests first, words after; and measure how long it took.

Whatever comes of a request returns as an event. Logging and notifying wait until every request of the step is out.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from time import perf_counter_ns
from typing import Final

from structlog.typing import FilteringBoundLogger

from riskd.domain.commands import (
    Alert,
    AnyCommand,
    CancelOrder,
    ClosePosition,
    EnforcementEnded,
    LockAccount,
    RequestSnapshot,
    ResizeOrder,
    Severity,
    StartCooldown,
    UnlockAccount,
)
from riskd.domain.instruments import symbol_of_contract
from riskd.ports import Broker, Notifier

_NS_PER_MS: Final = Decimal(1_000_000)
_LEVELS: Final = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


class Stopwatch:
    """Remembers, per enforcement, when the message came in that led to its first request, and when that went out.

    Units: milliseconds as Decimal with three places.
    """

    def __init__(self) -> None:
        """Start with nothing measured."""
        self._breached: dict[int, int] = {}
        self._sent: dict[int, int] = {}

    def breached(self, enforcement: int, received_ns: int) -> None:
        """Note when the message came in that led to an action."""
        self._breached.setdefault(enforcement, received_ns)

    def sent(self, enforcement: int) -> None:
        """Note that a request is out; only the first counts."""
        self._sent.setdefault(enforcement, perf_counter_ns())

    def ended(self, enforcement: int) -> tuple[Decimal | None, Decimal | None]:
        """Return how long it took from the breach to the first request, and to now; None where it is not known."""
        breached, sent = self._breached.pop(enforcement, None), self._sent.pop(enforcement, None)
        if breached is None:
            return None, None
        done = _ms(perf_counter_ns() - breached)
        return (_ms(sent - breached) if sent is not None else None), done


def _ms(nanoseconds: int) -> Decimal:
    return round(Decimal(nanoseconds) / _NS_PER_MS, 3)


class Executor:
    """Turns commands into effects."""

    def __init__(
        self, broker: Callable[[], Broker | None], notifier: Notifier, log: FilteringBoundLogger, stopwatch: Stopwatch
    ) -> None:
        """Send through ``broker`` (none while riskd starts) and tell through ``notifier`` and ``log``."""
        self._broker = broker
        self._notifier = notifier
        self._log = log
        self._stopwatch = stopwatch

    def carry_out(self, seq: int, received_ns: int, commands: Iterable[AnyCommand]) -> None:
        """Carry out the commands of one step: every request to the broker before any word to people."""
        words: list[AnyCommand] = []
        broker = self._broker()
        for command in commands:
            match command:
                case ClosePosition() | CancelOrder() | ResizeOrder() if broker is not None:
                    self._stopwatch.breached(command.enforcement, received_ns)
                    broker.execute(command)
                    self._stopwatch.sent(command.enforcement)
                case RequestSnapshot() if broker is not None:
                    broker.request_snapshot(command)
                    continue
                case LockAccount():
                    self._stopwatch.breached(seq, received_ns)
                case _:
                    pass
            words.append(command)
        for command in words:
            self._say(seq, command)

    def _say(self, seq: int, command: AnyCommand) -> None:
        match command:
            case Alert():
                self._alert(command)
            case EnforcementEnded():
                self._enforced(command)
            case LockAccount() | StartCooldown():
                self._log.warning(
                    "locked" if isinstance(command, LockAccount) else "cooldown",
                    account=command.account,
                    seq=seq,
                    rule=command.cause,
                    until=command.until,
                    reason=command.reason,
                )
            case UnlockAccount():
                self._log.info("unlocked", account=command.account, seq=seq)
            case ClosePosition():
                self._log.warning(
                    "close",
                    account=command.account,
                    seq=seq,
                    rule=command.rule,
                    symbol=symbol_of_contract(command.contract),
                    quantity=command.quantity,
                    held=command.held,
                    left=command.left,
                    command=command.command_id,
                )
            case CancelOrder() | ResizeOrder():
                self._log.warning(
                    "cancel" if isinstance(command, CancelOrder) else "resize",
                    account=command.account,
                    seq=seq,
                    rule=command.rule,
                    order=command.order_id,
                    command=command.command_id,
                )
            case RequestSnapshot():
                pass

    def _alert(self, alert: Alert) -> None:
        self._notifier.notify(alert)
        say = getattr(self._log, _LEVELS[alert.severity])
        say(
            alert.kind,
            account=alert.account,
            seq=alert.seq,
            rule=alert.rule,
            text=alert.text,
            reason=alert.reason,
            action=alert.action,
        )

    def _enforced(self, ended: EnforcementEnded) -> None:
        sent_ms, done_ms = self._stopwatch.ended(ended.enforcement_id)
        self._log.warning(
            "enforced",
            account=ended.account,
            seq=ended.enforcement_id,
            rule=ended.rule,
            action=ended.action,
            targets=[{"symbol": t.symbol, "closed": t.closed, "left": t.left} for t in ended.targets],
            breach_to_sent_ms=sent_ms,
            breach_to_done_ms=done_ms,
            breached_at=ended.breached_at,
            text=ended.text,
            overshoot=ended.overshoot,
        )

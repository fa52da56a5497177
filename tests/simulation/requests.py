"""riskd's requests on their way to the broker and back: the adapter without sockets, and everything that befalls it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Final

import msgspec

from riskd.adapters.projectx.capabilities import Call
from riskd.adapters.projectx.outcomes import Verdict
from riskd.adapters.projectx.outcomes import judge as meaning
from riskd.domain.calendar import day_start, trading_day
from riskd.domain.commands import BrokerCommand, CancelOrder, ClosePosition, RequestSnapshot, ResizeOrder
from riskd.domain.events import CommandEnded, Fill, Outcome, PositionReported, SnapshotReported
from riskd.domain.orders import WorkingOrder
from riskd.simulator.exchange.admission import ModifyOrder
from riskd.simulator.exchange.books import CloseTerms
from riskd.simulator.exchange.exchange import Reply
from tests.simulation import translation
from tests.simulation.faults import Fault, Weather
from tests.simulation.judge import Judge
from tests.simulation.process import Process
from tests.simulation.schedule import ms
from tests.simulation.world import World

ANSWER_WITHIN: Final = timedelta(seconds=2)
"""When the adapter gives up waiting for an answer."""
OVERLAP: Final = timedelta(seconds=120)
"""How far each reading of trades goes back over the one before, as the adapter's does."""
RECOVERY: Final = timedelta(seconds=25)
"""How long riskd may take after a request went wrong: its longest pause is 15 s, and it looks twice first."""


class Fate(msgspec.Struct, frozen=True):
    """What becomes of one request.

    Shape: it reaches the broker after ``there`` (None: never); what riskd hears after ``back`` is ``verdict``, or the
    broker's own answer where that is None.
    """

    there: timedelta | None
    back: timedelta
    verdict: Verdict | None = None
    terms: CloseTerms | None = None


class Fates:
    """Draws what becomes of a request in the weather of the moment."""

    def __init__(self, weather: Weather, rng: Random) -> None:
        self._weather = weather
        self._rng = rng

    def way(self) -> timedelta:
        """Return how long one way takes in calm weather."""
        return ms(self._rng.uniform(3, 40))

    def draw(self) -> Fate:
        """Return the fate of a request that is sent now."""
        there, back = self.way(), self.way()
        for befalls in (self._unsent, self._lost, self._refused):
            fate = befalls(there, back)
            if fate is not None:
                return fate
        if self._weather.strikes(Fault.SLOW_ANSWERS, 0.6):
            slow = ms(self._weather.draw(Fault.SLOW_ANSWERS).uniform(200, 1800))
            return Fate(slow, slow + back, terms=self._terms())
        return Fate(there, there + back, terms=self._terms())

    def _unsent(self, there: timedelta, back: timedelta) -> Fate | None:
        if Fault.REST_DOWN in self._weather.blowing:
            return Fate(None, timedelta(seconds=1), Verdict(Outcome.UNAVAILABLE, "not_sent"))
        if self._weather.strikes(Fault.NOT_SENT, 0.5):
            return Fate(None, timedelta(seconds=1), Verdict(Outcome.UNAVAILABLE, "not_sent"))
        if self._weather.strikes(Fault.RATE_LIMITED, 0.5):
            return Fate(None, there + back, Verdict(Outcome.UNAVAILABLE, "rate_limited"))
        return None

    def _lost(self, there: timedelta, back: timedelta) -> Fate | None:
        silence = Verdict(Outcome.UNKNOWN, "no_answer")
        if self._weather.strikes(Fault.TIMEOUT_BEFORE, 0.5):
            return Fate(None, ANSWER_WITHIN, silence)
        if self._weather.strikes(Fault.TIMEOUT_AFTER, 0.5):
            return Fate(there, ANSWER_WITHIN, silence, self._terms())
        if self._weather.strikes(Fault.SERVER_ERRORS, 0.6):
            acted = self._weather.draw(Fault.SERVER_ERRORS).random() < 0.5
            return Fate(there if acted else None, there + back, Verdict(Outcome.UNKNOWN, "http_503"), self._terms())
        return None

    def _refused(self, there: timedelta, back: timedelta) -> Fate | None:
        if self._weather.strikes(Fault.REFUSED, 0.6):
            return Fate(None, there + back, Verdict(Outcome.REJECTED, "order_rejected"))
        return None

    def _terms(self) -> CloseTerms | None:
        if self._weather.strikes(Fault.SLOW_FILLS, 0.6):
            return CloseTerms(delay_ms=self._weather.draw(Fault.SLOW_FILLS).randint(100, 6000))
        if self._weather.strikes(Fault.PARTIAL_FILLS, 0.6):
            return CloseTerms(part=1)
        return None


class Requests:
    """The requests of one process; what comes back after its death reaches nobody."""

    def __init__(self, world: World, process: Process, *, fates: Fates, judge: Judge) -> None:
        self._world = world
        self._schedule = world.schedule
        self._venue = world.venue
        self._weather = world.weather
        self._calm = world.calm
        self._process = process
        self._fates = fates
        self._judge = judge
        self._reading: dict[str, list[tuple[str, datetime | None, Callable[[], None]]]] = {}
        self._read_until: dict[str, datetime] = {}

    # --- commands ----------------------------------------------------------------------------------------------

    def execute(self, command: BrokerCommand) -> None:
        """Send one request."""
        fate = self._fates.draw()
        self._judge.sent(command, arrives=fate.there is not None)
        troubled = fate.verdict is not None or fate.terms is not None or fate.back > ms(100)
        if troubled:
            slow_fill = ms(fate.terms.delay_ms) if fate.terms else timedelta()
            self._calm.disturb(int(command.account), self._schedule.now + RECOVERY + slow_fill)
        if fate.there is None:
            self._schedule.after(fate.back, lambda: self._end(command, fate.verdict))
            return
        self._schedule.after(fate.there, lambda: self._reach(command, fate))

    def _reach(self, command: BrokerCommand, fate: Fate) -> None:
        back = fate.back - (fate.there or timedelta())
        call, reply = self._carried_out(command, fate.terms)
        self._judge.reached(command, reply)
        verdict = fate.verdict or meaning(call, 200, _body(reply), self._schedule.now)
        if verdict.outcome is not Outcome.ACCEPTED:
            self._calm.disturb(int(command.account), self._schedule.now + RECOVERY)
        self._schedule.after(back, lambda: self._end(command, verdict))

    def _carried_out(self, command: BrokerCommand, terms: CloseTerms | None) -> tuple[Call, Reply]:
        account, venue = int(command.account), self._venue
        match command:
            case ClosePosition(quantity=None):
                return Call.CLOSE, venue.close(account, command.contract, None, terms)
            case ClosePosition():
                return Call.PARTIAL_CLOSE, venue.close(account, command.contract, command.quantity, terms)
            case CancelOrder():
                return Call.CANCEL, venue.cancel(account, int(command.order_id))
            case ResizeOrder():
                asked = ModifyOrder(account_id=account, order_id=int(command.order_id), size=command.size)
                return Call.RESIZE, venue.modify(asked)

    def _end(self, command: BrokerCommand, verdict: Verdict | None) -> None:
        if verdict is None or not self._process.alive:
            return
        if verdict.code not in ("no_answer", "not_sent"):
            self._process.clock.heard(self._schedule.now - ms(40))
        self._judge.answered(command, verdict.outcome)
        self._process.receive(
            CommandEnded(
                account=command.account,
                command_id=command.command_id,
                outcome=verdict.outcome,
                code=verdict.code,
                text=verdict.text,
            )
        )

    # --- snapshots ---------------------------------------------------------------------------------------------

    def request_snapshot(self, command: RequestSnapshot) -> None:
        """Start reading an account."""
        self.read(command.account, command.request_id, command.since)

    def read(
        self, account: str, request_id: str, since: datetime | None, done: Callable[[], None] = lambda: None
    ) -> None:
        """Read an account, after the readings of it that are under way; by itself from where the last one began."""
        waiting = self._reading.setdefault(account, [])
        waiting.append((request_id, since, done))
        if len(waiting) == 1:
            self._begin(account)

    def _begin(self, account: str) -> None:
        if not self._process.alive or not self._reading[account]:
            return
        if Fault.REST_DOWN in self._weather.blowing:
            pause = ms(self._weather.draw(Fault.REST_DOWN).uniform(250, 4000))
            self._schedule.after(pause, lambda: self._begin(account))
            return
        _, since, _ = self._reading[account][0]
        unread_since = self._unread_since(account)
        Reading(self._world, account, self._process.bus.last_seq).run(
            self._fates.way, since or unread_since, self._finish
        )

    def _unread_since(self, account: str) -> datetime:
        """Return from when the adapter has not read trades by itself, by the broker's stamps as it does."""
        until = self._read_until.get(account)
        return day_start(trading_day(self._schedule.now)) if until is None else until - OVERLAP

    def _finish(self, began_at: datetime, snapshot: SnapshotReported) -> None:
        if not self._process.alive:
            return
        account = snapshot.account
        request_id, since, done = self._reading[account][0]
        if snapshot.fills and (since is None or since <= self._unread_since(account)):
            self._read_until[account] = snapshot.fills[-1].at
        self._process.clock.heard(self._schedule.now - ms(40))
        self._judge.read(int(account), began_at)
        self._calm.snapshot(int(account), began_at, self._schedule.now, timedelta(seconds=2))
        self._process.receive(msgspec.structs.replace(snapshot, request_id=request_id))
        for fill in snapshot.fills:
            self._judge.told_of(fill)
        del self._reading[account][0]
        done()
        self._begin(account)


class Reading:
    """One reading of an account: orders, then trades, then positions, each at its own moment."""

    def __init__(self, world: World, account: str, asked_seq: int) -> None:
        self._schedule = world.schedule
        self._venue = world.venue
        self._account = account
        self._asked_seq = asked_seq
        self._began_at = world.schedule.now
        self._rest_commissions = world.plan.rest_commissions

    def run(
        self, way: Callable[[], timedelta], since: datetime, done: Callable[[datetime, SnapshotReported], None]
    ) -> None:
        """Read, and hand the snapshot over."""
        steps = self._steps(since, done)

        def step() -> None:
            if next(steps, None) is not None:
                self._schedule.after(way(), step)

        self._schedule.after(way(), step)

    def _steps(self, since: datetime, done: Callable[[datetime, SnapshotReported], None]) -> Iterator[bool]:
        orders = self._orders()
        yield True
        fills = self._fills(since)
        yield True
        positions = self._positions()
        record = self._venue.exchange.books.accounts[int(self._account)]
        yield True
        done(
            self._began_at,
            SnapshotReported(
                account=self._account,
                asked_seq=self._asked_seq,
                positions=positions,
                orders=orders,
                fills=fills,
                balance=record.balance,
                can_trade=record.can_trade,
                name=record.name,
            ),
        )

    def _orders(self) -> tuple[WorkingOrder, ...]:
        return tuple(translation.order(order) for order in self._venue.live_orders(int(self._account)))

    def _fills(self, since: datetime) -> tuple[Fill, ...]:
        trades = self._venue.trades_since(int(self._account), since)
        return tuple(translation.fill(trade, with_commission=self._rest_commissions) for trade in trades)

    def _positions(self) -> tuple[PositionReported, ...]:
        held = self._venue.exchange.read.positions(int(self._account), self._venue.now)
        return tuple(translation.position(position) for position in held if position.size)


def _body(reply: Reply) -> bytes:
    answer: Mapping[str, object] = {
        "success": reply.success,
        "errorCode": reply.code,
        "errorMessage": reply.message,
    }
    return msgspec.json.encode(answer)

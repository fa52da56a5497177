"""Carries out the faults of a plan on a running gateway."""

from datetime import datetime
from typing import assert_never

from riskd.simulator.control.hand import Hand
from riskd.simulator.exchange.events import QuoteEvent
from riskd.simulator.faults import rules
from riskd.simulator.faults.handling import NORMAL, Handling
from riskd.simulator.faults.plan import FaultPlan, Strike
from riskd.simulator.faults.rules import FaultFile
from riskd.simulator.gateway.connection import HangUp
from riskd.simulator.gateway.gateway import Gateway


class FaultDesk:
    """The plan that is in force, if any, and its effects."""

    def __init__(self, hand: Hand, gateway: Gateway) -> None:
        """Act on a gateway by this hand; nothing goes wrong until a plan is loaded."""
        self._hand = hand
        self._gateway = gateway
        self._plan: FaultPlan | None = None
        self._over: list[tuple[datetime, Strike]] = []
        self.struck = 0

    def load(self, file: FaultFile) -> None:
        """Put a plan in force, instead of the one before; none of its faults lasts on."""
        for _, strike in self._over:
            self._end(strike)
        self._over.clear()
        self._plan = FaultPlan(file, self._gateway.clock.now()) if file.faults else None
        self._gateway.kernel.wake()

    def handling(self, path: str) -> Handling:
        """Return what becomes of a REST call."""
        if self._plan is None:
            return NORMAL
        return self._plan.handling(path, self._gateway.clock.now())

    def deliveries(self, target: str) -> tuple[int, ...]:
        """Return after how many milliseconds an event arrives, once for each arrival."""
        if self._plan is None:
            return (0,)
        return self._plan.deliveries(target, self._gateway.clock.now())

    def seen_quote(self, event: QuoteEvent) -> QuoteEvent | None:
        """Return the quote that the hub shows."""
        return event if self._plan is None else self._plan.seen_quote(event, event.at)

    def next_at(self) -> datetime | None:
        """Return when a fault next begins or ends by itself."""
        moments = [ends for ends, _ in self._over]
        if self._plan is not None and self._plan.next_at is not None:
            moments.append(self._plan.next_at)
        return min(moments, default=None)

    def strike(self, at: datetime) -> None:
        """Begin and end the faults whose time has come."""
        ended = [each for each in self._over if each[0] <= at]
        self._over = [each for each in self._over if each[0] > at]
        for _, strike in ended:
            self._end(strike)
        for strike in self._plan.due(at) if self._plan is not None else ():
            self._begin(strike, at)
            if strike.lasts:
                self._over.append((at + strike.lasts, strike))
            self.struck += 1
            self._gateway.bell.ring()

    def _begin(self, strike: Strike, at: datetime) -> None:
        hand, rule = self._hand, strike.rule
        match rule:
            case rules.Disconnect():
                hand.disconnect(rule.hub, HangUp(rule.how))
            case rules.HubDown():
                hand.hub_down(rule.hub)
            case rules.RestDown():
                hand.rest_down()
            case rules.HalfOpen():
                hand.half_open(rule.hub)
            case rules.Logout():
                hand.logout(rule.hub)
            case rules.ExpireTokens():
                hand.expire_tokens()
            case rules.VoidTrade():
                hand.void_newest_trade()
            case rules.FrozenPrices() if self._plan is not None:
                self._plan.freeze(rule.contracts, at + strike.lasts)
            case rules.PositionsLag():
                hand.options(positions_lag_ms=round(sum(rule.ms) / 2))
            case _:
                assert_never(rule)  # type: ignore[arg-type]  # a timed rule without an effect

    def _end(self, strike: Strike) -> None:
        match strike.rule:
            case rules.HubDown(hub=hub):
                self._hand.hub_up(hub)
            case rules.RestDown():
                self._hand.rest_up()
            case rules.PositionsLag():
                self._hand.options(positions_lag_ms=0)
            case _:
                pass

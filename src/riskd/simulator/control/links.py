"""Outcomes of calls, connections, and time."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from riskd.simulator.control.base import ControlBase, ControlError
from riskd.simulator.faults.handling import Handling, Outcome
from riskd.simulator.faults.rules import HubChoice
from riskd.simulator.gateway import signalr
from riskd.simulator.gateway.connection import HangUp
from riskd.simulator.gateway.hold import HeldCall

CallName: TypeAlias = Literal["place", "modify", "cancel", "close", "partial_close"]


class TimeNow(msgspec.Struct, frozen=True):
    """The gateway's time and speed."""

    now: datetime
    speed: Decimal


class LinkControl(ControlBase):
    """Decides what becomes of calls and connections, and what time it is."""

    def hold(self, calls: Iterable[CallName] = ("close", "partial_close", "cancel")) -> None:
        """Withhold these calls until `outcome` decides on each; none of them: hold nothing."""
        self._gateway.rest.hold.calls = set(calls)

    def held(self) -> list[HeldCall]:
        """Return the withheld requests, oldest first."""
        return list(self._gateway.rest.hold.waiting)

    def outcome(
        self,
        result: Outcome = "accepted",
        *,
        call: CallName | None = None,
        number: int | None = None,
        code: int | None = None,
        message: str | None = None,
        status: int = 503,
    ) -> None:
        """Decide on the oldest withheld request (of a call, or with a log number)."""
        handling = Handling(outcome=result, code=code, message=message, status=status)
        try:
            self._gateway.rest.hold.decide(handling, call=call, number=number)
        except LookupError as error:
            raise ControlError(str(error)) from None

    # ------------------------------------------------------------------ connections

    def disconnect(self, hub: HubChoice = "all", how: HangUp = HangUp.CLEAN) -> None:
        """End the connections of a hub: clean, abort, error or error_reconnect (type 7)."""
        for each in self._gateway.hubs(hub):
            each.hang_up(how)

    def hub_down(self, hub: HubChoice = "all", *, seconds: float | None = None) -> None:
        """Break a hub's connections and refuse new ones, for some real seconds or until `hub_up`."""
        for each in self._gateway.hubs(hub):
            each.down = True
            each.hang_up(HangUp.ABORT)
        if seconds is not None:
            self._gateway.later(seconds, lambda: self.hub_up(hub))

    def hub_up(self, hub: HubChoice = "all") -> None:
        """Accept connections again."""
        for each in self._gateway.hubs(hub):
            each.down = False

    def half_open(self, hub: HubChoice = "all") -> None:
        """Leave the present connections open but dead."""
        for each in self._gateway.hubs(hub):
            each.play_dead()

    def rest_down(self, *, seconds: float | None = None) -> None:
        """Break every REST request, for some real seconds or until `rest_up`."""
        self._gateway.rest.down = True
        if seconds is not None:
            self._gateway.later(seconds, self.rest_up)

    def rest_up(self) -> None:
        """Answer REST requests again."""
        self._gateway.rest.down = False

    def logout(self, hub: HubChoice = "all") -> None:
        """Send GatewayLogout to the connections of a hub."""
        for each in self._gateway.hubs(hub):
            each.broadcast(signalr.event("GatewayLogout"))

    def expire_tokens(self) -> None:
        """End every session; open sockets stay."""
        self._gateway.rest.tokens.revoke_all()

    def time(self, *, now: datetime | None = None, speed: Decimal | None = None) -> TimeNow:
        """Set the gateway's time forward or change its speed (0: by hand); return both.

        The subscribers hear of it first, then come the events of the time that was skipped.
        """
        clock = self._gateway.clock
        try:
            if now is not None:
                clock.jump(now)
            if speed is not None:
                clock.set_speed(speed)
        except ValueError as error:
            raise ControlError(str(error)) from None
        if now is not None or speed is not None:
            self._gateway.announce_time()
            self._gateway.kernel.catch_up()
            self._gateway.kernel.wake()
        return TimeNow(clock.now(), clock.speed)

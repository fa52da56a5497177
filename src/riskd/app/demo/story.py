"""The day of a stubborn trader, act by act: what is done, and what has to come of it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from riskd.app.demo.daemon_log import Locked
from riskd.app.demo.failure import DemoFailed
from riskd.app.demo.prices import ES, MNQ
from riskd.app.demo.scene import Tone, Who
from riskd.app.demo.stage import Stage
from riskd.app.demo.wording import clock, contracts, quantities, usd
from riskd.domain.calendar import next_reset

_FALL_STEP: Final = timedelta(seconds=3)
_MOST_FALLING: Final = 5_000
_HOURS_FLY: Final = timedelta(minutes=5)
_SECOND: Final = timedelta(seconds=1)
_FAR_BELOW: Final = 40
"""Ticks that the waiting order lies below the market."""


class Outcome(msgspec.Struct, kw_only=True):
    """What the story has shown, besides the enforcements that riskd logged.

    Shape: ``stopped_in_order`` is None where a process cannot be asked to stop.
    Units: ``brokers_loss`` is the day's net P&L in the broker's books (USD) at the tick that was too much.
    """

    brokers_loss: Decimal | None = None
    lock_survived_kill: bool = False
    reset_at: datetime | None = None
    reset_at_17: bool = False
    left_alone: bool = False
    stopped_in_order: bool | None = None


class Story:
    """Plays the acts in order."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._desk = stage.desk
        self._heard = stage.heard
        self._limits = stage.scene.limits
        self.outcome = Outcome()

    async def play(self) -> Outcome:
        """Play all of it.

        Errors: DemoFailed when riskd does not do what the act is there to show.
        """
        acts: tuple[Callable[[], Awaitable[None]], ...] = (
            self._riskd_starts,
            self._inside_the_limits,
            self._too_much_size,
            self._the_market_falls,
            self._one_more_try,
            self._a_quiet_order,
            self._a_race,
            self._pull_the_plug,
            self._a_new_day,
            self._a_small_trade,
        )
        for act in acts:
            self._stage.begin_act()
            await act()
        self.outcome.stopped_in_order = await self._stage.stop_daemon()
        return self.outcome

    async def _riskd_starts(self) -> None:
        limits = self._limits
        self._say(f"rules: at most {contracts(limits.max_contracts)}, {usd(limits.daily_loss)} USD in a day")
        if limits.left_out:
            self._say(f"from {limits.source}; not played here: {', '.join(limits.left_out)}")
        await self._stage.play(1.5)
        await self._stage.start_daemon()
        armed = self._heard.armed
        if armed is None or armed.mode != "enforce":
            raise DemoFailed("riskd armed the account without enforcing its rules")
        await self._stage.play(2)

    async def _inside_the_limits(self) -> None:
        size = self._limits.first_order
        self._trader(f"buys {size} {MNQ} at the market")
        self._desk.at_market("buy", size, MNQ)
        await self._stage.until("see the first trade", lambda: self._riskd_sees({MNQ: size}))
        await self._stage.play(3)

    async def _too_much_size(self) -> None:
        size = self._limits.second_order
        self._trader(f"buys {size} {ES} at the market, on top of {quantities(self._desk.held())}")
        done = self._one_more_enforcement()
        self._desk.at_market("buy", size, ES)
        await self._stage.until("close what is above the contract limit", lambda: done() and self._at_the_limit())
        await self._stage.until("see what is left", lambda: self._riskd_sees(self._desk.held()))
        self._desk.settle()
        await self._stage.play(4.5)

    async def _the_market_falls(self) -> None:
        self._stage.tell(Who.MARKET, f"begins to fall; the trader holds on to {quantities(self._desk.held())}")
        done, locks = self._one_more_enforcement(), len(self._heard.locks)
        limit = self._limits.daily_loss
        fell = await self._stage.fall(
            passing=_FALL_STEP, enough=lambda: self._desk.net_today() <= limit, most_steps=_MOST_FALLING
        )
        if not fell:
            raise DemoFailed(f"the market did not fall far enough to lose {usd(limit)} USD; try another --seed")
        self.outcome.brokers_loss = self._desk.net_today()
        await self._stage.until(
            "lock and flatten the account at its loss limit",
            lambda: done() and self._desk.nothing_left() and len(self._heard.locks) > locks,
        )
        await self._confirmed()
        self._desk.settle()
        await self._stage.play(5)

    async def _one_more_try(self) -> None:
        self._trader(f"buys 1 {MNQ} at the market")
        await self._flattened(lambda: self._desk.at_market("buy", 1, MNQ))
        await self._stage.play(4)

    async def _a_quiet_order(self) -> None:
        done, cancels = self._one_more_enforcement(), len(self._desk.cancels_received())
        price = self._desk.bid_below(1, ES, ticks=_FAR_BELOW)
        self._trader(f"leaves an order to buy 1 {ES} at {price:,.2f}, {_FAR_BELOW} ticks below the market")
        await self._stage.until(
            "cancel the waiting order",
            lambda: done() and self._desk.nothing_left() and len(self._desk.cancels_received()) > cancels,
        )
        await self._confirmed()
        await self._stage.play(4)

    async def _a_race(self) -> None:
        self._trader(f"bids for 1 {MNQ} just below the market, and the market trades through it at once")
        await self._flattened(lambda: self._desk.bid_that_fills(1, MNQ))
        await self._stage.play(4)

    async def _pull_the_plug(self) -> None:
        lock = self._lock()
        unlocks, pid = self._heard.unlocks, self._stage.scene.pid
        await self._stage.kill_daemon()
        self._say(f"riskd is killed without warning (process {pid}); the account is unwatched", alarm=True)
        await self._stage.play(3)
        await self._stage.start_daemon()
        held = self._still_locked(lock) and self._heard.unlocks == unlocks
        if held:
            self._stage.tell(Who.RISKD, f"a new process ({self._stage.scene.pid}), and still locked", tone=Tone.GOOD)
        await self._stage.play(3)
        self._trader(f"buys 1 {ES} at the market, in case riskd forgot")
        await self._flattened(lambda: self._desk.at_market("buy", 1, ES))
        self.outcome.lock_survived_kill = held and self._heard.unlocks == unlocks
        await self._stage.play(4)

    async def _a_new_day(self) -> None:
        reset = next_reset(self._desk.now)
        unlocks = self._heard.unlocks
        await self._stage.pass_time(reset - _SECOND, passing=_HOURS_FLY)
        await self._stage.until("report after the hours that passed", lambda: self._reported(reset - _SECOND))
        locked_before = self._still_locked(self._lock()) and self._heard.unlocks == unlocks
        self._say(f"it is {clock(self._desk.now)}, and the account is {'still locked' if locked_before else 'free'}")
        await self._stage.play(2, passing=timedelta(0))
        self._desk.advance_to(reset)
        await self._stage.until("free the account at 17:00", lambda: self._heard.unlocks > unlocks)
        self.outcome.reset_at = self._desk.now
        await self._stage.until("begin the new day at zero", lambda: self._reported(reset) and self._fresh())
        self._tell_new_day()
        self.outcome.reset_at_17 = locked_before and self.outcome.reset_at == reset
        await self._stage.play(3)

    def _tell_new_day(self) -> None:
        status = self._heard.status
        if status is not None:
            loss = usd(status.realized)
            self._stage.tell(Who.RISKD, f"a new trading day: realized {loss} USD, {status.state}", tone=Tone.GOOD)

    async def _a_small_trade(self) -> None:
        closes = len(self._desk.closes_received())
        self._trader(f"buys 1 {MNQ} at the market")
        self._desk.at_market("buy", 1, MNQ)
        await self._stage.until("see the small trade", lambda: self._riskd_sees({MNQ: 1}))
        await self._stage.play(4)
        self.outcome.left_alone = self._desk.held() == {MNQ: 1} and len(self._desk.closes_received()) == closes
        if self.outcome.left_alone:
            self._say("nobody interferes", good=True)
        self._trader(f"sells 1 {MNQ} and is done for the day")
        self._desk.at_market("sell", 1, MNQ)
        await self._stage.until("see the account flat", lambda: self._riskd_sees({}))
        await self._stage.play(3)

    # --- what is waited for ------------------------------------------------------------------------------------

    async def _flattened(self, act: Callable[[], object]) -> None:
        done = self._one_more_enforcement()
        act()
        await self._stage.until("flatten the account under its lock", lambda: done() and self._desk.nothing_left())
        await self._confirmed()

    async def _confirmed(self) -> None:
        """Wait until the broker has confirmed to riskd that the account is flat: what comes then is a new attempt."""
        await self._stage.until("have the flat account confirmed", lambda: self._heard.confirmed)

    def _one_more_enforcement(self) -> Callable[[], bool]:
        count = len(self._heard.enforced)
        return lambda: len(self._heard.enforced) > count

    def _at_the_limit(self) -> bool:
        return sum(map(abs, self._desk.held().values())) == self._limits.max_contracts

    def _riskd_sees(self, held: dict[str, int]) -> bool:
        status = self._heard.status
        return status is not None and status.held == held and self._desk.held() == held

    def _reported(self, moment: datetime) -> bool:
        status = self._heard.status
        return status is not None and status.at_account is not None and status.at_account >= moment

    def _fresh(self) -> bool:
        status = self._heard.status
        return status is not None and status.state == "armed" and not status.locked and not status.realized

    def _lock(self) -> Locked:
        return self._heard.locks[-1]

    def _still_locked(self, lock: Locked) -> bool:
        status = self._heard.status
        return status is not None and status.state == "locked" and status.locked_until == lock.until

    # --- what is said ------------------------------------------------------------------------------------------

    def _trader(self, text: str) -> None:
        self._stage.tell(Who.TRADER, text)

    def _say(self, text: str, *, good: bool = False, alarm: bool = False) -> None:
        tone = Tone.GOOD if good else Tone.ALARM if alarm else Tone.PLAIN
        self._stage.tell(Who.DEMO, text, tone=tone)

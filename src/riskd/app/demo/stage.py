"""Where the story is played: time and market go on, words appear, and everybody waits for what is to happen.

The broker's time stands still while riskd is expected to act, so that one seed gives one story, whatever the machine.
Nothing is drawn meanwhile either: broker and screen share a process, and drawing would be charged to riskd.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from riskd.app.demo.daemon import Daemon
from riskd.app.demo.daemon_log import AnyLine, Enforced, Locked, Ready, Unlocked
from riskd.app.demo.failure import DemoFailed
from riskd.app.demo.prices import Mood
from riskd.app.demo.scene import DaemonState, Entry, Scene, Show, Tone, Who
from riskd.app.demo.wording import pace, until
from riskd.simulator import SimulatedGateway

_STEP_S: Final = 0.12
_PATIENCE_S: Final = 30.0
_PATIENCE_WITH_A_START_S: Final = 60.0
_NUDGE_AFTER_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.1
_STEP: Final = timedelta(seconds=2)
_NUDGE: Final = timedelta(milliseconds=500)


class Stage:
    """The scene, and those who act in it."""

    def __init__(self, scene: Scene, gateway: SimulatedGateway, show: Show, *, fast: bool) -> None:
        self.scene = scene
        self.desk = scene.desk
        self.heard = scene.heard
        self._gateway = gateway
        self._show = show
        self._fast = fast
        self._daemon: Daemon | None = None
        self._last_beat = 0.0

    # --- the daemon --------------------------------------------------------------------------------------------

    def use(self, daemon: Daemon) -> None:
        """Let this daemon act."""
        self._daemon = daemon

    def hear(self, line: AnyLine) -> None:
        """Take a line of the daemon's log, and tell what is in it."""
        self.heard.take(line)
        match line:
            case Ready():
                self.tell(Who.RISKD, f"ready after {line.took_ms} ms", tone=Tone.GOOD)
            case Locked():
                self.tell(Who.RISKD, f"LOCKED until {until(line.until)}: {line.reason}", tone=Tone.ALARM)
            case Enforced():
                self.tell(Who.RISKD, line.text, detail=pace(line), tone=Tone.ALARM)
            case Unlocked():
                self.tell(Who.RISKD, "unlocked: the account is free again", tone=Tone.GOOD)
            case _:
                pass
        self._gateway.bell.ring()

    def daemon_ended(self) -> None:
        """Wake those who wait for a daemon that is no more."""
        self._gateway.bell.ring()

    async def start_daemon(self) -> None:
        """Run the daemon and wait until the account is under its protection."""
        self.heard.begin_run()
        self._show_daemon(DaemonState.STARTING)
        await self._the_daemon.start()
        self.scene.pid = self._the_daemon.pid
        await self._until_armed()
        self._show_daemon(DaemonState.RUNNING)

    async def _until_armed(self) -> None:
        """Wait for as long as an ordinary machine may need; the broker's time waits too, however long that is."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_WITH_A_START_S
        while not self._armed():
            self._assert_patient("arm the account", deadline)
            await self._look(self._armed)
            self._show.draw(self.scene)

    async def kill_daemon(self) -> None:
        """End the daemon without a warning."""
        await self._the_daemon.kill()
        self._show_daemon(DaemonState.KILLED)

    async def stop_daemon(self) -> bool | None:
        """Ask the daemon to stop; return whether it ended in good order, None where it cannot be asked."""
        in_order = await self._the_daemon.stop()
        self._show_daemon(DaemonState.STOPPED)
        return in_order

    def _armed(self) -> bool:
        heard, status = self.heard, self.heard.status
        said = heard.ready is not None and heard.armed is not None
        return said and status is not None and status.state in {"armed", "locked"}

    @property
    def _the_daemon(self) -> Daemon:
        if self._daemon is None:
            raise DemoFailed("there is no daemon to run")
        return self._daemon

    def _show_daemon(self, state: DaemonState) -> None:
        self.scene.daemon = state
        self._show.draw(self.scene)

    # --- words -------------------------------------------------------------------------------------------------

    def begin_act(self) -> None:
        """Go on to the next part of the story."""
        self.scene.act += 1
        self._show.begin_act(self.scene)

    def tell(self, who: Who, text: str, *, detail: str = "", tone: Tone = Tone.PLAIN) -> None:
        """Add a line to the story."""
        entry = Entry(at=self.desk.now, who=who, text=text, detail=detail, tone=tone)
        self.scene.entries.append(entry)
        self._show.add(self.scene, entry)

    # --- time --------------------------------------------------------------------------------------------------

    async def play(self, seconds: float, *, passing: timedelta = _STEP) -> None:
        """Let a calm market go on for as long as it takes to read what happened.

        Units: real seconds; the number of steps, and so the story, is the same when nobody reads.
        """
        for _ in range(round(seconds / _STEP_S)):
            self.desk.advance(passing)
            self._move(Mood.CALM)
            await self._pause(_STEP_S)

    async def pass_time(self, moment: datetime, *, passing: timedelta) -> None:
        """Let the hours fly until a moment."""
        while self.desk.now < moment:
            self.desk.advance_to(min(moment, self.desk.now + passing))
            self._move(Mood.CALM)
            await self._pause(_STEP_S / 2)

    async def fall(self, *, passing: timedelta, enough: Callable[[], bool], most_steps: int) -> bool:
        """Let the market fall until it is enough, tick by tick; return whether it was."""
        for _ in range(most_steps):
            self.desk.advance(passing)
            for quote in self.desk.move(Mood.FALLING):
                self.desk.show(quote)
                if enough():
                    return True
            await self._pause(_STEP_S)
        return False

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Return once a condition holds; it is looked at whenever broker or daemon did something.

        Shape: where it takes very long, the broker's time goes on a little, for whatever waits for time.
        Errors: DemoFailed when the daemon has ended, or patience has.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not condition():
            self._assert_patient(what, began + _PATIENCE_S)
            if loop.time() > began + _NUDGE_AFTER_S:
                self.desk.advance(_NUDGE)
            await self._look(condition)
        self._show.draw(self.scene)

    async def _look(self, condition: Callable[[], bool]) -> None:
        with suppress(TimeoutError):
            await self._gateway.control.wait_until(lambda: condition() or self._gone(), within=_LOOK_EVERY_S)

    def _assert_patient(self, what: str, deadline: float) -> None:
        words = self._the_daemon.last_words
        if self._gone():
            raise DemoFailed(f"riskd ended while it was to {what}{self._exit_text()}", words)
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"riskd did not {what} in time", words)

    def _gone(self) -> bool:
        return not self._the_daemon.running

    def _exit_text(self) -> str:
        code = self._the_daemon.exit_code
        return "" if code is None else f" (exit code {code})"

    def _move(self, mood: Mood) -> None:
        for quote in self.desk.move(mood):
            self.desk.show(quote)

    async def _pause(self, seconds: float) -> None:
        """Wait for the next beat; what drawing and moving took is part of it."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0 if self._fast else max(0.0, self._last_beat + seconds - loop.time()))
        self._last_beat = loop.time()
        self._show.draw(self.scene)

"""From a configuration file to a running daemon, and back to the shell with an exit code."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import typer

from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.app.state_place import default_state_dir, notes_about
from riskd.config.errors import ConfigErrors
from riskd.config.loader import load_config
from riskd.config.models import Config
from riskd.config.specs import specs, unlisted_spec
from riskd.daemon.admin_desk import AdminDesk
from riskd.daemon.belonging import AnotherBroker, claim_for
from riskd.daemon.configuration import Wanted
from riskd.daemon.garbage import spare_what_stays
from riskd.daemon.instance import AlreadyRunning, SingleInstance
from riskd.daemon.logs import Logs, start_logs
from riskd.daemon.reloading import Marks, Reloader, marks, refusal
from riskd.daemon.runtime import Runtime, RuntimeSettings
from riskd.daemon.whereabouts import Noting, StillThere, Whereabouts
from riskd.domain.commands import Severity
from riskd.notifications.channels import Channel
from riskd.notifications.dead_man import DeadMan
from riskd.notifications.service import NotificationConfig
from riskd.rules.durations import parse_duration
from riskd.storage.durability import make_directory

OK: Final = 0
BAD_INPUT: Final = 2
FAILED: Final = 1


class Run(msgspec.Struct, frozen=True):
    """What `riskd-admin run` was asked for."""

    config: Path
    state_dir: Path | None
    status_every: str | None
    as_json: bool
    ask: bool


def run_daemon(asked: Run) -> int:
    """Run the daemon until it is told to stop; return the exit code."""
    known = marks(_files(asked.config))
    try:
        config = load_config(asked.config)
        settings = runtime_settings(config, asked)
    except ConfigErrors as errors:
        return _refuse(*errors.lines())
    except ValueError as error:
        return _refuse(f"--status-every: {error}")
    try:
        make_directory(settings.state_dir)
        with SingleInstance(settings.state_dir, now=_wall()) as instance:
            claim_for(settings.state_dir, settings.broker_name)
            places = _whereabouts(settings, asked)
            settings = replace(settings, killed=instance.abandoned, lost=_lost(places, settings))
            return asyncio.run(_serve(config, settings, asked, known, places))
    except (AlreadyRunning, AnotherBroker, StillThere) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{settings.state_dir}: cannot be used: {error.strerror or error}; check paths.state")
    except KeyboardInterrupt:
        return OK


def _refuse(*lines: str) -> int:
    for line in lines:
        sys.stderr.write(f"riskd-admin: {line}\n")
    return BAD_INPUT


def runtime_settings(config: Config, asked: Run) -> RuntimeSettings:
    """Return what the daemon is made of.

    Errors: ValueError for a duration that cannot be read.
    """
    broker = config.broker
    if broker is None:
        raise ValueError("the configuration names no broker")
    state_dir = asked.state_dir or _state_dir(config, asked.config)
    every = parse_duration(asked.status_every).total_seconds() if asked.status_every else None
    wanted = _wanted(config)
    return RuntimeSettings(
        state_dir=state_dir,
        rules=wanted.rules,
        unlisted=wanted.unlisted,
        at_start=wanted.at_start,
        broker=ProjectXSettings(
            rest_url=broker.rest_url,
            user_hub_url=broker.user_hub_url,
            market_hub_url=broker.market_hub_url,
            username=broker.username,
            api_key=broker.api_key.get_secret_value(),
            accounts=tuple(account.id for account in config.accounts),
        ),
        notifications=NotificationConfig(channels=wanted.channels, outbox=state_dir / "outbox"),
        arming=wanted.arming,
        admin_under_lockout=wanted.admin_under_lockout,
        dead_man=_dead_man(config),
        confirm=_ask if asked.ask else None,
        status_every_s=every,
    )


def _wanted(config: Config) -> Wanted:
    """Return what a running daemon takes over of a configuration."""
    return Wanted(
        rules=specs(config),
        unlisted=unlisted_spec(config),
        channels=_channels(config),
        arming=config.arming,
        admin_under_lockout=config.admin_under_lockout,
        at_start={
            "broker": config.broker,
            "api": config.api,
            "paths": config.paths,
            "notifications.dead_man_ping": config.notifications.dead_man_ping,
        },
    )


def _state_dir(config: Config, file: Path) -> Path:
    if config.paths.state is not None:
        return file.parent / config.paths.state
    return default_state_dir()


def _channels(config: Config) -> tuple[Channel, ...]:
    return tuple(
        Channel(
            name=channel.name,
            url=channel.url.get_secret_value(),
            severity=Severity(channel.severity),
            accounts=channel.accounts or (),
        )
        for channel in config.notifications.channels
    )


def _dead_man(config: Config) -> DeadMan | None:
    url = config.notifications.dead_man_ping
    return None if url is None else DeadMan(url.get_secret_value())


def _ask(account: str, consequences: Sequence[str]) -> bool:
    typer.echo(f"\nAccount {account} has never been armed here. Arming it now would:")
    for consequence in consequences or ("change nothing: no limit is broken at the moment.",):
        typer.echo(f"  - {consequence}")
    return typer.confirm("Enforce from now on? Otherwise riskd only watches and tells (shadow mode)")


def _wall() -> datetime:
    return datetime.now(UTC)


def _whereabouts(settings: RuntimeSettings, asked: Run) -> Whereabouts:
    broker = settings.broker
    folders = notes_about(asked.config, simulated=broker.on_this_machine)
    return Whereabouts(settings.state_dir, folders, rest_url=broker.rest_url, login=broker.username)


def _lost(places: Whereabouts, settings: RuntimeSettings) -> Mapping[str, str]:
    """Return the accounts of which what was last written is not here, also of those that get rules without being named.

    Errors: StillThere where it is in another directory.
    """
    unlisted = places.known if settings.unlisted is not None else frozenset()
    return places.lost(sorted({*settings.rules, *unlisted}))


async def _serve(config: Config, settings: RuntimeSettings, asked: Run, known: Marks, whereabouts: Whereabouts) -> int:
    logs = _start_logs(config, asked, settings.state_dir)
    try:
        runtime = Runtime(settings, logs.logger)
        reloader = _reloader(asked.config, known, runtime, logs)
        stopped = asyncio.Event()
        _on_signals(stopped.set, reload=reloader.now)
        desk = AdminDesk(settings.state_dir, runtime, logs.logger)
        runtime.listen(desk.heard)
        noting = Noting(whereabouts, runtime.state_manager.accounts, settings.state_dir, logs.logger)
        runtime.listen(noting.heard)
        runtime.keep("configuration", reloader.run)
        runtime.keep("requests", desk.run)
        runtime.keep("whereabouts", lambda: noting.run(runtime.ready))
        try:
            await runtime.start()
            spare_what_stays()
            waits = [asyncio.ensure_future(event.wait()) for event in (stopped, runtime.failed)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await runtime.stop()
            noting.end()
    finally:
        logs.close()
    return FAILED if runtime.failed.is_set() else OK


def _start_logs(config: Config, asked: Run, state_dir: Path) -> Logs:
    """Log to the terminal and a file; without the file where it cannot be opened, since protecting comes first."""
    folder = state_dir / "logs" if config.paths.logs is None else asked.config.parent / config.paths.logs
    begin = partial(start_logs, now=_wall, stream=sys.stdout, plain=not asked.as_json, secrets=_secrets(config))
    try:
        return begin(file=folder / "riskd.log")
    except (OSError, ValueError) as error:
        why = f"{folder / 'riskd.log'} cannot be written: {error}; check paths.logs"
    logs = begin()
    logs.logger.error("no log file", text=why)
    return logs


def _files(config: Path) -> tuple[Path, ...]:
    return config, config.parent / ".env"


def _reloader(file: Path, known: Marks, runtime: Runtime, logs: Logs) -> Reloader:
    def read() -> Wanted:
        config = load_config(file)
        logs.hide(_secrets(config))
        return _wanted(config)

    return Reloader(
        _files(file),
        known=known,
        read=read,
        use=runtime.reload,
        refuse=lambda lines: runtime.refuse(refusal(lines)),
    )


def _secrets(config: Config) -> list[str]:
    found = [channel.url.get_secret_value() for channel in config.notifications.channels]
    if config.notifications.dead_man_ping is not None:
        found.append(config.notifications.dead_man_ping.get_secret_value())
    return [*found, config.broker.api_key.get_secret_value()] if config.broker else found


def _on_signals(stop: Callable[[], None], *, reload: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    # Windows loops know no handlers; there Ctrl+C ends asyncio.run with KeyboardInterrupt.
    with suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        if sys.platform != "win32":
            loop.add_signal_handler(signal.SIGHUP, reload)

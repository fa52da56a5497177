"""Ways round a limit by the machine: processes, files, the clock and the time zone, with the real daemon."""

import json
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from riskd.config.errors import ConfigErrors
from riskd.config.loader import load_config
from riskd.daemon.belonging import AnotherBroker, broker_name, claim_for
from riskd.simulator import SimulatedGateway
from riskd.storage.state_files import decode, encode
from tests.attacks.catalogue import Answer, attack
from tests.attacks.people import LOSS, MAX4, Scene, scene
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, settings_for, started
from tests.support.process import DaemonProcess, daemon_process
from tests.support.webhook import webhook

CONFIG = Path(__file__).parents[1] / "fixtures" / "config.json"
NUMBER = int(ACCOUNT)
PROFIT = {"DailyRealizedProfit": {"limit": "200.00"}}
NO_HOOK = {"RISKD_WEBHOOK": "json://127.0.0.1:9/nobody"}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind exist on Linux and macOS only")


def buys(gateway: SimulatedGateway, size: int, product: str = "MNQ", price: str = "18000.00") -> None:
    """Let the trader buy."""
    gateway.control.fill(NUMBER, product, "buy", size, Decimal(price))


async def locks_out(daemon: Daemon) -> None:
    """Lose what the day allows."""
    buys(daemon.gateway, 2)
    await daemon.until(lambda: daemon.quantity("MNQ") == 2)
    await daemon.priced("MNQ")
    daemon.gateway.control.price("MNQ", Decimal("17870.00"))
    await daemon.enforced()
    assert daemon.state.locked


async def wins_and_gives_it_back(daemon: Daemon) -> None:
    """Reach the day's profit and lose it again under the lockout: no rule is broken any more, the lockout stands."""
    control = daemon.gateway.control
    buys(daemon.gateway, 2)
    await daemon.until(lambda: daemon.quantity("MNQ") == 2)
    await daemon.priced("MNQ")
    control.price("MNQ", Decimal("18130.00"))
    await daemon.enforced()
    control.price("MNQ", Decimal("17600.00"))
    buys(daemon.gateway, 1, price="18130.00")
    await daemon.enforced(2)
    assert daemon.view.net_pnl < 0
    assert daemon.state.locked


async def still_locked(scene: Scene) -> None:
    """Start riskd anew and make sure that the lockout stands and is enforced."""
    async with scene.daemon() as daemon:
        assert daemon.state.locked
        buys(scene.gateway, 1, "ES", "5800.00")
        assert daemon.broker_quantity("ES") == 1
        await scene.gateway.control.wait_position(NUMBER, "ES", 0)


# --- the process ----------------------------------------------------------------------------------------------------


@attack(Answer.UNDONE)
@pytest.mark.slow
async def test_kill_it_in_the_middle_of_a_flatten(tmp_path: Path) -> None:
    """Kill riskd between its lockout and the broker's answer to the close.

    → The lockout was written before the close was sent; the next start looks, and closes what is still there, once.
    """
    async with SimulatedGateway(gateway_settings()) as gateway:
        control = gateway.control
        control.time(speed=Decimal(1))
        control.hold(("close",))
        async with daemon_process(gateway, CONFIG, tmp_path, NO_HOOK) as daemon:
            await daemon.line("ready")
            buys(gateway, 2)
            await control.wait_subscribed("GatewayQuote", control.contract_id("MNQ"))
            control.price("MNQ", Decimal("17870.00"))
            await control.wait_held("close")
            await daemon.kill()
        control.hold(())
        assert control.position(NUMBER, "MNQ") == 2
        async with daemon_process(gateway, CONFIG, tmp_path, NO_HOOK) as daemon:
            await control.wait_flat(NUMBER)
            await daemon.line("ready")
            buys(gateway, 1, "ES", "5800.00")
            await control.wait_position(NUMBER, "ES", 0)
            await daemon.line("close", lambda line: line["symbol"] == "ESH6")


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_kill_it_and_trade(tmp_path: Path) -> None:
    """Kill riskd under a lockout, trade by phone while it is gone, and start it again.

    → Nothing acts while it is gone, and the dead-man's ping stops. The start tells from when to when it was down and
    how many trades it found, and closes what is open. The lockout stands.
    """
    async with webhook() as coach, SimulatedGateway(gateway_settings()) as gateway:
        hook = {"RISKD_WEBHOOK": coach.url}
        async with daemon_process(gateway, CONFIG, tmp_path, hook) as daemon:
            await daemon.line("ready")
            buys(gateway, 1)
            gateway.control.fill(NUMBER, "MNQ", "sell", 1, Decimal("17740.00"))
            await daemon.line("locked")
            await daemon.kill()
        gateway.control.time(now=gateway.clock.now().replace(minute=37))
        buys(gateway, 3, "ES", "5800.00")
        async with daemon_process(gateway, CONFIG, tmp_path, hook) as daemon:
            await coach.containing("riskd is back: it was down from 2026-03-10 09:30:00 CT to 2026-03-10 09:37:00 CT")
            await coach.containing("it was not stopped but killed")
            await coach.containing("blind from 09:30:00 CT to 09:37:00 CT: 1 trade seen afterwards")
            await gateway.control.wait_flat(NUMBER)


@attack(Answer.TOLD)
async def test_stop_it(tmp_path: Path) -> None:
    """Stop riskd, as the owner of the machine always can.

    → Before it ends it tells a second person which accounts are unprotected from now on, urgently if one is locked.
    """
    async with scene(tmp_path, LOSS) as all_of_it:
        async with all_of_it.daemon() as daemon:
            await locks_out(daemon)
        told = await all_of_it.coach.containing("riskd is being stopped and protects nothing until it is started again")
        assert "account 101 (locked)" in told
        assert json.loads(told)["type"] == "failure"


@attack(Answer.UNDONE)
@POSIX
@pytest.mark.slow
async def test_freeze_it(tmp_path: Path) -> None:
    """Freeze the process or put the machine to sleep, and trade on another device.

    → No sign of life comes meanwhile; when it runs again it reads what happened and closes what is too much.
    """
    async with (
        SimulatedGateway(gateway_settings()) as gateway,
        daemon_process(gateway, CONFIG, tmp_path, NO_HOOK) as daemon,
    ):
        await daemon.line("ready")
        daemon.process.send_signal(signal.SIGSTOP)
        buys(gateway, 6)
        assert gateway.control.position(NUMBER, "MNQ") == 6
        daemon.process.send_signal(signal.SIGCONT)
        await gateway.control.wait_position(NUMBER, "MNQ", 4)


@attack(Answer.STOPPED)
@pytest.mark.slow
async def test_start_a_second_one(tmp_path: Path) -> None:
    """Start another riskd with looser rules on the same state directory, to take the accounts over.

    → One directory serves one process: the second is refused with a sentence and does nothing.
    """
    async with (
        SimulatedGateway(gateway_settings()) as gateway,
        daemon_process(gateway, CONFIG, tmp_path, NO_HOOK) as first,
    ):
        await first.line("ready")
        loose = tmp_path / "loose.json"
        loose.write_text(CONFIG.read_text(encoding="utf-8").replace('"max_contracts": 4', '"max_contracts": 40'))
        async with daemon_process(gateway, loose, tmp_path, NO_HOOK) as second:
            assert await second.process.wait() == 2
        buys(gateway, 6)
        await gateway.control.wait_position(NUMBER, "MNQ", 4)


@attack(Answer.STOPPED)
@pytest.mark.slow
async def test_point_it_at_a_broker_of_ones_own(tmp_path: Path) -> None:
    """Name a simulated broker in the file, let its clock run to tomorrow, and name the real one again.

    → A state directory belongs to one broker: riskd does not start on it with another, and says why.
    """
    addresses = ("RISKD_REST_URL", "RISKD_USER_HUB_URL", "RISKD_MARKET_HUB_URL")
    real = {**NO_HOOK, **dict.fromkeys(addresses, "https://broker.invalid")}
    async with SimulatedGateway(gateway_settings()) as gateway:
        async with daemon_process(gateway, CONFIG, tmp_path, real) as daemon:
            await daemon.line("link_down")
        async with daemon_process(gateway, CONFIG, tmp_path, NO_HOOK) as daemon:
            assert await daemon.process.wait() == 2
            assert daemon.lines == []


@attack(Answer.STOPPED)
@pytest.mark.slow
async def test_edit_whose_broker_it_is(tmp_path: Path) -> None:
    """Edit or delete the file that says to which broker the state directory belongs.

    → The journal says it as well, and its lines are chained.
    """
    async with SimulatedGateway(gateway_settings()) as gateway:
        async with daemon_process(gateway, CONFIG, tmp_path / "state", NO_HOOK) as daemon:
            await daemon.line("ready")
        (tmp_path / "state" / "broker.json").write_text('{"broker":"broker.invalid"}', encoding="utf-8")
        addresses = ("RISKD_REST_URL", "RISKD_USER_HUB_URL", "RISKD_MARKET_HUB_URL")
        other = {**NO_HOOK, **dict.fromkeys(addresses, "https://broker.invalid")}
        async with daemon_process(gateway, CONFIG, tmp_path / "state", other) as daemon:
            assert await daemon.process.wait() == 2


@attack(Answer.STOPPED)
def test_feed_it_prices_of_ones_own(tmp_path: Path) -> None:
    """Leave the broker's address and name a market hub of one's own, whose prices show no loss.

    → All addresses count: with another one of them the state directory belongs to another broker, and a hub on this
    machine beside a broker that is not is a mistake in the file.
    """
    real = ("https://api.broker.example", "https://rtc.broker.example/hubs/user")
    claim_for(tmp_path, broker_name((*real, "https://rtc.broker.example/hubs/market")))
    with pytest.raises(AnotherBroker, match=r"rtc\.mine\.example"):
        claim_for(tmp_path, broker_name((*real, "https://rtc.mine.example/hubs/market")))

    raw = json.loads(CONFIG.read_text(encoding="utf-8"))
    raw["broker"].update(rest_url=real[0], user_hub_url=real[1], market_hub_url="http://127.0.0.1:5000/hubs/market")
    file = tmp_path / "config.json"
    file.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ConfigErrors, match="this machine"):
        load_config(file, environment={"RISKD_USERNAME": "u", "RISKD_API_KEY": "k", **NO_HOOK})


@attack(Answer.TOLD)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of a running process")
@pytest.mark.slow
async def test_fill_the_disk(tmp_path: Path) -> None:
    """Fill the disk, so that riskd can write neither its journal nor the accounts, and nothing survives a restart.

    → It enforces all the same, and people are told that a restart would forget what happens now.
    """
    import resource  # noqa: PLC0415 - there is none on Windows

    async with (
        webhook() as coach,
        SimulatedGateway(gateway_settings()) as gateway,
        daemon_process(gateway, CONFIG, tmp_path, {"RISKD_WEBHOOK": coach.url}) as daemon,
    ):
        await daemon.line("ready")
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (2000, 2000))
        buys(gateway, 6)
        await gateway.control.wait_position(NUMBER, "MNQ", 4)
        await coach.containing("the journal cannot be written")


# --- the files ------------------------------------------------------------------------------------------------------


def _unlock(state: Path) -> None:
    """Edit every lockout out of the account's files, as somebody does who knows how they are written."""
    for path in (state / "accounts").glob("*.json*"):
        saved = decode(path.read_bytes())
        free = msgspec.structs.replace(saved.state, lockouts=())
        path.write_bytes(encode(msgspec.structs.replace(saved, state=free)))


def _truncate(state: Path) -> None:
    for path in (state / "accounts").glob("*.json*"):
        path.write_bytes(path.read_bytes()[:100])


def _forget_the_accounts(state: Path) -> None:
    shutil.rmtree(state / "accounts")


def _forget_the_journal(state: Path) -> None:
    shutil.rmtree(state / "journal")


async def _tampered(tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    async with scene(tmp_path, PROFIT) as all_of_it:
        async with all_of_it.daemon() as daemon:
            await wins_and_gives_it_back(daemon)
        tamper(all_of_it.settings.state_dir)
        await still_locked(all_of_it)


@attack(Answer.STOPPED)
async def test_edit_the_lockout_out_of_the_file(tmp_path: Path) -> None:
    """Edit the account's state file so that it is not locked, and its checksum with it.

    → File and journal are both read, and whichever says that the account is locked is believed.
    """
    await _tampered(tmp_path, _unlock)


@attack(Answer.STOPPED)
async def test_damage_the_file(tmp_path: Path) -> None:
    """Cut the account's state files short, so that they cannot be read.

    → They are set aside, and the account is rebuilt from the journal, lockout included.
    """
    await _tampered(tmp_path, _truncate)


@attack(Answer.STOPPED)
async def test_delete_the_accounts(tmp_path: Path) -> None:
    """Delete the accounts' state files.

    → The accounts are rebuilt from the journal, lockout included.
    """
    await _tampered(tmp_path, _forget_the_accounts)


@attack(Answer.STOPPED)
async def test_delete_the_journal(tmp_path: Path) -> None:
    """Delete the journal.

    → The accounts' state files know of the lockout as well.
    """
    await _tampered(tmp_path, _forget_the_journal)


@attack(Answer.TOLD)
async def test_rewrite_the_journal(tmp_path: Path) -> None:
    """Rewrite a line of the journal and the state files with it, as if there had been no lockout.

    → Each line carries the hash of the one before: the break is found and told, and the day's loss, which the broker
    knows, locks anew.
    """

    def tamper(state: Path) -> None:
        _unlock(state)
        for path in (state / "journal").glob("*.jsonl"):
            lines = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join(line for line in lines if b'"lock"' not in line))

    async with scene(tmp_path, LOSS) as all_of_it:
        async with all_of_it.daemon() as daemon:
            await locks_out(daemon)
        tamper(all_of_it.settings.state_dir)
        await still_locked(all_of_it)
        await all_of_it.coach.containing("what riskd wrote is not as it left it")


@attack(Answer.TOLD)
async def test_delete_all_of_it(tmp_path: Path) -> None:
    """Delete everything that riskd has written, its notes beside the configuration and among the settings too.

    → A second person hears that the account is armed as if for the first time. The day's loss comes from the broker
    and locks anew; cooldowns and announced changes are lost.
    """
    async with scene(tmp_path, LOSS) as all_of_it:
        async with all_of_it.daemon() as daemon:
            await locks_out(daemon)
        shutil.rmtree(all_of_it.settings.state_dir)
        async with all_of_it.daemon() as daemon:
            await daemon.until(lambda: daemon.state.locked)
            await all_of_it.coach.containing("account 101 is armed for the first time here")


@attack(Answer.STOPPED)
async def test_arm_it_in_shadow_mode(tmp_path: Path) -> None:
    """Set `"arming": "shadow"` and start riskd again, so that it only watches.

    → `arming` is for the first time only: an account that was enforced is enforced at every later start.
    """
    async with scene(tmp_path, MAX4) as all_of_it:
        async with all_of_it.daemon():
            pass
        async with all_of_it.daemon(replace(all_of_it.settings, arming="shadow")) as daemon:
            buys(all_of_it.gateway, 6)
            await daemon.enforced()
            assert daemon.broker_quantity("MNQ") == 4


@attack(Answer.STOPPED)
async def test_stop_edit_start(tmp_path: Path) -> None:
    """Stop riskd, raise the limit or take the account out of the file, and start it again.

    → What applies is written with the account: the edit is the same change as while it runs, and waits as long.
    """
    async with scene(tmp_path, MAX4) as all_of_it:
        async with all_of_it.daemon():
            pass
        loose = settings_for(all_of_it.gateway, tmp_path / "state", {"MaxContracts": {"max_contracts": 40}})
        for rules in (loose.rules, {}):
            async with started(replace(all_of_it.settings, rules=rules), all_of_it.gateway) as daemon:
                assert daemon.state.pending is not None
                buys(all_of_it.gateway, 2 if daemon.quantity("MNQ") == 4 else 6)
                await daemon.enforced()
                assert daemon.broker_quantity("MNQ") == 4


@attack(Answer.STOPPED)
@pytest.mark.slow
async def test_another_time_zone_of_the_machine(tmp_path: Path) -> None:
    """Set the machine's time zone so that 17:00 comes earlier.

    → riskd reckons in Chicago time whatever the machine believes: the lockout ends at 22:00 UTC in summer.
    """
    async with SimulatedGateway(gateway_settings()) as gateway:
        for zone in ("Pacific/Auckland", "Pacific/Honolulu"):
            async with daemon_process(gateway, CONFIG, tmp_path / zone, {**NO_HOOK, "TZ": zone}) as daemon:
                await daemon.line("ready")
                assert await _locked_until(gateway, daemon) == "2026-03-10T22:00:00Z"


async def _locked_until(gateway: SimulatedGateway, daemon: DaemonProcess) -> object:
    if not any(line["event"] == "locked" for line in daemon.lines):
        buys(gateway, 1)
        gateway.control.fill(NUMBER, "MNQ", "sell", 1, Decimal("17740.00"))
    return (await daemon.line("locked"))["until"]

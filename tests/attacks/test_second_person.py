"""Ways round being told on: what a second person hears, with the real daemon and real endpoints on this machine."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from typer.testing import CliRunner

from riskd.app.admin import app
from riskd.daemon.configuration import UnderLockout, Wanted
from riskd.daemon.runtime import RuntimeSettings
from riskd.domain.account import Lockout
from riskd.domain.commands import Severity
from riskd.notifications.channels import Channel
from riskd.notifications.dead_man import DeadMan
from riskd.notifications.dispatcher import Patience
from riskd.notifications.service import NotificationConfig
from riskd.simulator import SimulatedGateway
from riskd.storage.state_store import JsonStateStore
from tests.attacks.catalogue import Answer, attack
from tests.attacks.people import LOSS, MAX4, Rules, Scene, scene
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, spec
from tests.support.process import daemon_process
from tests.support.rule_builders import account
from tests.support.webhook import webhook

NUMBER = int(ACCOUNT)


async def loses(daemon: Daemon, loss: str = "17740.00") -> None:
    """Lose what the day allows."""
    control = daemon.gateway.control
    control.fill(NUMBER, "MNQ", "buy", 1, Decimal("18000.00"))
    control.fill(NUMBER, "MNQ", "sell", 1, Decimal(loss))
    await daemon.until(lambda: daemon.state.locked)


def without_coach(rules: Rules, *channels: Channel, policy: UnderLockout = "refuse") -> Wanted:
    """Return a configuration that names these channels and no others."""
    return Wanted(rules={ACCOUNT: spec(rules)}, channels=channels, arming="enforce", admin_under_lockout=policy)


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_take_the_second_person_off_the_list(tmp_path: Path) -> None:
    """Delete the notification channel from the file, or give it another address.

    → Whoever is taken off the list hears of it first, and so does whoever is put on it.
    """
    async with scene(tmp_path, LOSS) as all_of_it, webhook() as mine, all_of_it.daemon() as daemon:
        daemon.runtime.reload(without_coach(LOSS, Channel(name="coach", url=mine.url)))

        await all_of_it.coach.containing("notification channels changed: coach changed")
        await loses(daemon)
        await mine.containing("DailyRealizedLoss")
        assert not any("DailyRealizedLoss" in body for body in all_of_it.coach.bodies)


@attack(Answer.STOPPED)
async def test_take_the_second_person_off_the_list_under_a_lockout(tmp_path: Path) -> None:
    """Delete the notification channel while the account is locked.

    → `admin_under_lockout: "refuse"`: nobody is taken off the list before every lockout has ended, and all are told.
    """
    async with scene(tmp_path, LOSS) as all_of_it, webhook() as mine, all_of_it.daemon() as daemon:
        await loses(daemon)
        me = Channel(name="me", url=mine.url)
        daemon.runtime.reload(without_coach(LOSS, me, policy="allow"))

        tried = "somebody tried to change who is told: coach removed: that waits while account 101 is locked"
        await all_of_it.coach.containing(tried)
        await all_of_it.coach.containing("notification channels changed: me added")
        daemon.runtime.refuse("half a file")
        await all_of_it.coach.containing("half a file")
        await mine.containing("half a file")

        await daemon.move_time("2026-03-10 17:00:01")
        await all_of_it.coach.containing("notification channels changed: coach removed")


@attack(Answer.TOLD)
async def test_allow_it_first(tmp_path: Path) -> None:
    """Set `admin_under_lockout: "allow"` before the lockout, and delete the channel under the lockout.

    → Both are done as asked, and both are told to whoever is on the list at that moment.
    """
    async with scene(tmp_path, LOSS) as all_of_it, all_of_it.daemon() as daemon:
        coach = Channel(name="coach", url=all_of_it.coach.url)
        daemon.runtime.reload(without_coach(LOSS, coach, policy="allow"))
        await all_of_it.coach.containing("admin_under_lockout changed: refuse")
        await loses(daemon)
        daemon.runtime.reload(without_coach(LOSS, policy="allow"))
        await all_of_it.coach.containing("notification channels changed: coach removed")


@attack(Answer.TOLD)
async def test_take_the_second_person_off_the_list_between_two_runs(tmp_path: Path) -> None:
    """Kill riskd, delete the channel, and start it again.

    → Those who are left hear who was taken off the list. If nobody is left the dead-man's ping has told already.
    """
    async with scene(tmp_path, LOSS) as all_of_it, webhook() as partner:
        coach, other = Channel(name="coach", url=all_of_it.coach.url), Channel(name="partner", url=partner.url)
        async with all_of_it.daemon(told(all_of_it, coach, other)) as daemon:
            await loses(daemon)
        async with all_of_it.daemon(told(all_of_it, other)):
            said = "the list of those who are told was changed while account 101 is locked: coach removed"
            await partner.containing(said)


def lines_of(journal: Path) -> Iterable[bytes]:
    """Return the journal's lines as they were written."""
    return journal.read_bytes().splitlines(keepends=True)


def told(all_of_it: Scene, *channels: Channel) -> RuntimeSettings:
    """Return the settings with these channels."""
    notifications = NotificationConfig(channels=channels, outbox=all_of_it.settings.notifications.outbox)
    return replace(all_of_it.settings, notifications=notifications)


@attack(Answer.TOLD)
async def test_raise_what_the_second_person_hears(tmp_path: Path) -> None:
    """Leave the channel in place and set it to critical messages only, or to another account.

    → A channel that hears less is a channel that changed: it is told before it does.
    """
    async with scene(tmp_path, LOSS) as all_of_it, all_of_it.daemon() as daemon:
        deaf = Channel(name="coach", url=all_of_it.coach.url, severity=Severity.CRITICAL, accounts=("999",))
        daemon.runtime.reload(without_coach(LOSS, deaf))
        await all_of_it.coach.containing("notification channels changed: coach changed")


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_cut_the_way_to_the_second_person(tmp_path: Path) -> None:
    """Block the messages' way, so that nothing arrives for a while.

    → Critical messages are kept on disk and tried again for 24 hours, also by the next start.
    """
    async with scene(tmp_path, LOSS) as all_of_it:
        async with webhook() as gone:
            address = gone.url
        nowhere = told(all_of_it, Channel(name="coach", url=address))
        async with all_of_it.daemon(nowhere) as daemon:
            await loses(daemon)
        async with all_of_it.daemon():
            await all_of_it.coach.containing("DailyRealizedLoss")


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_cut_the_way_and_take_the_second_person_off_the_list(tmp_path: Path) -> None:
    """Block the messages' way first, then delete the channel, so that the word of it cannot arrive.

    → What a channel was to hear before it was taken off the list is tried on until it has arrived.
    """
    async with webhook() as gone:
        address = gone.url
    async with scene(tmp_path, LOSS) as all_of_it:
        coach = Channel(name="coach", url=address)
        quick = replace_patience(told(all_of_it, coach))
        async with all_of_it.daemon(quick) as daemon:
            daemon.runtime.reload(without_coach(LOSS, Channel(name="coach", url=all_of_it.coach.url)))
            assert await asyncio.to_thread(daemon.runtime.notifier.flush, 20)
            async with webhook(urlsplit(address).port or 0) as back:
                await back.containing("notification channels changed: coach changed")


def replace_patience(settings: RuntimeSettings) -> RuntimeSettings:
    """Return the settings with less waiting between two tries of a message."""
    patience = Patience(first_wait_s=0.01, later_s=(0.1,), warm_up_s=0)
    return replace(settings, notifications=msgspec.structs.replace(settings.notifications, patience=patience))


@attack(Answer.TOLD)
async def test_make_riskd_blind_without_a_word(tmp_path: Path) -> None:
    """Let the process live and cut it from the broker, with no rule that watches connections.

    → The dead-man's switch gets its sign only while every account is seen and armed; people are told after a minute.
    """
    async with scene(tmp_path, MAX4) as all_of_it, webhook() as switch:
        ping = DeadMan(switch.url.replace("json://", "http://"), every_s=0.02)
        settings = replace(all_of_it.settings, dead_man=ping, patience_s=0.3)
        async with all_of_it.daemon(settings) as daemon:
            sign = await switch.containing("riskd protects 101")
            (journal,) = (all_of_it.settings.state_dir / "journal").glob("*.jsonl")
            assert sign.rpartition("Journal: ")[2] in {sha256(line).hexdigest() for line in lines_of(journal)}

            daemon.gateway.control.hub_down("all")
            await daemon.until(lambda: bool(daemon.state.down))
            await all_of_it.coach.containing("riskd has not been able to protect for 0.3 s: 101 cannot be seen")
            heard = len(switch.bodies)
            await asyncio.sleep(0.1)
            assert len(switch.bodies) == heard


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_kill_it_for_good(tmp_path: Path) -> None:
    """Kill riskd and never start it again.

    → Its signs of life stop, and the service of the dead-man's switch tells the second person.
    """
    raw = json.loads((Path(__file__).parents[1] / "fixtures" / "config.json").read_text(encoding="utf-8"))
    raw["notifications"]["dead_man_ping"] = "${PING}"
    file = tmp_path / "config.json"
    file.write_text(json.dumps(raw), encoding="utf-8")
    async with SimulatedGateway(gateway_settings()) as gateway, webhook() as switch:
        words = {"RISKD_WEBHOOK": switch.url, "PING": switch.url.replace("json://", "http://")}
        async with daemon_process(gateway, file, tmp_path / "state", words) as daemon:
            await switch.containing("riskd protects 101\nTime: 2026-03-10 09:30:00 CT")
            await daemon.kill()
            assert not any(words["PING"] in str(line) for line in daemon.lines)


@attack(Answer.STOPPED)
def test_apply_a_preset_under_a_lockout(tmp_path: Path) -> None:
    """Let `riskd-admin` put a looser preset into the file while the account is locked.

    → Refused with a sentence, unless `admin_under_lockout` allows it; the rules would wait in either case.
    """
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    lockout = Lockout(cause="daily", until=until, since=until - timedelta(hours=2), seq=1, reason="the day is over")
    store = JsonStateStore(tmp_path / "state", journal_head=str, on_trouble=pytest.fail)
    store.save(msgspec.structs.replace(account(at=until), rules=spec(LOSS), lockouts=(lockout,)), 1)
    store.close()
    file = tmp_path / "config.json"
    written = {
        "version": 1,
        "paths": {"state": "state"},
        "profiles": {"default": {"rules": [{"rule": "MaxContracts", "params": {"max_contracts": 1}}]}},
    }
    file.write_text(json.dumps(written), encoding="utf-8")
    command = ["preset", "apply", "topstep-50k", "--config", str(file), "--yes"]

    refused = CliRunner().invoke(app, command)

    assert refused.exit_code == 2
    assert "account A1 is locked" in refused.stderr
    assert json.loads(file.read_text(encoding="utf-8")) == written
    file.write_text(json.dumps({**written, "admin_under_lockout": "allow"}), encoding="utf-8")
    assert CliRunner().invoke(app, command).exit_code == 0

"""A configuration that changes while the daemon runs, and between two runs."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec

from riskd.daemon.configuration import Wanted
from riskd.daemon.status import status
from riskd.domain.commands import Alert
from riskd.notifications.channels import Channel
from riskd.simulator import GatewaySettings, SimulatedGateway, account
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, running, settings_for, spec, started
from tests.support.desk import ct
from tests.support.webhook import webhook

MAX4 = {"MaxContracts": {"max_contracts": 4}}
MAX3 = {"MaxContracts": {"max_contracts": 3}}
MAX9 = {"MaxContracts": {"max_contracts": 9}}
OTHER = "102"


def told(daemon: Daemon) -> list[str]:
    """Return what people were told about rules."""
    return [c.text for c in daemon.commands if isinstance(c, Alert) and c.kind == "rules"]


async def test_a_tighter_limit_closes_at_the_broker_at_once(tmp_path: Path) -> None:
    """4 MNQ are held when the limit becomes 3."""
    async with running(tmp_path, MAX4) as daemon:
        daemon.gateway.control.fill(int(ACCOUNT), "MNQ", "buy", 4, Decimal("18000.00"))
        await daemon.until(lambda: daemon.quantity("MNQ") == 4)

        daemon.runtime.reload(Wanted(rules={ACCOUNT: spec(MAX3)}))

        await daemon.enforced()
        assert daemon.broker_quantity("MNQ") == 3
        assert told(daemon) == ["rules changed: MaxContracts max_contracts 4 → 3"]


async def test_stop_edit_start_is_no_back_door(tmp_path: Path) -> None:
    """The limit is raised while riskd is down: the old one is enforced until the next day but one, then the new one."""
    async with SimulatedGateway(gateway_settings()) as gateway:
        settings = settings_for(gateway, tmp_path / "state", MAX4)
        async with started(settings, gateway):
            pass
        async with started(replace(settings, rules={ACCOUNT: spec(MAX9)}), gateway) as daemon:
            assert status(daemon.runtime.core, ACCOUNT, daemon.runtime.clock.now())["pending"] == {
                "until": ct("2026-03-11 17:00"),
                "rules": ("MaxContracts",),
                "changes": ("MaxContracts max_contracts 4 → 9",),
            }
            gateway.control.fill(int(ACCOUNT), "MNQ", "buy", 6, Decimal("18000.00"))
            await daemon.enforced()
            assert daemon.broker_quantity("MNQ") == 4
        async with started(replace(settings, rules={ACCOUNT: spec(MAX9)}), gateway) as daemon:
            assert daemon.state.pending is not None
            assert daemon.state.pending.effective_at == ct("2026-03-11 17:00")
            await daemon.move_time("2026-03-11 17:00:01")
            await daemon.until(lambda: daemon.state.pending is None)
            assert daemon.state.rules == spec(MAX9)


async def test_an_account_left_out_while_riskd_was_down_stays_enforced(tmp_path: Path) -> None:
    """It is watched, reconciled and judged as before, though the file does not name it any more."""
    async with SimulatedGateway(two_accounts()) as gateway:
        both = settings_for(gateway, tmp_path / "state", MAX4, accounts=(ACCOUNT, OTHER))
        async with started(both, gateway):
            pass
        one = settings_for(gateway, tmp_path / "state", MAX4, accounts=(OTHER,))
        async with started(one, gateway) as daemon:
            assert daemon.runtime.watched[0] == ACCOUNT
            gateway.control.fill(int(ACCOUNT), "MNQ", "buy", 5, Decimal("18000.00"))
            await daemon.enforced()
            assert daemon.broker_quantity("MNQ") == 4

            await daemon.move_time("2026-03-11 17:00:01")
            await daemon.until(lambda: not daemon.state.armed)
            assert ACCOUNT not in daemon.runtime.watched


async def test_an_account_that_is_added_is_armed(tmp_path: Path) -> None:
    """From then on it is enforced like the others, without a restart."""
    async with SimulatedGateway(two_accounts()) as gateway:
        settings = settings_for(gateway, tmp_path / "state", MAX4)
        async with started(settings, gateway) as daemon:
            daemon.runtime.reload(Wanted(rules={ACCOUNT: spec(MAX4), OTHER: spec(MAX3)}, arming="enforce"))
            accounts = daemon.runtime.state_manager.accounts
            await daemon.until(lambda: OTHER in accounts and accounts[OTHER].armed)

            gateway.control.fill(int(OTHER), "MNQ", "buy", 4, Decimal("18000.00"))
            await daemon.enforced()

            assert gateway.control.position(int(OTHER), "MNQ") == 3


async def test_channels_change_and_the_old_one_hears_of_it(tmp_path: Path) -> None:
    """Whoever is taken off the list is told so; from then on only the new one hears."""
    async with webhook() as old, webhook() as new:
        channel = Channel(name="phone", url=old.url)
        async with running(tmp_path, MAX4, channels=(channel,)) as daemon:
            other = Channel(name="desk", url=new.url)
            daemon.runtime.reload(Wanted(rules={ACCOUNT: spec(MAX9)}, channels=(other,)))

            await old.containing("notification channels changed: phone removed, desk added")
            await new.containing("the change waits until")
            assert not any("the change waits" in body for body in old.bodies)


async def test_what_only_a_start_takes_over_is_said(tmp_path: Path) -> None:
    """Another broker needs a restart; nothing else of the change is held up by it."""
    async with running(tmp_path, MAX4) as daemon:
        daemon.runtime.reload(Wanted(rules={ACCOUNT: spec(MAX3)}, at_start={"broker": "another"}))

        assert daemon.state.rules == spec(MAX3)
        daemon.logs.close()
        texts = [line.get("text") for line in daemon.log_lines() if line["event"] == "configuration"]
        assert texts == ["the configuration's broker changed, which takes effect when riskd is started anew"]


async def test_an_account_that_nobody_named_is_reported(tmp_path: Path) -> None:
    """It is seen at the login, and a person hears that nothing protects it."""
    async with webhook() as hook, SimulatedGateway(two_accounts()) as gateway:
        channel = Channel(name="phone", url=hook.url)
        async with started(settings_for(gateway, tmp_path / "state", MAX4, channels=(channel,)), gateway) as daemon:
            await hook.containing("account 102 of this login is not in the configuration: riskd does not protect it")

            assert OTHER not in daemon.runtime.watched


async def test_an_account_that_nobody_named_can_have_rules(tmp_path: Path) -> None:
    """With a profile for such accounts it is armed like the others, and stays so after a restart."""
    async with SimulatedGateway(two_accounts()) as gateway:
        settings = replace(settings_for(gateway, tmp_path / "state", MAX4), unlisted=spec(MAX3))
        async with started(settings, gateway) as daemon:
            accounts = daemon.runtime.state_manager.accounts
            await daemon.until(lambda: OTHER in accounts and accounts[OTHER].armed)
            gateway.control.fill(int(OTHER), "MNQ", "buy", 4, Decimal("18000.00"))
            await daemon.enforced()
            assert gateway.control.position(int(OTHER), "MNQ") == 3
        async with started(settings, gateway) as daemon:
            other = daemon.runtime.state_manager.accounts[OTHER]
            assert (other.rules, other.pending, other.armed) == (spec(MAX3), None, True)

            daemon.runtime.reload(Wanted(rules={ACCOUNT: spec(MAX4)}, arming="enforce"))
            other = daemon.runtime.state_manager.accounts[OTHER]
            assert other.rules == spec(MAX3)
            assert other.pending is not None


def two_accounts() -> GatewaySettings:
    """Return a gateway with two accounts."""
    accounts = tuple(account(int(name), "practice", "50000.00") for name in (ACCOUNT, OTHER))
    return msgspec.structs.replace(gateway_settings(), accounts=accounts)

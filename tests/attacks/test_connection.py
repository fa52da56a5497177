"""Ways round a limit by the connection and the broker: the real daemon on the simulated gateway, over sockets."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import structlog

from riskd.daemon.runtime import Runtime
from riskd.domain.commands import Alert
from riskd.notifications.channels import Channel
from riskd.simulator import SimulatedGateway, account
from riskd.simulator.faults.rules import Rejected
from riskd.simulator.gateway.limits import BARS, Window
from tests.attacks.catalogue import Answer, attack
from tests.attacks.people import LOSS, MAX4, scene
from tests.integration.gateway_client import BareClient
from tests.support.daemon import ACCOUNT, Daemon, gateway_settings, running, settings_for, started
from tests.support.webhook import webhook

WRONG_KEY = 3


def buys(daemon: Daemon, size: int, product: str = "MNQ", price: str = "18000.00") -> None:
    """Let the trader buy."""
    daemon.gateway.control.fill(int(ACCOUNT), product, "buy", size, Decimal(price))


async def locked(daemon: Daemon) -> None:
    """Lose what the day allows."""
    buys(daemon, 2)
    await daemon.until(lambda: daemon.quantity("MNQ") == 2)
    await daemon.priced("MNQ")
    daemon.gateway.control.price("MNQ", Decimal("17870.00"))
    await daemon.enforced()
    assert daemon.state.locked


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_revoke_the_key(tmp_path: Path) -> None:
    """Revoke the API key at the broker, so that riskd can neither see nor close anything.

    → People are told when riskd has been unable to protect for a minute; with the key it acts at once on what it finds.
    """
    async with scene(tmp_path, MAX4) as all_of_it:
        login = replace(all_of_it.settings.broker, refused_login_retry_s=0.05, safety_poll_s=0.5)
        settings = replace(all_of_it.settings, broker=login, patience_s=0.3)
        async with all_of_it.daemon(settings) as daemon:
            control = daemon.gateway.control
            control.time(speed=Decimal(1))
            control.faults((Rejected(calls=("loginKey", "validate"), code=WRONG_KEY),))
            control.expire_tokens()
            control.disconnect("all")
            buys(daemon, 6)
            await all_of_it.coach.containing("riskd has not been able to protect")
            assert daemon.broker_quantity("MNQ") == 6

            control.faults()
            await control.wait_position(int(ACCOUNT), "MNQ", 4, within=15)
            await all_of_it.coach.containing("riskd protects again")
            await all_of_it.coach.containing("1 trade seen afterwards")


@attack(Answer.TOLD)
async def test_start_it_with_a_wrong_key(tmp_path: Path) -> None:
    """Put a wrong key into `.env` and start riskd, so that it runs and protects nothing.

    → A start that does not get to its accounts is told after a minute, and riskd keeps trying.
    """
    async with scene(tmp_path, MAX4) as all_of_it:
        login = replace(all_of_it.settings.broker, api_key="not-the-key")
        settings = replace(all_of_it.settings, broker=login, patience_s=0.3)
        runtime = Runtime(settings, structlog.get_logger())
        try:
            await runtime.start()
            await all_of_it.coach.containing("protect for 0.3 s: 101 has not been read from the broker")
        finally:
            await runtime.stop()


@attack(Answer.UNDONE)
@pytest.mark.slow
async def test_exhaust_the_rate_limit(tmp_path: Path) -> None:
    """Use up the requests that the broker allows the login, so that riskd's close is refused.

    → The close is asked for again as soon as the broker answers, and an account that waits for it is told of.
    """
    settings = msgspec.structs.replace(gateway_settings(), limits=(BARS, Window(60, 1.0)))
    async with (
        SimulatedGateway(settings) as gateway,
        BareClient(gateway) as bot,
        started(settings_for(gateway, tmp_path / "state", MAX4), gateway) as daemon,
    ):
        gateway.control.time(speed=Decimal(1))
        while await bot.status("Account/search", b'{"onlyActiveAccounts": true}') != 429:
            pass
        buys(daemon, 6)
        await daemon.until(lambda: bool(daemon.ended), within_s=20)

        assert daemon.broker_quantity("MNQ") == 4
        refused = [r for r in gateway.control.requests("partialCloseContract") if r.status == 429]
        assert refused


@attack(Answer.UNDONE)
async def test_pull_the_plug_during_the_breach(tmp_path: Path) -> None:
    """Cut the connection while the price runs to the limit.

    → On the way back riskd reads positions, orders, fills and prices, and does at once what is due.
    """
    async with running(tmp_path, LOSS) as daemon:
        control = daemon.gateway.control
        control.time(speed=Decimal(1))
        buys(daemon, 2)
        await daemon.until(lambda: daemon.quantity("MNQ") == 2)
        await daemon.priced("MNQ")
        control.hub_down("all")
        control.rest_down()
        control.price("MNQ", Decimal("17870.00"))
        await daemon.until(lambda: bool(daemon.state.down))
        assert daemon.state.lockouts == ()
        control.rest_up()
        control.hub_up("all")
        await daemon.until(lambda: not daemon.state.down)
        await daemon.priced("MNQ")
        control.price("MNQ", Decimal("17869.75"))

        await daemon.enforced()

        assert daemon.state.locked
        assert daemon.broker_quantity("MNQ") == 0


@attack(Answer.UNDONE)
async def test_trade_while_the_hub_is_cut(tmp_path: Path) -> None:
    """Cut riskd's live connection by logging in elsewhere, and trade under the lockout meanwhile.

    → riskd logs in again, reads what happened and closes it.
    """
    async with running(tmp_path, LOSS) as daemon:
        await locked(daemon)
        daemon.gateway.control.logout()
        daemon.gateway.control.disconnect("all")
        buys(daemon, 1, "ES", "5800.00")

        await daemon.enforced(2)

        assert daemon.state.locked
        assert daemon.broker_quantity("ES") == 0


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_withhold_the_prices(tmp_path: Path) -> None:
    """Keep the price feed from riskd, so that it does not see the loss.

    → After ten seconds without a price of what is held people are told, and market trades and the broker's bars are
    asked for instead; the first price that comes is judged.
    """
    async with scene(tmp_path, LOSS) as all_of_it, all_of_it.daemon() as daemon:
        control = daemon.gateway.control
        buys(daemon, 2)
        await daemon.until(lambda: daemon.quantity("MNQ") == 2)
        await daemon.priced("MNQ")
        control.price("MNQ", Decimal("18000.00"))
        control.time(speed=Decimal(60))
        await all_of_it.coach.containing("no price of MNQ for a while although it is held")

        control.price("MNQ", Decimal("17870.00"))
        await daemon.enforced()
        assert daemon.state.locked


@attack(Answer.TOLD)
async def test_have_the_right_to_trade_withdrawn(tmp_path: Path) -> None:
    """Let the broker set canTrade to false under a breach, so that it takes no commands of riskd's.

    → People are told; riskd goes on watching, and closes when trading is allowed again.
    """
    async with scene(tmp_path, MAX4) as all_of_it, all_of_it.daemon() as daemon:
        control = daemon.gateway.control
        control.account(int(ACCOUNT), can_trade=False)
        await daemon.until(lambda: not daemon.state.can_trade)
        buys(daemon, 6)
        await daemon.until(lambda: daemon.quantity("MNQ") == 6)
        await all_of_it.coach.containing("canTrade is false")
        assert control.requests("partialCloseContract") == []

        control.account(int(ACCOUNT), can_trade=True)
        await daemon.enforced()
        assert daemon.broker_quantity("MNQ") == 4


@attack(Answer.UNDONE)
async def test_orders_in_riskds_name(tmp_path: Path) -> None:
    """Tag an order as if riskd had sent it.

    → What an order calls itself counts for nothing: under the lockout it is closed like any other.
    """
    async with running(tmp_path, LOSS) as daemon:
        await locked(daemon)
        daemon.gateway.control.order(int(ACCOUNT), "MNQ", "buy", 1, tag="riskd")
        await daemon.enforced(2)
        assert daemon.broker_quantity("MNQ") == 0
        resting = daemon.gateway.control.order(
            int(ACCOUNT), "MNQ", "buy", 1, type="limit", limit=Decimal("17000.00"), tag="riskd-close"
        )
        assert resting.accepted
        await daemon.gateway.control.wait_flat(int(ACCOUNT))


@attack(Answer.TOLD)
async def test_open_a_new_account(tmp_path: Path) -> None:
    """Trade on another account of the login, which the file does not name.

    → People are told that it is not protected; `unlisted_accounts` can give such accounts rules instead.
    """
    accounts = tuple(account(int(name), "practice", "50000.00") for name in (ACCOUNT, "102"))
    settings = msgspec.structs.replace(gateway_settings(), accounts=(accounts[0],))
    async with SimulatedGateway(settings) as gateway, webhook() as hook:
        channel = Channel(name="coach", url=hook.url)
        async with started(settings_for(gateway, tmp_path / "state", MAX4, channels=(channel,)), gateway) as daemon:
            gateway.control.add_account(accounts[1])
            gateway.control.disconnect("user")
            await hook.containing("account 102 of this login is not in the configuration")
            assert "102" not in daemon.runtime.watched


@attack(Answer.TOLD)
async def test_use_a_login_that_does_not_show_the_account(tmp_path: Path) -> None:
    """Put another login's key into the file, so that riskd does not see the account any more.

    → An account that was enforced and cannot be seen is told of as unprotected, again at every start.
    """
    async with scene(tmp_path, MAX4) as all_of_it:
        async with all_of_it.daemon():
            pass
        other = msgspec.structs.replace(gateway_settings(), accounts=(account(999, "practice", "50000.00"),))
        async with SimulatedGateway(other) as elsewhere:
            broker = settings_for(elsewhere, tmp_path / "unused", MAX4).broker
            async with started(replace(all_of_it.settings, broker=broker), elsewhere):
                await all_of_it.coach.containing("account 101 was not reconciled: the broker's login does not show it")


@attack(Answer.TOLD)
@pytest.mark.slow
async def test_have_the_account_closed(tmp_path: Path) -> None:
    """Have the broker take the account away from the login while riskd runs.

    → An account that the login no longer shows counts as unprotected, and is told of after a minute.
    """
    async with webhook() as hook:
        channel = Channel(name="coach", url=hook.url)
        async with SimulatedGateway(gateway_settings()) as gateway:
            settings = settings_for(gateway, tmp_path / "state", MAX4, channels=(channel,))
            broker = replace(settings.broker, safety_poll_s=0.1, retry_delays_s=(0.05,))
            runtime = Runtime(replace(settings, broker=broker, patience_s=0.5), structlog.get_logger())
            await runtime.start()
            await runtime.ready.wait()
            port = urlsplit(gateway.rest_url).port or 0
        try:
            others = (account(999, "practice", "50000.00"),)
            async with SimulatedGateway(msgspec.structs.replace(gateway_settings(), accounts=others, port=port)):
                await hook.containing("101 is not among the accounts that the broker's login shows")
        finally:
            await runtime.stop()


@attack(Answer.UNDONE)
async def test_two_daemons(tmp_path: Path) -> None:
    """Run a second riskd with looser rules and an empty state directory beside the first.

    → The first one does not know of it and goes on; both close by the broker's own call, so that nothing is flipped.
    """
    async with SimulatedGateway(gateway_settings()) as gateway:
        strict = settings_for(gateway, tmp_path / "first", LOSS)
        loose = settings_for(gateway, tmp_path / "second", {"DailyRealizedLoss": {"limit": "-500.00"}, **MAX4})
        async with started(strict, gateway) as first, started(loose, gateway) as second:
            lowest = []
            second.runtime.listen(lambda *_: lowest.append(second.broker_quantity("MNQ")))
            await locked(first)
            buys(first, 3)
            await first.until(lambda: len(first.ended) >= 2)
            await gateway.control.wait_flat(int(ACCOUNT))
            assert min(lowest) == 0


@attack(Answer.TOLD)
async def test_have_every_close_refused(tmp_path: Path) -> None:
    """Bring the broker to refuse every close of riskd's.

    → It is asked for again without end; after the third refusal people are told that the position is still open.
    """
    async with running(tmp_path, MAX4) as daemon:
        control = daemon.gateway.control
        control.time(speed=Decimal(10))
        control.faults((Rejected(calls=("partialCloseContract", "closeContract"), code=2),))
        buys(daemon, 6)
        await daemon.until(lambda: daemon.state.error_state)
        assert daemon.broker_quantity("MNQ") == 6
        assert [c.severity for c in daemon.commands if isinstance(c, Alert) and c.kind == "error_state"] == ["critical"]

        control.faults()
        await daemon.enforced()
        assert daemon.broker_quantity("MNQ") == 4


@attack(Answer.UNDONE)
async def test_trade_through_a_copier(tmp_path: Path) -> None:
    """Trade on a leader account that the file does not name, and let a copier fill the account that it names.

    → What the copier fills counts like any fill. Where the broker allows no partial close on a follower, all of it is
    closed; the leader is told of as unprotected.
    """
    accounts = (
        account(201, "leader", "50000.00"),
        account(int(ACCOUNT), "follower", "50000.00", leader_id=201, copy_ratio=2),
    )
    settings = msgspec.structs.replace(gateway_settings(), accounts=accounts)
    async with SimulatedGateway(settings) as gateway, webhook() as hook:
        channel = Channel(name="coach", url=hook.url)
        async with started(settings_for(gateway, tmp_path / "state", MAX4, channels=(channel,)), gateway) as daemon:
            gateway.control.time(speed=Decimal(1))
            gateway.control.order(201, "MNQ", "buy", 3)
            await daemon.enforced()
            assert daemon.ended[0].targets[0].closed == 6
            assert daemon.broker_quantity("MNQ") == 0
            await hook.containing("account 201 of this login is not in the configuration")

"""What the adapter reports of what happens at a gateway, over real sockets."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest

from riskd.adapters.projectx.event_normalizer import moment
from riskd.domain.commands import RequestSnapshot
from riskd.domain.events import (
    AccountReported,
    ConnectionChanged,
    FeedSilent,
    Fill,
    InstrumentReported,
    Link,
    OrderReported,
    PositionReported,
    QuoteReported,
    SnapshotReported,
)
from riskd.domain.orders import OrderStatus, OrderType, Side
from riskd.simulator import GatewaySettings, Shape, SimulatedGateway, account
from riskd.simulator.faults.rules import LostEvent
from tests.integration.gateway_client import BareClient
from tests.integration.projectx_rig import Rig, body, connected

TUESDAY = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
PLAIN = GatewaySettings(
    accounts=(account(101), account(102, "combine", brackets="auto_oco")),
    quotes={"MNQ": Decimal("20000.00"), "ES": Decimal("6700.00")},
    start=TUESDAY,
)


async def test_the_first_report_is_whole_and_in_order() -> None:
    """Login, contracts and a snapshot of every watched account come before the user hub counts as up."""
    async with SimulatedGateway(PLAIN) as gateway:
        gateway.control.order(101, "MNQ", "buy", 2)
        stop = gateway.control.working(101, "MNQ", "sell", 2, type="stop", stop=Decimal("19900.00"), tag="mine")
        gateway.control.order(102, "ES", "sell", 1)
        async with connected(gateway) as rig:
            kinds = [type(report.event).__name__ for report in rig.ear.heard]
            links = [c.link for c in rig.ear.all(ConnectionChanged) if c.up]
            snapshots = {s.account: s for s in rig.ear.all(SnapshotReported)}
            contracts = {i.instrument.symbol: i.instrument for i in rig.ear.all(InstrumentReported)}
            watched = rig.broker.accounts
        assert links[:2] == [Link.LOGIN, Link.REST]
        assert set(links) == set(Link)
        assert kinds.index("SnapshotReported") > kinds.index("InstrumentReported")
        assert watched == ("101", "102")
        assert {s.request_id for s in snapshots.values()} == {"start"}
        first = snapshots["101"]
        mnq = gateway.control.contract_id("MNQ")
        assert [(p.contract, p.quantity, p.average_price) for p in first.positions] == [(mnq, 2, Decimal("20000.25"))]
        assert [(o.order_id, o.type, o.stop_price, o.tag) for o in first.orders] == [
            (str(stop.order_id), OrderType.STOP, Decimal("19900.00"), "mine")
        ]
        assert [(f.side, f.quantity, f.fees, f.commission) for f in first.fills] == [
            (Side.BUY, 2, Decimal("0.72"), None)
        ]
        assert (first.balance, first.can_trade) == (Decimal("49998.78"), True)
        assert [p.quantity for p in snapshots["102"].positions] == [-1]
        assert not [i for i in contracts.values() if i.quarantined]
        assert contracts["MNQM6"].point_value == 2


async def test_the_user_hub_is_up_only_after_its_snapshots() -> None:
    """Nobody may take the account for reconciled before it is."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        events = [report.event for report in rig.ear.heard]
        up = next(
            i for i, e in enumerate(events) if isinstance(e, ConnectionChanged) and e.link is Link.USER_HUB and e.up
        )
        last_snapshot = max(i for i, e in enumerate(events) if isinstance(e, SnapshotReported))
        asked = {e.asked_seq for e in events if isinstance(e, SnapshotReported)}
    assert last_snapshot < up
    assert all(seq <= last_snapshot for seq in asked)


async def test_only_named_accounts_are_watched() -> None:
    """The other accounts of the login are neither read nor reported, and a wrong name is told."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["102", "999"]) as rig:
        gateway.control.order(101, "MNQ", "buy", 1)
        gateway.control.order(102, "MNQ", "buy", 1)
        await rig.ear.one(AccountReported)
        assert {e.account for e in rig.ear.all(Fill)} == {"102"}
        assert {e.account for e in rig.ear.all(AccountReported)} == {"102"}
        assert {e.account for e in rig.ear.all(SnapshotReported)} == {"102"}
        assert rig.broker.missing_accounts == ("999",)
        assert ("error", "accounts_unknown", {"accounts": ("999",), "visible": ("102",)}) in rig.notes.lines


@pytest.mark.parametrize("wrapping", ["wrapped", "bare", "flat", "list"])
async def test_a_trade_from_elsewhere_is_reported_as_it_happens(
    wrapping: Literal["wrapped", "bare", "flat", "list"],
) -> None:
    """A click in the broker's web page becomes order, fill, position and account, however the hub wraps them."""
    settings = GatewaySettings(quotes={"MNQ": Decimal("20000.00")}, user_events=wrapping, start=TUESDAY)
    async with SimulatedGateway(settings) as gateway, connected(gateway) as rig:
        placed = gateway.control.order(101, "MNQ", "buy", 2)
        report = await rig.ear.one(AccountReported)
        orders = [e.order for e in rig.ear.all(OrderReported)]
        assert [o.status for o in orders] == [OrderStatus.PENDING, OrderStatus.FILLED]
        assert {o.order_id for o in orders} == {str(placed.order_id)}
        (fill,) = rig.ear.all(Fill)
        assert (fill.trade_id, fill.order_id) == (str(placed.trade_ids[0]), str(placed.order_id))
        assert (fill.side, fill.quantity, fill.price) == (Side.BUY, 2, Decimal("20000.25"))
        assert (fill.fees, fill.commission, fill.pnl) == (Decimal("0.72"), Decimal("0.50"), None)
        assert [e.quantity for e in rig.ear.all(PositionReported)] == [2]
        assert report.balance == Decimal("49998.78")
        stamps = [r.broker_at for r in rig.ear.heard if isinstance(r.event, Fill | OrderReported)]
        assert all(stamp is not None and abs(stamp - fill.at) < timedelta(seconds=1) for stamp in stamps)


async def test_a_busted_trade_is_reported_as_voided() -> None:
    """The broker takes a trade back under its own id."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["101"]) as rig:
        placed = gateway.control.order(101, "MNQ", "buy", 1)
        await rig.ear.one(Fill)
        gateway.control.void_trade(placed.trade_ids[0])
        voided = await rig.ear.one(Fill, lambda f: f.voided)
        assert voided.trade_id == str(placed.trade_ids[0])


async def test_prices_follow_whatever_an_account_holds_or_has_working() -> None:
    """A position and a resting order each make the adapter follow that contract's quotes, without being told to."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["101"]) as rig:
        gateway.control.order(101, "MNQ", "buy", 1)
        gateway.control.order(101, "ES", "buy", 1, type="limit", limit=Decimal("6600.00"))
        for product in ("MNQ", "ES"):
            await gateway.control.wait_subscribed("GatewayQuote", gateway.control.contract_id(product))
        gateway.control.quote("MNQ", bid=Decimal("19999.75"))
        quote = await rig.ear.one(QuoteReported)
        assert (quote.contract, quote.last, quote.bid, quote.ask) == (
            gateway.control.contract_id("MNQ"),
            None,
            Decimal("19999.75"),
            None,
        )
        (stamp,) = [r.broker_at for r in rig.ear.heard if r.event is quote]
        assert stamp == quote.at
        assert abs(quote.at - TUESDAY) < timedelta(minutes=1)


async def test_a_contract_can_be_watched() -> None:
    """Prices of what nobody holds can be had."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        es = gateway.control.contract_id("ES")
        rig.broker.watch(es)
        await gateway.control.wait_subscribed("GatewayQuote", es)
        gateway.control.price("ES", Decimal("6701.25"))
        await rig.ear.one(QuoteReported, lambda q: q.last == Decimal("6701.25"))


async def test_what_no_account_holds_any_more_is_let_go() -> None:
    """After a while its prices are not asked for, once every account has been read without it; what is held stays."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["101", "102"], let_go_after_s=0.0) as rig:
        held, ordered, left = (gateway.control.contract_id(product) for product in ("MNQ", "ES", "NQ"))
        gateway.control.order(101, "MNQ", "buy", 1)
        gateway.control.order(102, "ES", "buy", 1, type="limit", limit=Decimal("6600.00"))
        rig.broker.watch(left)
        for contract in (held, ordered, left):
            await gateway.control.wait_subscribed("GatewayQuote", contract)

        await reads(rig, "101")
        assert gateway.is_wanted("GatewayQuote", left)  # account 102 may hold it: it was read before the contract was
        await reads(rig, "102")
        await reads(rig, "101")
        rig.broker.watch(gateway.control.contract_id("MES"))
        await gateway.control.wait_subscribed("GatewayQuote", gateway.control.contract_id("MES"))
        assert [gateway.is_wanted("GatewayQuote", each) for each in (held, ordered, left)] == [True, True, False]


async def reads(rig: Rig, account: str) -> None:
    """Have an account read and wait until it is reported."""
    seen = len(rig.ear.heard)
    now = rig.clock.now()
    rig.broker.request_snapshot(RequestSnapshot(account=account, request_id=f"{account}-{seen}", since=now))
    await rig.ear.one(SnapshotReported, lambda s: s.request_id == f"{account}-{seen}", after=seen)


async def test_a_contract_that_is_not_listed_is_looked_up() -> None:
    """A position in a contract that no longer trades still gets its record."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["101"]) as rig:
        seen = len(rig.ear.heard)
        rig.broker.watch("CON.F.US.MNQ.Z25")
        record = await rig.ear.one(InstrumentReported, after=seen)
        assert (record.instrument.contract, record.instrument.symbol) == ("CON.F.US.MNQ.Z25", "MNQZ5")
        assert len(gateway.control.requests("searchById")) == 1
        rig.broker.watch("CON.F.US.MNQ.Z25")
        rig.broker.watch(gateway.control.contract_id("MNQ"))
        assert len(gateway.control.requests("searchById")) == 1


async def test_new_keys_on_the_wire_change_nothing() -> None:
    """A gateway that grows keys overnight is understood as before."""
    settings = GatewaySettings(quotes={"MNQ": Decimal("20000.00")}, shape=Shape(extra_keys=True), start=TUESDAY)
    async with SimulatedGateway(settings) as gateway, connected(gateway) as rig:
        gateway.control.order(101, "MNQ", "buy", 1)
        await rig.ear.one(AccountReported)
        assert rig.broker.malformed == 0
        assert [e.quantity for e in rig.ear.all(PositionReported)] == [1]


async def test_a_silent_feed_is_reported_once_and_asked_for_again() -> None:
    """With the market open and no quote for too long, the silence is told and the contract subscribed anew."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["101"], stale_after_s=0.2) as rig:
        mnq = gateway.control.contract_id("MNQ")
        rig.broker.watch(mnq)
        assert await rig.ear.one(FeedSilent) == FeedSilent(mnq)
        await gateway.control.wait_subscribed("GatewayTrade", mnq)
        gateway.control.price("MNQ", Decimal("20001.00"))
        await rig.ear.one(QuoteReported)
        assert len(rig.ear.all(FeedSilent)) == 1
        # Hub calls arrive in their order, so what was asked before this one has been done.
        es = gateway.control.contract_id("ES")
        rig.broker.watch(es)
        await gateway.control.wait_subscribed("GatewayQuote", es)
        assert not gateway.is_wanted("GatewayTrade", mnq)


async def test_a_closed_market_is_no_silent_feed() -> None:
    """At the weekend nobody is told that there are no prices."""
    saturday = datetime(2026, 3, 14, 15, 0, tzinfo=UTC)
    settings = GatewaySettings(quotes={"MNQ": Decimal("20000.00")}, start=saturday)
    async with SimulatedGateway(settings) as gateway, connected(gateway, stale_after_s=0.04) as rig:
        rig.broker.watch(gateway.control.contract_id("MNQ"))
        rig.broker.request_snapshot(
            RequestSnapshot(
                account="101",
                request_id="later",
                since=saturday,
                not_before=rig.clock.now() + timedelta(milliseconds=200),
            )
        )
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "later")
        assert rig.ear.all(FeedSilent) == []


async def test_a_gateway_on_this_machine_may_set_the_time() -> None:
    """Simulated time is known before anything good is reported, and its leaps and speeds are followed."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        assert abs(rig.clock.now() - TUESDAY) < timedelta(minutes=1)
        assert rig.clock.observed == []
        gateway.control.time(now=TUESDAY + timedelta(hours=3), speed=Decimal(60))
        gateway.control.order(101, "MNQ", "buy", 1)
        fill = await rig.ear.one(Fill)
        assert rig.clock.simulated[-1][1] == 60.0
        assert abs(fill.at - (TUESDAY + timedelta(hours=3))) < timedelta(minutes=10)
        assert fill.at <= rig.clock.now() + timedelta(minutes=1)


async def test_a_snapshot_answers_its_request() -> None:
    """A request of the core is answered under its own id, with the fills since its own time, not before it is due."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["101"]) as rig:
        gateway.control.order(101, "MNQ", "buy", 1)
        fill = await rig.ear.one(Fill)
        await rig.ear.one(AccountReported)
        before, now = len(rig.ear.heard), rig.clock.now()
        due = now + timedelta(milliseconds=150)
        rig.broker.request_snapshot(
            RequestSnapshot(account="101", request_id="7", since=fill.at - timedelta(seconds=1), not_before=due)
        )
        rig.broker.request_snapshot(
            RequestSnapshot(account="101", request_id="8", since=fill.at + timedelta(milliseconds=1))
        )
        later = await rig.ear.one(SnapshotReported, lambda s: s.request_id == "8")
        first, second = rig.ear.all(SnapshotReported, after=before)
        assert (first.request_id, second) == ("7", later)
        assert rig.clock.now() >= due
        assert [f.trade_id for f in first.fills] == [fill.trade_id]
        assert second.fills == ()
        assert [p.quantity for p in first.positions] == [1]
        assert first.asked_seq >= before
        read = [r.path.rpartition("/api/")[2] for r in gateway.control.requests(after=0)][-6:]
        assert [p.partition("/")[0] for p in read] == ["Order", "Trade", "Position"] * 2
        sent = moment(body(gateway.control.requests("Trade/search")[-2])["startTimestamp"])
        assert sent == fill.at - timedelta(seconds=1)


@pytest.mark.slow
async def test_the_safety_poll_finds_what_the_hub_never_said() -> None:
    """A hub that swallows fills is found out by REST."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, ["101"], safety_poll_s=0.1) as rig:
        gateway.control.faults((LostEvent(),))
        gateway.control.order(101, "MNQ", "buy", 1)
        found = await rig.ear.one(SnapshotReported, lambda s: bool(s.positions), within=10)
        assert rig.ear.all(Fill) == []
        assert (found.request_id, len(found.fills), found.balance) == ("", 1, Decimal("49999.39"))


@pytest.mark.slow
async def test_an_account_that_appears_later_joins() -> None:
    """Where no accounts are named, a new one is found by the poll, subscribed and read."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway, safety_poll_s=0.1) as rig:
        gateway.control.add_account(account(105))
        await rig.ear.one(SnapshotReported, lambda s: s.account == "105", within=15)
        await gateway.control.wait_subscribed("GatewayUserTrade", 105)
        gateway.control.order(105, "MNQ", "buy", 1)
        assert (await rig.ear.one(Fill)).account == "105"
        assert rig.broker.accounts == ("101", "102", "105")


async def test_a_contract_that_nobody_knows_is_told_and_asked_for_once() -> None:
    """An id that the gateway refuses is a line in the log."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        rig.broker.watch("CON.F.US.NONSENSE.Z26")
        await gateway.control.wait_answered("searchById")
        rig.broker.watch(gateway.control.contract_id("ES"))
        await gateway.control.wait_subscribed("GatewayQuote", gateway.control.contract_id("ES"))
        assert "contract_unknown" in [name for _, name, _ in rig.notes.lines]
        rig.broker.watch("CON.F.US.NONSENSE.Z26")
        assert len(gateway.control.requests("searchById")) == 1


async def test_bracket_children_that_wait_for_their_entry_are_in_the_snapshot() -> None:
    """Suspended orders are not in the gateway's plain list, and are read all the same."""
    async with SimulatedGateway(PLAIN) as gateway, BareClient(gateway) as trader:
        placed = await trader.call(
            "Order/place",
            accountId=102,
            contractId=gateway.control.contract_id("MNQ"),
            type=1,
            side=0,
            size=1,
            limitPrice=19900,
            stopLossBracket={"ticks": -20, "type": 4},
            takeProfitBracket={"ticks": 40, "type": 1},
        )
        async with connected(gateway, ["102"]) as rig:
            (snapshot,) = rig.ear.all(SnapshotReported)
    entry = str(placed["orderId"])
    found = {(o.type, o.status, o.side, o.parent) for o in snapshot.orders}
    assert found == {
        (OrderType.LIMIT, OrderStatus.WORKING, Side.BUY, None),
        (OrderType.STOP, OrderStatus.SUSPENDED, Side.SELL, entry),
        (OrderType.LIMIT, OrderStatus.SUSPENDED, Side.SELL, entry),
    }

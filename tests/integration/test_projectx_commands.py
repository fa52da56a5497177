"""What becomes of commands at a gateway that obeys, refuses, breaks or keeps silent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import msgspec
import pytest

from riskd.adapters.projectx.capabilities import Support
from riskd.domain.commands import CancelOrder, ClosePosition, ResizeOrder
from riskd.domain.events import AnyEvent, CommandEnded, Fill, Link, Outcome, PositionReported, SnapshotReported
from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.faults.rules import HttpError, Rejected
from tests.integration.projectx_rig import Rig, body, connected

TUESDAY = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
MNQ = "CON.F.US.MNQ.M26"
PLAIN = GatewaySettings(
    accounts=(account(101), account(103, "live"), account(104, "follower", leader_id=101)),
    quotes={"MNQ": Decimal("20000.00")},
    start=TUESDAY,
)


@asynccontextmanager
async def trading(**changes: float | str) -> AsyncIterator[tuple[SimulatedGateway, Rig]]:
    """Yield a gateway and an adapter on an account that is long 3 MNQ."""
    async with SimulatedGateway(PLAIN) as gateway:
        gateway.control.order(101, "MNQ", "buy", 3)
        async with connected(gateway, (), **changes) as rig:
            yield gateway, rig


def close(command_id: str, quantity: int | None = None, *, owner: str = "101", contract: str = MNQ) -> ClosePosition:
    """Return a close of everything, or of a part."""
    return ClosePosition(
        account=owner,
        command_id=command_id,
        contract=contract,
        quantity=quantity,
        held=3,
        left=0 if quantity is None else 3 - quantity,
        rule="MaxContracts",
        reason="too many",
    )


def cancel(command_id: str, order_id: int | str, *, owner: str = "101") -> CancelOrder:
    """Return the cancellation of an order."""
    return CancelOrder(
        account=owner, command_id=command_id, order_id=str(order_id), contract=MNQ, rule="MaxContracts", reason="entry"
    )


async def ended(rig: Rig, command_id: str) -> CommandEnded:
    """Wait for the outcome of a command."""
    return await rig.ear.one(CommandEnded, lambda e: e.command_id == command_id)


async def test_a_close_goes_out_and_the_position_is_gone() -> None:
    """The broker's own close call is used once, and its fill and the flat position come back as facts."""
    async with trading() as (gateway, rig):
        rig.broker.execute(close("c1"))
        assert await ended(rig, "c1") == CommandEnded(account="101", command_id="c1", outcome=Outcome.ACCEPTED)
        await rig.ear.one(PositionReported, lambda p: p.quantity == 0)
        assert [(f.quantity, f.side.value) for f in rig.ear.all(Fill) if f.account == "101" and f.pnl is not None] == [
            (3, "sell")
        ]
        (request,) = gateway.control.requests("closeContract")
        assert body(request) == {"accountId": 101, "contractId": MNQ}
        assert gateway.control.requests("Order/place") == []


async def test_a_partial_close_takes_exactly_its_part() -> None:
    """The size goes out under the gateway's own key, and the rest stays."""
    async with trading() as (gateway, rig):
        rig.broker.execute(close("c1", 1))
        assert (await ended(rig, "c1")).outcome is Outcome.ACCEPTED
        await rig.ear.one(PositionReported, lambda p: p.quantity == 2)
        (request,) = gateway.control.requests("partialCloseContract")
        assert body(request) == {"accountId": 101, "contractId": MNQ, "size": 1}


async def test_orders_are_cancelled_and_cut() -> None:
    """An entry goes, and an exit is cut to what it protects."""
    async with trading() as (gateway, rig):
        entry = gateway.control.order(101, "MNQ", "buy", 1, type="limit", limit=Decimal("19000.00"))
        stop = gateway.control.order(101, "MNQ", "sell", 3, type="stop", stop=Decimal("19500.00"))
        rig.broker.execute(cancel("k1", entry.order_id))
        resize = ResizeOrder(
            account="101", command_id="r1", order_id=str(stop.order_id), contract=MNQ, size=2, rule="", reason=""
        )
        rig.broker.execute(resize)
        assert (await ended(rig, "k1")).outcome is Outcome.ACCEPTED
        assert (await ended(rig, "r1")).outcome is Outcome.ACCEPTED
        orders = {o.id: o for o in gateway.control.state().orders}
        assert orders[entry.order_id].status.name == "CANCELLED"
        assert orders[stop.order_id].size == 2
        (request,) = gateway.control.requests("Order/modify")
        assert body(request) == {"accountId": 101, "orderId": stop.order_id, "size": 2}


async def test_commands_of_one_step_are_pipelined() -> None:
    """None waits for another's answer: with every answer withheld all requests have arrived."""
    async with trading() as (gateway, rig):
        orders = [
            gateway.control.order(101, "MNQ", "buy", 1, type="limit", limit=Decimal("19000.00")) for _ in range(4)
        ]
        gateway.control.hold(("close", "cancel"))
        rig.broker.execute(close("c1"))
        for number, order in enumerate(orders):
            rig.broker.execute(cancel(f"k{number}", order.order_id))
        await gateway.control.wait_held(count=5)
        for held in gateway.control.held():
            gateway.control.outcome("accepted", number=held.number)
        await gateway.control.wait_flat(101)
        await rig.ear.until(lambda: len(rig.ear.all(CommandEnded)) == 5)
        assert {e.outcome for e in rig.ear.all(CommandEnded)} == {Outcome.ACCEPTED}


async def test_an_outcome_is_never_published_from_inside_execute() -> None:
    """The step that gave the command is over before anything comes of it, even where nothing can be sent."""
    async with trading() as (gateway, rig):
        inside = False
        early: list[AnyEvent] = []

        def note(event: AnyEvent) -> None:
            if inside:
                early.append(event)

        rig.ear.on_event = note
        gateway.control.faults(
            (Rejected(calls=("partialCloseContract",), code=9, message="Live accounts not supported"),)
        )
        for command in (close("c1", 1), close("c2", 1), close("c3")):
            inside = True
            rig.broker.execute(command)
            inside = False
            await ended(rig, command.command_id)
        assert early == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (close("x", contract="CON.F.US.EP.M26"), "position_not_found"),
        (close("x", 2, contract="CON.F.US.EP.M26"), "position_not_found"),
        (close("x", 9), "invalid_close_size"),
        (close("x", owner="999"), "account_not_found"),
        (cancel("x", 12345), "order_not_found"),
    ],
    ids=["flat", "flat in part", "more than held", "foreign account", "unknown order"],
)
async def test_a_refusal_is_reported_with_its_reason(command: ClosePosition | CancelOrder, code: str) -> None:
    """What the gateway refuses by number comes back as a word that the engine knows."""
    async with trading() as (_, rig):
        rig.broker.execute(command)
        outcome = await ended(rig, "x")
        assert (outcome.outcome, outcome.code) == (Outcome.REJECTED, code)


@pytest.mark.parametrize("phase", ["closed", "pre_open", "halted"])
async def test_a_closed_market_is_no_failure(phase: Literal["closed", "pre_open", "halted"]) -> None:
    """The gateway gives no reason; at the weekend it can only be that the market is closed."""
    saturday = msgspec.structs.replace(PLAIN, start=datetime(2026, 3, 21, 15, 0, tzinfo=UTC))
    async with SimulatedGateway(saturday) as gateway:
        gateway.control.order(101, "MNQ", "buy", 3)
        gateway.control.market(phase)
        async with connected(gateway) as rig:
            rig.broker.execute(close("c1"))
            outcome = await ended(rig, "c1")
            assert (outcome.outcome, outcome.code) == (Outcome.REJECTED, "market_closed")


async def test_a_refusal_inside_the_week_is_a_refusal() -> None:
    """Without a reason given, and with the exchange open by the calendar, nothing is assumed."""
    async with trading() as (gateway, rig):
        gateway.control.market("halted")
        rig.broker.execute(close("c1"))
        outcome = await ended(rig, "c1")
        assert (outcome.outcome, outcome.code) == (Outcome.REJECTED, "order_rejected")


async def test_what_an_account_refuses_for_good_is_not_tried_again() -> None:
    """A live account is tried once; then its partial closes are refused here, at once, with the broker's words."""
    async with SimulatedGateway(PLAIN) as gateway:
        gateway.control.order(103, "MNQ", "buy", 3)
        async with connected(gateway) as rig:
            assert rig.broker.capabilities("101").partial_close is Support.YES
            assert rig.broker.capabilities("103").partial_close is Support.DOUBTFUL
            rig.broker.execute(close("c1", 1, owner="103"))
            first = await ended(rig, "c1")
            rig.broker.execute(close("c2", 1, owner="103"))
            second = await ended(rig, "c2")
            assert [first.code, second.code] == ["partial_not_supported"] * 2
            assert rig.broker.capabilities("103").partial_close is Support.NO
            assert len(gateway.control.requests("partialCloseContract")) == 1
            rig.broker.execute(close("c3", owner="103"))
            assert (await ended(rig, "c3")).outcome is Outcome.ACCEPTED


async def test_a_follower_cannot_cancel() -> None:
    """A copy-trading follower's refusal is recognised."""
    async with SimulatedGateway(PLAIN) as gateway, connected(gateway) as rig:
        order = gateway.control.working(104, "MNQ", "buy", 1, limit=Decimal("19000.00"))
        rig.broker.execute(cancel("k1", order.order_id, owner="104"))
        assert (await ended(rig, "k1")).code == "cancel_not_supported"
        assert rig.broker.capabilities("104").cancel is Support.NO


@pytest.mark.parametrize("result", ["silent", "silent_applied", "dropped", "dropped_applied"])
async def test_without_an_answer_nobody_knows_and_nothing_is_sent_again(
    result: Literal["silent", "silent_applied", "dropped", "dropped_applied"],
) -> None:
    """A close that was written and not answered has an unknown outcome, whatever became of it."""
    async with trading(command_timeout_s=0.2) as (gateway, rig):
        gateway.control.hold(("close",))
        rig.broker.execute(close("c1"))
        await gateway.control.wait_held("close")
        gateway.control.outcome(result)
        outcome = await ended(rig, "c1")
        assert (outcome.outcome, outcome.code) == (Outcome.UNKNOWN, "no_answer")
        gateway.control.hold(())
        rig.broker.execute(cancel("k1", 12345))
        assert (await ended(rig, "k1")).code == "order_not_found"
        assert len(gateway.control.requests("closeContract")) == 1
        assert gateway.control.position(101, "MNQ") == (0 if result.endswith("applied") else 3)


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        (HttpError(calls=("closeContract",), status=503, times=1), Outcome.UNKNOWN, "http_503"),
        (HttpError(calls=("closeContract",), status=429, retry_after=1, times=1), Outcome.UNAVAILABLE, "rate_limited"),
        (Rejected(calls=("closeContract",), code=7, times=1), Outcome.UNKNOWN, "unknown_error"),
        (Rejected(calls=("closeContract",), code=6, times=1), Outcome.UNKNOWN, "order_pending"),
    ],
    ids=["server error", "too many", "unknown error", "pending"],
)
async def test_each_failure_says_whether_anything_can_have_happened(
    fault: HttpError | Rejected, outcome: Outcome, code: str
) -> None:
    """The next command is not held up by the one that failed."""
    async with trading() as (gateway, rig):
        gateway.control.faults((fault,))
        rig.broker.execute(close("c1"))
        first = await ended(rig, "c1")
        assert (first.outcome, first.code) == (outcome, code)
        rig.broker.execute(close("c2"))
        assert (await ended(rig, "c2")).outcome is Outcome.ACCEPTED


async def test_a_refused_login_did_nothing_and_is_renewed_at_once() -> None:
    """A close that met an ended session can be asked again as soon as riskd has logged in anew."""
    async with trading() as (gateway, rig):
        gateway.control.expire_tokens()
        rig.broker.execute(close("c1"))
        outcome = await ended(rig, "c1")
        assert (outcome.outcome, outcome.code) == (Outcome.UNAVAILABLE, "not_logged_in")
        await rig.ear.one(SnapshotReported, lambda s: s.request_id == "reconnect")
        assert len(gateway.control.requests("loginKey")) == 2
        rig.broker.execute(close("c2"))
        assert (await ended(rig, "c2")).outcome is Outcome.ACCEPTED


async def test_a_gateway_that_is_gone_leaves_commands_unsent() -> None:
    """Without a connection nothing was sent, and the sentence says why."""
    async with SimulatedGateway(PLAIN) as gateway:
        gateway.control.order(101, "MNQ", "buy", 3)
        async with connected(gateway, send_patience_s=0.05) as rig:
            seen = len(rig.ear.heard)
            await gateway.stop()
            await rig.ear.link(Link.USER_HUB, up=False, after=seen)
            rig.broker.execute(close("c1"))
            outcome = await ended(rig, "c1")
            assert (outcome.outcome, outcome.code) == (Outcome.UNAVAILABLE, "not_sent")
            assert outcome.text


async def test_the_gateways_limit_is_never_reached() -> None:
    """What exceeds the minute's requests is not sent at all, instead of being answered with 429."""
    async with trading() as (gateway, rig):
        for number in range(210):
            rig.broker.execute(cancel(f"k{number}", 12345))
        await rig.ear.until(lambda: len(rig.ear.all(CommandEnded)) == 210, within=20)
        codes = [e.code for e in rig.ear.all(CommandEnded)]
        assert set(codes) == {"order_not_found", "rate_budget"}
        assert len(gateway.control.requests()) + codes.count("rate_budget") >= 210
        assert len(gateway.control.requests()) <= 200

"""What holds of the core whatever happens, in whatever order: generated lives of one account."""

import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.domain.events import Fill, QuoteReported, RulesApplied
from riskd.domain.orders import Side
from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.registry import canonical, compile_rulebook
from riskd.storage.journal import FileJournal, read_journal
from tests.support.desk import Desk, contract
from tests.unit.test_engine.random_life import NOISY, PRICES, ROOTS, RULES, STEPS, TICKS, Life, Step

FEW: Final = settings(max_examples=30, deadline=None, derandomize=True)
MANY: Final = settings(max_examples=1500, deadline=None, derandomize=True)
WORTH: Final = {"MNQ": 2, "ES": 50, "CL": 1000}
MATCHING: Final = ("fifo", "lifo", "average")
FILLS: Final = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([-5, -3, -2, -1, 1, 2, 3, 5]), st.integers(-200, 200)),
    max_size=12,
)


def check_every_promise(steps: list[Step]) -> None:
    """Live, and let the broker come to rest: a locked account is flat then, with nothing working."""
    life = Life().live(steps).settle()
    if life.desk.state.locked:
        assert not any(life.held.values())
        assert not life.working


@FEW
@given(steps=STEPS)
def test_no_decision_adds_risk_and_no_lockout_ends_early(steps: list[Step]) -> None:
    """Closes never exceed what is held, orders are only cut, lockouts wait for their time, allowances only shrink."""
    check_every_promise(steps)


@pytest.mark.slow
@pytest.mark.timeout(600)
@MANY
@given(steps=STEPS)
def test_no_decision_adds_risk_and_no_lockout_ends_early_at_length(steps: list[Step]) -> None:
    """The same, long enough to meet odd orders of events."""
    check_every_promise(steps)


class Remembering(Desk):
    """A desk that forgets nothing, not even how it was set up."""

    def forget(self) -> None:
        """Keep all of it."""


def check_replay(steps: list[Step]) -> None:
    """Write what happened as the daemon does, and put it through a fresh core."""
    life = Life(desk=Remembering(RULES)).live([step for step in steps if step[0] != "restart"])
    core = Core(compile_rulebook)
    with tempfile.TemporaryDirectory() as directory:
        journal = FileJournal(Path(directory), durable=False)
        for envelope, step in life.desk.steps:
            if step.evaluated or not isinstance(envelope.event, QuoteReported):
                journal.append(JournalEntry(envelope=envelope, market=step.market, commands=step.commands))
        journal.close()
        for entry in read_journal(Path(directory)):
            core.state_manager.market.update({row.contract: row for row in entry.market})
            again = core.step(entry.envelope)
            assert msgspec.json.encode(again.commands) == msgspec.json.encode(entry.commands)
    assert core.state_manager.accounts == life.desk.core.state_manager.accounts


@FEW
@given(steps=STEPS)
def test_the_journal_replayed_is_the_live_state(steps: list[Step]) -> None:
    """The journal alone gives every command again, byte for byte, and the account as it is."""
    check_replay(steps)


def check_noise(steps: list[Step]) -> None:
    """Live once with the noise and once without it."""
    noisy = Life().live(steps)
    quiet = Life().live([step for step in steps if step[0] not in {"again", "bad"}])
    assert noisy.done == quiet.done
    assert _money(noisy.desk) == _money(quiet.desk)


def _money(desk: Desk) -> tuple[object, ...]:
    state = desk.state
    held = {name: (p.quantity, [(lot.quantity, lot.price) for lot in p.lots]) for name, p in state.positions.items()}
    net = desk.core.state_manager.view("A1", desk.at).net_pnl
    return held, state.realized, state.realized_own, state.fees, dict(state.flow), net


@FEW
@given(steps=NOISY)
def test_what_is_told_again_or_cannot_be_true_changes_nothing(steps: list[Step]) -> None:
    """Repeated trades and outcomes, and impossible prices, change neither money nor what is done."""
    check_noise(steps)


@pytest.mark.slow
@pytest.mark.timeout(600)
@MANY
@given(steps=NOISY)
def test_what_is_told_again_or_cannot_be_true_changes_nothing_at_length(steps: list[Step]) -> None:
    """The same, long enough to meet odd orders of events."""
    check_noise(steps)


def trades(fills: list[tuple[int, int, int]], desk: Desk, *, apart: bool = True) -> list[Fill]:
    """Return trades, a second apart or all of one moment."""
    made = []
    for number, (root, size, ticks) in enumerate(fills):
        name = ROOTS[root]
        made.append(
            Fill(
                account="A1",
                trade_id=f"T{number}",
                contract=contract(name),
                side=Side.BUY if size > 0 else Side.SELL,
                quantity=abs(size),
                price=PRICES[name] + ticks * TICKS[name],
                at=desk.at + timedelta(seconds=number if apart else 0),
                fees=Decimal("0.37"),
                commission=Decimal("0.25"),
            )
        )
    return made


@FEW
@given(fills=FILLS, order=st.permutations(range(3)))
def test_trades_of_one_moment_may_come_in_any_order(fills: list[tuple[int, int, int]], order: list[int]) -> None:
    """Several products at one instant: whichever is told first, money and lots are the same."""
    ways = []
    for told in (sorted(range(3)), order):
        desk = Desk({"MaxContracts": {"max_contracts": 1000}})
        for root in told:
            for fill in trades(fills, desk, apart=False):
                if fill.contract == contract(ROOTS[root]):
                    desk.publish(fill)
        ways.append(_money(desk))
    assert ways[0] == ways[1]


@FEW
@given(fills=FILLS)
def test_what_the_day_made_needs_no_matching(fills: list[tuple[int, int, int]]) -> None:
    """N is what was paid and received, by every method, and the R and U of each add up to it."""
    for method in MATCHING:
        desk = Desk()
        rules = canonical({"rules": [], "pnl": {"matching": method}})
        desk.publish(RulesApplied(account="A1", spec=rules))
        desk.snapshot()
        done = trades(fills, desk)
        for fill in done:
            desk.at = fill.at
            desk.publish(fill)
        view = desk.core.state_manager.view("A1", desk.at)
        assert view.net_pnl == _by_cash(done)
        # an average price may have endless decimals; what it loses is nowhere near a cent
        assert abs(view.realized_pnl_today + view.total_unrealized_pnl - view.net_pnl) < Decimal("1e-9")


def _by_cash(fills: list[Fill]) -> Decimal:
    """Return what the trades paid and received, with what is held at the last price of each product."""
    total = Decimal(0)
    for root in ROOTS:
        mine = [fill for fill in fills if fill.contract == contract(root)]
        for fill in mine:
            total += fill.signed * (mine[-1].price - fill.price) * WORTH[root] - fill.fees - (fill.commission or 0)
    return total

"""The bare core with a broker's desk beside it: a scenario runs through it in milliseconds, with no socket or clock."""

from datetime import datetime, timedelta

from riskd.app.scenario.broker_desk import Execution
from riskd.app.scenario.core_bench import Bench
from riskd.app.scenario.core_facts import happen
from riskd.app.scenario.language import CarriedIn, Fact
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import Seen, Setup, Standing
from riskd.domain.calendar import day_start, trading_day
from riskd.domain.events import AccountArmed, DaemonStarted, QuoteReported
from riskd.domain.money import ZERO
from riskd.domain.orders import Side
from riskd.rules.contract import Compile


class CoreWorld:
    """A ``World`` in one thread and without any waiting."""

    def __init__(self, setup: Setup, compile_rules: Compile, symbols: Symbols) -> None:
        """Make the world as it is before ``start``: a day earlier where something is carried in."""
        self._setup = setup
        begins = setup.begins_at
        first = day_start(trading_day(begins)) - timedelta(minutes=1) if setup.carried else begins
        self._bench = Bench(setup, compile_rules, symbols, first)

    async def start(self) -> None:
        """Start riskd reconciled, bring in what is carried, and arm it at the scenario's first time."""
        bench = self._bench
        bench.publish(DaemonStarted())
        bench.begin_process()
        for carried in self._setup.carried:
            _carry_in(bench, carried)
        bench.advance(self._setup.begins_at)
        for account in bench.configured:
            bench.publish(AccountArmed(account=account))
        bench.desk.answer()

    async def advance(self, to: datetime) -> None:
        """Let every timer up to and including ``to`` fire at its own time."""
        self._bench.advance(to)

    async def happen(self, fact: Fact) -> None:
        """Let a fact happen, and everything that follows from it at once."""
        happen(self._bench, fact)
        self._bench.desk.answer()

    async def seen(self) -> Seen:
        """Return what riskd did since this was last asked."""
        return self._bench.noticed.taken()

    async def standing(self, account: str) -> Standing:
        """Return how an account stands now."""
        view = self._bench.view(account)
        money = {"realized": view.realized_pnl_today, "unrealized": view.total_unrealized_pnl, "net": view.net_pnl}
        headroom = min(self._bench.core.headroom(account, self._bench.now).values(), default=None)
        return Standing(
            positions={contract: position.quantity for contract, position in view.account.positions.items()},
            locked=view.account.locked,
            money=money if headroom is None else {**money, "headroom": headroom},
            pending=view.account.pending.rules if view.account.pending is not None else (),
        )

    async def close(self) -> None:
        """Do nothing: there is nothing to stop."""


def _carry_in(bench: Bench, carried: CarriedIn) -> None:
    contract = bench.symbols.contract(carried.symbol)
    side = Side.BUY if carried.quantity > 0 else Side.SELL
    quantity = abs(carried.quantity)
    execution = Execution(contract=contract, side=side, quantity=quantity, price=carried.price, fee=ZERO)
    bench.desk.fill(carried.account, execution)
    bench.desk.quote(QuoteReported(contract=contract, at=bench.now, last=carried.mark))

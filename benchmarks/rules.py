"""Measure what it costs to judge one event by all thirteen rules, none of them broken.

Run `python -m benchmarks.rules`. The account has traded all day and holds one contract each of some products, with a
stop for each. What is timed is the verdict alone (every rule, its warnings and what it remembers), then the whole step.
"""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Annotated, Final

import typer

from benchmarks.figures import Figures, show
from riskd.daemon.garbage import spare_what_stays
from riskd.domain.events import (
    AccountArmed,
    AnyEvent,
    ClockTicked,
    Envelope,
    Fill,
    OrderReported,
    QuoteReported,
    RulesApplied,
    SnapshotReported,
)
from riskd.domain.instruments import contract_of_symbol
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder
from riskd.engine.core import Core
from riskd.rules.registry import canonical, compile_rulebook, rule_names

OPEN: Final = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
ACCOUNT: Final = "101"
PRICE: Final = Decimal(5000)
RULES: Final[list[dict[str, object]]] = [
    {"rule": "SessionBlockOutside", "params": {"preset": "RTH"}},
    {"rule": "SymbolBlock", "params": {"blocked_symbols": ["CL", "NG"]}},
    {
        "rule": "AccountDrawdown",
        "params": {"kind": "intraday_trailing", "start_balance": "50000", "drawdown": "2000", "lock_at": "50100"},
    },
    {"rule": "DailyRealizedLoss", "params": {"limit": "-1000"}},
    {"rule": "DailyRealizedProfit", "params": {"limit": "1500"}},
    {"rule": "UnrealizedLoss", "params": {"limit": "-300"}},
    {"rule": "UnrealizedProfit", "params": {"limit": "600", "scope": "group"}},
    {"rule": "NoStopLossGrace", "params": {"grace_period": "30s"}},
    {"rule": "MaxContracts", "params": {"max_contracts": 20}},
    {"rule": "MaxContractsPerInstrument", "params": {"limits": {"MNQ": 5}, "default": 3}},
    {"rule": "TradeFrequencyLimit", "params": {"max_trades": 500, "window": "1h"}},
    {"rule": "CooldownAfterLoss", "params": {"loss_threshold": "-200", "cooldown_duration": "15min"}},
    {"rule": "AuthLossGuard", "params": {}},
]
ROOTS: Final = ("MNQ", "ES", "GC", "YM", "RTY", "MES", "MGC", "M2K", "MYM", "SI")
HELD: Final = (1, 3, 10)
ROUND_TURNS: Final = (10, 100)
_WARM_UP: Final = 200


class Judged:
    """One core with one armed account under all thirteen rules."""

    def __init__(self, *, positions: int, round_turns: int) -> None:
        """Trade round turns in one product, then hold one contract each of so many, each with a stop."""
        self.core = Core(compile_rulebook)
        self._seq, self._trades = count(1), count(1)
        self.held = [contract_of_symbol(f"{root}H6") for root in ROOTS[:positions]]
        snapshot = SnapshotReported(
            account=ACCOUNT, asked_seq=0, positions=(), orders=(), fills=(), balance=Decimal(50000)
        )
        self._happen(RulesApplied(ACCOUNT, canonical({"rules": RULES})), snapshot, AccountArmed(ACCOUNT))
        for number in range(round_turns * 2):
            self._happen(self._fill(self.held[0], Side.SELL if number % 2 else Side.BUY))
        for contract in self.held:
            self._happen(self._fill(contract, Side.BUY), self._stop(contract), self.quote(contract, PRICE))

    def _happen(self, *events: AnyEvent) -> None:
        for event in events:
            self.core.step(self.envelope(event))

    def _fill(self, contract: str, side: Side) -> Fill:
        number = next(self._trades)
        return Fill(
            account=ACCOUNT, trade_id=str(number), contract=contract, side=side, quantity=1, price=PRICE,
            at=OPEN + timedelta(seconds=3 * number), fees=Decimal("0.37"), commission=Decimal(0), order_id=str(number),
        )  # fmt: skip

    def _stop(self, contract: str) -> OrderReported:
        order = WorkingOrder(
            order_id=f"S{contract}", contract=contract, side=Side.SELL, type=OrderType.STOP,
            status=OrderStatus.WORKING, size=1, stop_price=PRICE - 10,
        )  # fmt: skip
        return OrderReported(account=ACCOUNT, order=order)

    def quote(self, contract: str, last: Decimal) -> QuoteReported:
        """Return a price."""
        return QuoteReported(contract=contract, at=OPEN, last=last, bid=last, ask=last)

    def envelope(self, of: AnyEvent) -> Envelope:
        """Return an event at its place, ten minutes after the last fill."""
        seq = next(self._seq)
        at = OPEN + timedelta(minutes=30, milliseconds=seq)
        return Envelope(seq=seq, at=at, event=of, broker_at=of.at if isinstance(of, Fill) else at)

    def must_be_unbroken(self) -> None:
        """Refuse figures of anything but all the rules, each of them kept.

        Errors: SystemExit.
        """
        heard = sorted(entry.rule.name for entry in self.core.rulebooks[ACCOUNT].entries)
        broken = sorted(self.core.state_manager.accounts[ACCOUNT].episodes)
        if broken or heard != sorted(rule_names()):
            raise SystemExit(f"not what was to be measured: {heard} were heard, {broken} were broken")

    def verdict(self, of: AnyEvent, trials: int, name: str) -> Figures:
        """Measure hearing the rules about the account as it is."""
        engine, manager, samples = self.core.risk_engine, self.core.state_manager, []
        for number in range(trials + _WARM_UP):
            envelope = self.envelope(of)
            view = manager.view(ACCOUNT, envelope.at)
            began = time.perf_counter_ns()
            engine.hear(view, of, envelope.seq)
            took = time.perf_counter_ns() - began
            if number >= _WARM_UP:
                samples.append(took)
        return Figures(name, samples)

    def step(self, trials: int, name: str) -> Figures:
        """Measure whole steps of quotes that move the price of what is held to and fro."""
        samples = []
        for number in range(trials + _WARM_UP):
            envelope = self.envelope(self.quote(self.held[0], PRICE + Decimal("0.25") * (number % 3)))
            began = time.perf_counter_ns()
            self.core.step(envelope)
            took = time.perf_counter_ns() - began
            if number >= _WARM_UP:
                samples.append(took)
        return Figures(name, samples)


def rows(trials: int) -> list[Figures]:
    """Measure accounts that hold little and much, after few and many trades."""
    found = []
    for turns in ROUND_TURNS:
        for positions in HELD:
            judged = Judged(positions=positions, round_turns=turns)
            of = f"{positions} held, {turns} round turns"
            quote = judged.quote(judged.held[0], PRICE)
            found.append(judged.verdict(quote, trials, f"verdict on a quote, {of}"))
            found.append(judged.verdict(ClockTicked(), trials, f"verdict on any other event, {of}"))
            found.append(judged.step(trials, f"the whole step of a quote, {of}"))
            judged.must_be_unbroken()
    return found


def main(trials: Annotated[int, typer.Option(help="Events per row.")] = 2000) -> None:
    """Print what the thirteen rules cost."""
    spare_what_stays()
    show("One event against all thirteen rules", rows(trials), places=1)


if __name__ == "__main__":
    typer.run(main)
